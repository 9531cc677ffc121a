"""Names of models: what the command line, the notebooks and the report call them."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches

from recnb.errors import InputError
from recnb.recommender import Recommender

# Where each class lives; loaded when asked for, so that listing names costs nothing.
_HOMES: dict[str, str | type[Recommender]] = {
    "random": "recnb.models.classical.popularity:Random",
    "popularity": "recnb.models.classical.popularity:Popularity",
    "recent_popularity": "recnb.models.classical.popularity:RecentPopularity",
    "itemknn": "recnb.models.classical.neighbours:ItemKNN",
    "userknn": "recnb.models.classical.neighbours:UserKNN",
    "ease": "recnb.models.classical.linear:EASE",
    "als": "recnb.models.classical.factorisation:ALS",
    "bpr": "recnb.models.classical.factorisation:BPR",
    "mf": "recnb.models.ratings.variational:MF",
    "svdpp": "recnb.models.ratings.variational:SVDpp",
    "bfm": "recnb.models.ratings.bayesian:BFM",
    "bfm_text": "recnb.models.ratings.text_bfm:TextBFM",
    "baseline": "recnb.models.ratings.baseline:Baseline",
    "knnbaseline": "recnb.models.ratings.neighbours:KNNBaseline",
    "tfidf": "recnb.models.content.words:TfIdf",
    "attributes": "recnb.models.content.attributes:Attributes",
    "text_frozen": "recnb.models.content.meaning:TextFrozen",
    "text_joint": "recnb.models.content.meaning:TextJoint",
    "text_weighted_sum": "recnb.models.two_tower.model:TwoTower",
    "text_dot": "recnb.models.two_tower.model:TwoTower",
    "text_mlp": "recnb.models.two_tower.model:TwoTower",
    "hybrid": "recnb.models.two_tower.model:TwoTower",
    "fusion": "recnb.models.two_tower.model:TwoTower",
}
# Names that stand for a class with other defaults.
_SETTINGS: dict[str, dict] = {
    "text_weighted_sum": {"head": "weighted_sum"},
    "text_dot": {"head": "dot"},
    "text_mlp": {"head": "mlp"},
    "hybrid": {"head": "dot", "user": "id+mean", "item_id": True},
    "fusion": {"head": "dot", "modalities": "auto"},
}


def names() -> list[str]:
    """The names of all models, in the order of the tables."""
    return list(_HOMES)


def register(name: str, cls: type[Recommender]) -> None:
    """Give a model class a name, for :func:`make` and :func:`parse_models`.

    Raises
    ------
    InputError
        The name is taken by another class or holds one of ``@ + , = : [ ]`` or a space, or the class is no Recommender.
    """
    if not name or set(name) & set("@+,=:[] \t\n"):
        raise InputError(f"'{name}' cannot name a model", mend="use letters, digits and _")
    if not (isinstance(cls, type) and issubclass(cls, Recommender)):
        raise InputError(f"{cls!r} is no Recommender", mend="subclass recnb.Recommender")
    held = _HOMES.get(name)
    if held is not None and held is not cls and held != f"{cls.__module__}:{cls.__qualname__}":
        raise InputError(f"the name '{name}' is taken", mend="choose another")
    _HOMES[name] = cls


def lookup(name: str) -> type[Recommender]:
    """The class behind a plain name.

    Raises
    ------
    InputError
        No model has this name; the nearest ones and the list are given.
    """
    if name not in _HOMES:
        near = get_close_matches(name, _HOMES, n=1)
        guess = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"no model '{name}'", mend=f"{guess}there are {', '.join(_HOMES)}")
    home = _HOMES[name]
    return _load(home) if isinstance(home, str) else home


def make(name: str, **settings) -> Recommender:
    """An unfitted model by name.

    Parameters
    ----------
    name : str
        A name of :func:`names`; ``NAME@METHOD`` with a tuning method; ``NAME[setting=value,…]`` with settings;
        ``A+B`` for a blend whose weight is set on the validation part (`settings` are then those of the blend).
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
    blended = _split(name, "+")
    if len(blended) > 1:
        from recnb.models.blends import Blend

        parts = [make(part.strip()) for part in blended]
        return _build(Blend, name, {"models": parts, **settings})
    name, told = _told(name)
    plain, at, method = name.partition("@")
    cls = lookup(plain)
    settings = {**_SETTINGS.get(plain, {}), **told, **settings}
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
    parts = _split(name, "+")
    if len(parts) > 1:
        return f"A blend of {' and '.join(parts)}; the weight is set on the validation part."
    plain, _, _ = _told(name)[0].partition("@")
    return (inspect.getdoc(lookup(plain)) or plain).splitlines()[0]


def parse_models(text: str | Iterable[str]) -> dict[str, Recommender]:
    """Unfitted models from a list such as ``"random,ease+tfidf,few=als[n_factors=8],mine=package.module:Class"``.

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
    known = [p for p in inspect.signature(cls.__init__).parameters if p != "self"]
    for key in settings:
        if key not in known:
            raise InputError(
                f"'{name}' has no setting '{key}'", mend=f"it has {', '.join(known) or 'none'}"
            )
    return cls(**settings)
