"""Names of models: what the command line, the notebooks and the report call them."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from numbers import Real
from typing import Any

import numpy as np

from recnb.data import Text
from recnb.errors import InputError
from recnb.evaluation.judge import plain_settings
from recnb.models.table import TABLE, Entry
from recnb.optional import package_of
from recnb.recommender import Reads, Recommender


@dataclass(frozen=True)
class About:
    """What is to be known of a model before it is used.

    Parameters
    ----------
    name, title : str
        The name, and the first line of its documentation.
    kind : str
        Its class.
    reads : Reads
        By its settings, before it is fitted.
    needs : tuple of str
        "text", "ratings", and packages beyond the core.
    can : tuple of str
        Of :data:`ABILITIES`.
    settings : dict
        Their defaults, as json can hold them.
    ways : tuple of About
        The same with a setting by which the model reads something else.
    """

    name: str
    title: str
    kind: str
    reads: Reads
    needs: tuple[str, ...]
    can: tuple[str, ...]
    settings: dict[str, Any]
    ways: tuple[About, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        lists = {"needs": list(self.needs), "can": list(self.can)}
        ways = [way.to_dict() for way in self.ways]
        return {**out, "reads": self.reads.to_dict(), **lists, "ways": ways}


ABILITIES = {
    "warm": "tells apart items that nobody has used yet, by what they are",
    "new items": "scores items that come after fitting, without retraining (with_items)",
    "new users": "serves users unknown to fit by the history given when scoring",
    "ratings": "predicts ratings (predict)",
    "factors": "its score is a product of vectors, for an index (factors)",
    "candidates": "judges given candidates alone, each pair at a cost (score_candidates): the B of A>B",
}


def names() -> list[str]:
    """The names of all models, in the order of the tables."""
    return list(TABLE)


def register(name: str, cls: type[Recommender], look: tuple[str, str, str] | None = None) -> None:
    """Give a model class a name, for everything that reads the table of models.

    Parameters
    ----------
    name : str
    cls : class
    look : tuple of hue, marker and line style, optional
        See :class:`recnb.models.table.Entry`.

    Raises
    ------
    InputError
        The name is taken by another class or holds one of ``@ + > * , = : [ ]`` or a space, or the class is no
        Recommender.
    """
    if not name or set(name) & set("@+>*,=:[] \t\n"):
        raise InputError(f"'{name}' cannot name a model", mend="use letters, digits and _")
    if not (isinstance(cls, type) and issubclass(cls, Recommender)):
        raise InputError(f"{cls!r} is no Recommender", mend="subclass recnb.Recommender")
    held = TABLE[name].home if name in TABLE else None
    if held is not None and held is not cls and held != f"{cls.__module__}:{cls.__qualname__}":
        raise InputError(f"the name '{name}' is taken", mend="choose another")
    settings = TABLE[name].settings if name in TABLE else {}
    TABLE[name] = Entry(cls, look or (TABLE[name].look if name in TABLE else ()), settings)


def lookup(name: str) -> type[Recommender]:
    """The class behind a plain name.

    Raises
    ------
    InputError
        No model has this name; the nearest ones and the list are given.
    """
    if name not in TABLE:
        near = get_close_matches(name, TABLE, n=1)
        guess = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"no model '{name}'", mend=f"{guess}there are {', '.join(TABLE)}")
    home = TABLE[name].home
    return _load(home) if isinstance(home, str) else home


def make(name: str, **settings) -> Recommender:
    """An unfitted model by name.

    Parameters
    ----------
    name : str
        A name of :func:`names`; ``NAME@METHOD`` with a tuning method; ``NAME[setting=value,…]`` with settings
        (``text=title+brand``: the columns that are read as text);
        ``A+B`` for a blend whose weight is set on the validation part, ``A>B`` for two stages: the best of A (100,
        40 where B is a decoder) ranked by B, ``A>[n=50]B`` with settings of the pair (`settings` are then those of
        the blend or of the pair). ``A+B>C`` is ``(A+B)>C``. ``A*5`` is the mean of five fits of A from other seeds,
        ``A*[distil=True]5`` one model that has learned from them.
    **settings
        Arguments of the model; they win over those in the name.

    Raises
    ------
    InputError
        The name, the method or a setting does not exist.

    Examples
    --------
    >>> make("ease", l2=100.0), make("ease[l2=100.0]")
    (EASE(l2=100.0), EASE(l2=100.0))
    """
    if name.count("[") != name.count("]"):
        lacking = "]" if name.count("[") > name.count("]") else "["
        raise InputError(
            f"'{name}' lacks a '{lacking}'", mend="write NAME[setting=value,setting=value]"
        )
    stages = _stages(name)
    if stages:
        from recnb.models.rerank import Rerank

        first, told, second = stages
        held = {"first": make(first), "second": make(second)}
        return _build(Rerank, name, {**held, **told, **settings})
    blended = _split(name, "+")
    if len(blended) > 1:
        from recnb.models.blends import Blend

        parts = [make(part.strip()) for part in blended]
        return _build(Blend, name, {"models": parts, **settings})
    times = _times(name)
    if times:
        from recnb.models.ensemble import Ensemble

        of, told = times
        return _build(Ensemble, name, {"model": make(of), **told, **settings})
    name, told = _told(name)
    plain, at, method = name.partition("@")
    cls = lookup(plain)
    settings = {**TABLE[plain].settings, **told, **settings}
    if at:
        settings = {**settings, "method": _method(plain, cls, method)}
    return _build(cls, name, settings)


def describe(name: str) -> str:
    """The first line of a model's documentation.

    Examples
    --------
    >>> describe("popularity")
    'The items that most users like, the same list for everybody.'
    """
    stages = _stages(name)
    if stages:
        n = stages[1].get("n", 100)
        return f"Two stages: the best {n} items of {stages[0]}, ranked by {stages[2]}."
    parts = _split(name, "+")
    if len(parts) > 1:
        return f"A blend of {' and '.join(parts)}; the weight is set on the validation part."
    times = _times(name)
    if times:
        kind = "learned from" if times[1].get("distil") else "the mean of"
        return f"{kind.capitalize()} {times[1]['n']} fits of {times[0]} from other seeds."
    plain, _, _ = _told(name)[0].partition("@")
    return (inspect.getdoc(lookup(plain)) or plain).splitlines()[0]


def about(name: str) -> About:
    """What a model reads, needs and can, asked of the model itself.

    Parameters
    ----------
    name : str
        As in :func:`make`.

    Examples
    --------
    >>> about("popularity").needs, about("tfidf").can
    ((), ('warm', 'new items', 'new users'))
    """
    model = make(name)
    reads = model.reads()
    able = {
        "warm": bool(reads.modalities),
        "new items": hasattr(model, "with_items"),
        "new users": model.uses_history,
        "ratings": hasattr(model, "predict"),
        "factors": hasattr(model, "factors"),
        "candidates": hasattr(model, "score_candidates"),
    }
    asked = {"text": model.needs_text, "ratings": model.needs_ratings}
    needs = (*(n for n, there in asked.items() if there), *map(package_of, model.packages))
    can = tuple(ability for ability in ABILITIES if able[ability])
    kind, settings = type(model).__name__, plain_settings(model)
    ways = tuple(about(f"{name}[{way}]") for way in model.ways if name in TABLE)
    return About(name, describe(name), kind, reads, needs, can, settings, ways)


def parse_models(text: str | Iterable[str]) -> dict[str, Recommender]:
    """Unfitted models from a list such as ``"random,ease+tfidf,ease>pair,few=als[n_factors=8],mine=module:Class"``.

    Returns
    -------
    dict of str to Recommender
        By the name that the tables show, in the order given.

    Raises
    ------
    InputError
        A name is unknown, empty or stands twice, or a class cannot be imported.

    Examples
    --------
    >>> list(parse_models("random,popularity"))
    ['random', 'popularity']
    """
    parts = _split(text, ",") if isinstance(text, str) else list(text)
    models: dict[str, Recommender] = {}
    for part in map(str.strip, parts):
        if not part:
            raise InputError("an empty name among the models", mend="write name,name,…")
        named = re.fullmatch(r"([^=\[]*)=(.*)", part)  # an = in brackets is that of a setting
        name, target = (s.strip() for s in named.groups()) if named else (part, part)
        if name in models:
            raise InputError(f"the model '{name}' stands twice", mend="name it once")
        if named and ":" in target:
            models[name] = _build(_load(target), name, {})
        else:
            models[name] = make(target)
    return models


def _load(target: str) -> type[Recommender]:
    module, _, attribute = target.partition(":")
    # A model of one's own lies in the working folder, which a console script does not search.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{target} cannot be imported ({error})", mend="write name=package.module:Class"
        ) from None
    if not (isinstance(cls, type) and issubclass(cls, Recommender)):
        raise InputError(f"{target} is no Recommender", mend="subclass recnb.Recommender")
    return cls


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks that stand in no brackets."""
    return re.split(rf"{re.escape(mark)}(?![^\[\]]*\])", text)


