"""Wordings of the question, as files that a reader can edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from recnb.errors import InputError

# What a template asks for, and the field without which it cannot ask it.
KINDS = {"answer": "item", "title": None, "order": "candidates", "wish": "item"}
FIELDS = (
    "history",
    "liked",
    "disliked",
    "item",
    "candidates",
    "instruction",
    "thing",
    "things",
    "wish",
)
_LINE = ("title", "opinion")  # fields of a line of the history
_KEYS = ("line", "plain", "liked", "disliked", "answers", "system", "reply")
_FIELD = re.compile(r"\{([^{}\n]*)\}")


@dataclass(frozen=True)
class Template:
    """One wording.

    Parameters
    ----------
    name : str
        That of its file.
    kind : {"answer", "title", "order", "wish"}
        What the decoder is to say: an answer word about one candidate, a title, the letters of candidates, or an
        answer word about an item and a wish, without a history.
    text : str
        The question, with fields in braces. One of ``{history}`` (lines, the oldest first) and ``{liked}`` (titles
        between commas) must stand in it; ``{disliked}``, ``{instruction}``, ``{thing}`` and ``{things}`` may.
        ``{item}`` must where the answer is a word, behind the history, so that all candidates share what stands
        before (of kind "wish" ``{wish}`` stands for the history); ``{candidates}`` must where it is an order. A line
        whose fields are all empty is left out.
    line : str
        A line of the history, of ``{title}`` and ``{opinion}``.
    plain : str
        The same where no opinion is known: clicks and purchases.
    liked, disliked : str
        The opinions.
    answers : tuple of two str
        The words for yes and for no.
    system : str
        What a chat says of the model itself; empty for nothing.
    reply : str
        What the model's own turn begins with, the answer behind it; empty for nothing. Where the ``{item}`` stands here
        and not in the text, the candidates share what closes the question too: with short titles that is half of what
        is read for each.

    Notes
    -----
    A file is the settings other than the text, one a line as ``key: value`` (lines that begin with ``#`` are
    comments), a line of three hyphens, and the text.
    """

    name: str
    kind: str
    text: str
    line: str = "- {title}: {opinion}"
    plain: str = "- {title}"
    liked: str = "liked"
    disliked: str = "disliked"
    answers: tuple[str, str] = ("Yes", "No")
    system: str = ""
    reply: str = ""

    @classmethod
    def parse(cls, written: str, kind: str, name: str, file: str | None = None) -> Template:
        """Read the text of a file.

        Raises
        ------
        InputError
            A field or a key is unknown, missing or in the wrong place.
        """
        head, mark, body = written.partition("\n---\n")
        if written.startswith("---\n"):
            head, mark, body = "", "---", written[4:]
        if not mark:
            raise _error("has no line of three hyphens", file, "put --- between settings and text")
        settings: dict[str, str] = {}
        for number, row in enumerate(head.splitlines(), 1):
            if not row.strip() or row.startswith("#"):
                continue
            key, colon, value = row.partition(":")
            if not colon or key.strip() not in _KEYS:
                mend = f"write key: value with one of {', '.join(_KEYS)}"
                raise InputError(f"'{row}' is no setting", file=file, row=number, mend=mend)
            settings[key.strip()] = value.strip()
        answers = tuple(a.strip() for a in settings.pop("answers", "Yes, No").split(","))
        if len(set(answers)) != 2 or not all(answers):
            raise _error("does not have two answers", file, "write answers: Yes, No")
        text = body.strip("\n")
        out = cls(name, kind, text, answers=answers, **settings)  # type: ignore[arg-type]
        out._check(file)
        return out

    def _check(self, file: str | None) -> None:
        held = _FIELD.findall(f"{self.text}\n{self.reply}")
        for known, text in (
            (FIELDS, self.text),
            (FIELDS, self.reply),
            (_LINE, self.line),
            (_LINE, self.plain),
        ):
            for field in _FIELD.findall(text):
                if field not in known:
                    raise _error(f"has a field {{{field}}}", file, f"use {_braced(known)}")
        if "{title}" not in self.line or "{title}" not in self.plain:
            raise _error("has a line without {title}", file, "write line: - {title}: {opinion}")
        if self.kind == "wish":
            if "wish" not in held:
                raise _error("has no {wish}", file, "put it in the text, before the {item}")
        elif not {"history", "liked"} & set(held):
            raise _error("has neither {history} nor {liked}", file, "put one of them in the text")
        needed = KINDS[self.kind]
        for field in ("item", "candidates"):
            n = held.count(field)
            if n != (field == needed):
                problem = f"has {{{field}}} {n} times" if n else f"has no {{{field}}}"
                mend = (
                    "write it once"
                    if field == needed
                    else f"a template of kind {self.kind} has none"
                )
                raise _error(problem, file, mend)
        before = {"history", "liked", "disliked", "wish"} & set(held)
        if needed == "item" and max(map(_last(held), before)) > held.index("item"):
            what = "wish" if self.kind == "wish" else "history"
            raise _error(f"names the {{item}} before the {what}", file, "put the {item} last")

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with its fields replaced; lines whose fields are all empty are left out."""
        lines = []
        for line in self.text.splitlines():
            fields = _FIELD.findall(line)
            if not fields or any(values.get(field) for field in fields):
                lines.append(_FIELD.sub(lambda m: values.get(m[1], ""), line))
        return "\n".join(lines)

    def begun(self, values: Mapping[str, str]) -> str:
        """What the model's turn begins with, a space behind it; empty where it begins with the answer."""
        return self.reply and _FIELD.sub(lambda m: values.get(m[1], ""), self.reply) + " "

    def told(self, title: str, liked: bool | None) -> str:
        """One line of the history; `liked` is None where no opinion is known."""
        if liked is None:
            return self.plain.replace("{title}", title).replace("{opinion}", "")
        opinion = self.liked if liked else self.disliked
        return _FIELD.sub(lambda m: title if m[1] == "title" else opinion, self.line)


