"""What is asked over several data sets: sets, situations, models, and how hard each is tried."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recnb.data import Dataset, Split, splits
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.recommender import Recommender

SITUATIONS: dict[str, str | None] = {"warm": None, "items": "cold_item", "users": "cold_user"}
"""Name to split: known users and items (`user_time`, `random` without an order), new items, new users."""
GROUPS = ("low", "middle", "high")
MODELS = "popularity,itemknn,ease,tfidf,ease+tfidf,text_frozen,text_joint,ease+text_frozen"


@dataclass(frozen=True)
class AcrossPlan:
    """How every data set is judged.

    Parameters
    ----------
    situations : tuple of str
        Of :data:`SITUATIONS`.
    seeds : tuple of int
        Of models that draw; values are averaged over them.
    draws : tuple of int
        Seeds by which new items and new users are drawn: which items are new is chance too.
    trials : int
        Search trials on the validation part, the same for every model.
    protocol : Protocol
        Its first metric at its first k is compared.
    test, valid : float
        Shares.
    """

    situations: tuple[str, ...] = tuple(SITUATIONS)
    seeds: tuple[int, ...] = (0,)
    draws: tuple[int, ...] = (0,)
    trials: int = 0
    protocol: Protocol = field(default_factory=lambda: Protocol(metrics=("ndcg",)))
    test: float = 0.2
    valid: float = 0.1

    def __post_init__(self) -> None:
        for name in self.situations:
            if name not in SITUATIONS:
                raise InputError(
                    f"--situations: no situation '{name}'", mend=f"one of {', '.join(SITUATIONS)}"
                )
        for given in (self.situations, self.seeds, self.draws):
            if not given or len(set(given)) < len(given):
                raise InputError(
                    f"{', '.join(map(str, given)) or 'nothing'} is asked for",
                    mend="name at least one, each once",
                )
        if self.valid <= 0:
            raise InputError(
                "there is no validation part", mend="models are chosen on it: a share above 0"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return {
            "situations": list(self.situations),
            "seeds": list(self.seeds),
            "draws": list(self.draws),
            "trials": self.trials,
            "test": self.test,
            "valid": self.valid,
            "protocol": self.protocol.to_dict(),
        }


@dataclass(frozen=True)
class Cell:
    """One data set in one situation, drawn once."""

    data: str
    situation: str
    draw: int

    @property
    def name(self) -> str:
        """As a folder and a person read it."""
        return f"{self.data} {self.situation} {self.draw}"


def cells_of(names: Sequence[str], plan: AcrossPlan) -> list[Cell]:
    """All cells, set by set, so that a set's texts are read once and its results come together."""
    return [
        Cell(data, situation, draw)
        for data in names
        for situation in plan.situations
        for draw in (plan.draws if SITUATIONS[situation] else plan.draws[:1])
    ]


def split_of(ds: Dataset, cell: Cell, plan: AcrossPlan) -> Split:
    """The split of a cell."""
    name = SITUATIONS[cell.situation] or splits.usual(ds)
    seed = {"tie_seed" if "time" in name else "seed": cell.draw}
    return splits.make(ds, name, test=plan.test, valid=plan.valid, **seed)


def read_set(name: str, read: Callable[[str], Dataset]) -> Dataset:
    """A data set by `NAME`, `NAME:CORE` (its k-core), `NAME@USERS` (so many users, drawn) or `NAME:CORE@USERS`.

    Raises
    ------
    InputError
        What stands behind the : or the @ is no whole number above 0, or the core leaves nothing.
    """
    found = re.fullmatch(r"(.+?)(?::([^:@/]*))?(?:@([^:@/]*))?", name)
    if found is None or Path(name).exists():
        return read(name)
    plain, core, users = found.groups()
    for cut in (core, users):
        if cut is not None and not (cut.isdigit() and int(cut)):
            raise InputError(
                f"'{name}': '{cut}' is no whole number above 0",
                mend="write NAME:CORE@USERS, such as my-shop:5@800",
            )
    ds = read(plain)
    if core:
        ds = ds.k_core(int(core)).with_notes(
            f"{core}-core: the filter has seen all rows, those of the test too"
        )
    return ds.sample_users(int(users)).with_notes(f"{users} users, drawn") if users else ds


def sides(models: Mapping[str, Recommender]) -> tuple[list[str], list[str]]:
    """Names of the models with a language model, and of those without.

    Raises
    ------
    InputError
        One of the two is empty, or a model does not say what it reads.
    """
    silent = [name for name, model in models.items() if not model.reads().known]
    if silent:
        raise InputError(
            f"it is not known what '{silent[0]}' reads", mend="give its class a method reads()"
        )
    with_language = [name for name, model in models.items() if model.reads().language]
    without = [name for name in models if name not in with_language]
    if not with_language or not without:
        lacking = "with a language model" if not with_language else "without a language model"
        raise InputError(
            f"--models: none {lacking}", mend="name at least one of each, such as ease,text_frozen"
        )
    return with_language, without