def _stages(name: str) -> tuple[str, dict[str, object], str] | None:
    """First stage, settings of the pair and second stage of ``A>B``; None for any other name."""
    parts = [part.strip() for part in _split(name, ">")]
    if len(parts) == 1:
        return None
    if len(parts) > 2:
        raise InputError(
            f"'{name}' names {len(parts)} stages",
            mend="name two, or nest recnb.models.Rerank in Python",
        )
    first, second = parts
    told: dict[str, object] = {}
    between = re.match(r"\[[^\[\]]*\]", second)
    if between:
        told = _told(f"A>B{between[0]}")[1]
        second = second[between.end() :].strip()
    if not (first and second):
        raise InputError(
            f"'{name}' lacks a stage",
            mend="write 'A>B', in quotes: a shell reads a bare > as a file to write",
        )
    return first, told, second


def _times(name: str) -> tuple[str, dict[str, object]] | None:
    """The model and the settings of ``A*5``; None for any other name."""
    parts = [part.strip() for part in _split(name, "*")]
    if len(parts) == 1:
        return None
    told: dict[str, object] = {}
    between = re.match(r"\[[^\[\]]*\]", parts[1])
    number = parts[1][between.end() :] if between else parts[1]
    if len(parts) > 2 or not parts[0] or not number.strip().isdigit():
        raise InputError(
            f"'{name}' is no ensemble", mend="write 'A*5', in quotes: a shell reads a bare *"
        )
    if between:
        told = _told(f"A*5{between[0]}")[1]
    return parts[0], {"n": int(number), **told}