def template_names(kind: str) -> list[str]:
    """The wordings that come with the package."""
    folder = files("recnb.models.language") / "templates" / kind
    return sorted(f.name.removesuffix(".txt") for f in folder.iterdir() if f.name.endswith(".txt"))


def open_template(name: str, kind: str) -> Template:
    """A wording by its name, or the reader's own by its path.

    Parameters
    ----------
    name : str
        Of :func:`template_names`, or the path of a file that ends in ``.txt``.
    kind : {"answer", "title", "order", "wish"}

    Raises
    ------
    InputError
        No such wording or file, or it lacks what the kind needs.

    Examples
    --------
    >>> open_template("groups", "answer").answers
    ('Yes', 'No')
    """
    if kind not in KINDS:
        raise InputError(f"kind='{kind}'", mend=f"one of {', '.join(KINDS)}")
    if not str(name).endswith(".txt"):
        known = template_names(kind)
        if name not in known:
            raise InputError(
                f"no template '{name}'",
                mend=f"one of {', '.join(known)}, or the path of a .txt file",
            )
        source = files("recnb.models.language") / "templates" / kind / f"{name}.txt"
        return Template.parse(source.read_text(encoding="utf-8"), kind, name)
    path = Path(name).expanduser()
    try:
        written = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputError(
            f"the template cannot be read ({reason})",
            file=str(path),
            mend=f"name a text file, or one of {', '.join(template_names(kind))}",
        ) from None
    return Template.parse(written.replace("\r\n", "\n"), kind, path.stem, str(path))


def _last(held: list[str]) -> Callable[[str], int]:
    """Where a field stands for the last time."""
    return lambda field: len(held) - 1 - held[::-1].index(field)


def _error(problem: str, file: str | None, mend: str) -> InputError:
    return InputError(f"the template {problem}", file=file, mend=mend)


def _braced(names: tuple[str, ...]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
