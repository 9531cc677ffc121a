"""What a model reads: said by the model, joined by blends, and never guessed from a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from recnb.errors import InputError

IDS = ("none", "counts", "pairs")


@dataclass(frozen=True)
class LanguageModel:
    """A pretrained language model: the name under which results cite it, and its parameters where they are known.

    `located` says that it was found in a folder of this machine; it is no part of what is cited.
    """

    name: str
    parameters: int | None = None
    located: bool = field(default=False, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """What is cited, for json."""
        return {"name": self.name, "parameters": self.parameters}


@dataclass(frozen=True)
class Reads:
    """What a model reads of the data.

    Parameters
    ----------
    ids : {"none", "counts", "pairs"}
        What is known of an item by its id: nothing, how many had it (or how it was rated), or who had it.
    modalities : tuple of str
        What is read of an item beside its id: "text", "attributes", "image", "audio", names of vectors or columns.
    language_models : tuple of LanguageModel
        Those that read text.
    traits : bool
        Columns of the users table.
    known : bool
        False where it is not known what is read (lists and scores made elsewhere, a class that does not say); what
        the other fields name is then read at least.

    Examples
    --------
    >>> ease, text = Reads("pairs"), Reads(modalities=("text",), language_models=(LanguageModel("mini", 22),))
    >>> (ease | text).language, (ease | text).ids, (ease | Reads.unknown()).known
    (True, 'pairs', False)
    """

    ids: str = "none"
    modalities: tuple[str, ...] = ()
    language_models: tuple[LanguageModel, ...] = ()
    traits: bool = False
    known: bool = True

    def __post_init__(self) -> None:
        if self.ids not in IDS:
            raise InputError(f"ids='{self.ids}'", mend=f"one of {', '.join(IDS)}")

    @classmethod
    def unknown(cls) -> Reads:
        """Nothing is known of it."""
        return cls(known=False)

    @classmethod
    def joined(cls, parts: Iterable[Reads]) -> Reads:
        """What several models read together."""
        out = cls()
        for part in parts:
            out |= part
        return out

    def __or__(self, other: Reads) -> Reads:
        return Reads(
            max(self.ids, other.ids, key=IDS.index),
            tuple(dict.fromkeys([*self.modalities, *other.modalities])),
            tuple(dict.fromkeys([*self.language_models, *other.language_models])),
            self.traits or other.traits,
            self.known and other.known,
        )

    @property
    def language(self) -> bool:
        """Whether a language model reads text here."""
        return bool(self.language_models)

    @property
    def more_than_text(self) -> bool:
        """Whether pictures, sounds, vectors, attributes or users' traits take part, or may."""
        return self.traits or not self.known or not set(self.modalities) <= {"text"}

    @property
    def learns(self) -> bool:
        """Whether it is known to learn more than how popular an item is."""
        return self.known and (self.ids == "pairs" or bool(self.modalities))

    def __str__(self) -> str:
        said = {"counts": ["popularity"], "pairs": ["ids"]}.get(self.ids, [])
        said += [*self.modalities, *(["users' traits"] if self.traits else [])]
        if not self.known:
            return f"{', '.join(said)} at least" if said else "unknown"
        return ", ".join(said) or "nothing"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return {
            **asdict(self),
            "modalities": list(self.modalities),
            "language_models": [m.to_dict() for m in self.language_models],
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Reads:
        """What :meth:`to_dict` gave."""
        models = tuple(LanguageModel(**m) for m in told["language_models"])
        return cls(
            told["ids"],
            tuple(told["modalities"]),
            models,
            bool(told["traits"]),
            bool(told["known"]),
        )