def _told(name: str) -> tuple[str, dict[str, object]]:
    """A name without its brackets, and the settings in them."""
    found = re.fullmatch(r"([^\[\]]+)\[([^\[\]]*)\]", name)
    if not found:
        return name, {}
    settings: dict[str, object] = {}
    for part in found[2].split(","):
        key, equals, value = (s.strip() for s in part.partition("="))
        if not (key and equals and value) or key in settings:
            raise InputError(
                f"'{part.strip()}' in '{name}' is no setting, or stands twice",
                mend="write NAME[setting=value,setting=value]",
            )
        try:
            settings[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):  # a word
            settings[key] = value
    return found[1], settings


def _method(name: str, cls: type[Recommender], method: str) -> str:
    known = tuple(getattr(cls, "methods", ()))
    if method in known:
        return method
    if known:
        raise InputError(
            f"'{name}' has no tuning method '{method}'", mend=f"one of {', '.join(known)}"
        )
    raise InputError(
        f"'{name}' takes no tuning method, so '{name}@{method}' does not exist",
        mend=f"ask for '{name}'",
    )


def _build(cls: type[Recommender], name: str, settings: dict) -> Recommender:
    parameters = inspect.signature(cls.__init__).parameters
    known = [p for p in parameters if p != "self"]
    for key, value in list(settings.items()):
        if isinstance(value, str) and key in known and _is_text(parameters[key]):
            settings = {**settings, key: Text(*filter(None, map(str.strip, value.split("+"))))}
            continue
        if key not in known:
            raise InputError(
                f"'{name}' has no setting '{key}'", mend=f"it has {', '.join(known) or 'none'}"
            )
        wanted = _unlike(value, parameters[key])
        if wanted:
            raise InputError(f"'{name}': {key}={value!r}", mend=f"{key} is {wanted}")
    return cls(**settings)


def _unlike(value: object, parameter: inspect.Parameter) -> str:
    """What a setting should be, where its value is of another type: numbers, yes or no; "" where it may stand.

    Told by the annotation, where it names plain types only, else by the type of the default. Beside a number the only
    word is the default's, such as "auto".
    """
    hint, default = parameter.annotation, parameter.default
    if hint is parameter.empty:
        hint = float if type(default) is int else type(default)  # 1 may stand for 1.0
    names = (hint if isinstance(hint, str) else getattr(hint, "__name__", "")).replace(" ", "")
    kinds = set(names.split("|"))
    if not kinds & {"int", "float", "bool"} or kinds - {"int", "float", "bool", "str", "None"}:
        return ""
    if value is None and ("None" in kinds or default is None):
        return ""
    if isinstance(value, str) and value == default:
        return ""
    if isinstance(value, (bool, np.bool_)):
        fits = "bool" in kinds
    elif isinstance(value, Real):
        whole = float(value) == np.floor(float(value))
        fits = "float" in kinds or ("int" in kinds and whole)
    else:
        fits = False
    said = {"bool": "True or False", "float": "a number", "int": "a whole number"}
    words = [word for kind, word in said.items() if kind in kinds]
    words += [repr(default)] * isinstance(default, str) + ["None"] * ("None" in kinds)
    return "" if fits else " or ".join(words)


def _is_text(parameter: inspect.Parameter) -> bool:
    """Whether a setting is a template of item text, told by its annotation."""
    return re.search(r"\bText\b", str(parameter.annotation)) is not None
