"""From options to a split: what `evaluate` and `audit` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recnb.errors import InputError

if TYPE_CHECKING:
    from recnb.data import Dataset, Split


def make_split(ds: Dataset, name: str | None, test: float, valid: float, seed: int) -> Split:
    """The named split, or the default one for these data, with the options that it has."""
    from recnb.data import splits

    name = name or splits.usual(ds)
    if name not in splits.BY_NAME:
        raise InputError(f"--split: no split '{name}'", mend=f"one of {', '.join(splits.BY_NAME)}")
    settings: dict[str, Any] = {"test": test, "valid": valid}
    if name == "predefined":
        settings = {}
    elif name == "leave_one_out":
        settings = {"valid": valid > 0, "tie_seed": seed}
    else:
        settings["tie_seed" if "time" in name else "seed"] = seed
    try:
        return splits.make(ds, name, **settings)
    except InputError as error:
        clock = next((note for note in ds.notes if "looks like times" in note), None)
        if ds.order is not None or clock is None or "order" not in error.problem:
            raise
        raise InputError(error.problem, column=error.column, mend=clock) from None
