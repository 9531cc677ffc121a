"""Data sets by name, folder or file: those that are read, and the worlds that are made."""

from __future__ import annotations

from pathlib import Path

from recnb.data import Dataset, catalog
from recnb.world.world import generate


def load(data: str | Path, **settings) -> Dataset:
    """Load a data set by catalogue name, folder, or file of interactions.

    Parameters
    ----------
    data : str or Path
        A name (`recnb data list`), a folder with `interactions` or in a published layout (see
        :func:`recnb.data.readers.detect.detect`), or one file of interactions.
    **settings
        Passed to :meth:`Dataset.from_frames` (`feedback`, `scale`, `duplicates`, `relevant_from`), or to the
        generator (`n_users`, `n_items`, `seed`) or the reader (`min_households`, `tag_users`) of the set.

    Raises
    ------
    InputError
        No such name or path, or the tables are wrong.

    Examples
    --------
    >>> load("generated-video", n_users=50, n_items=40).n_users
    50
    """
    entry = catalog.ENTRIES.get(str(data))
    if entry is not None and entry.kind == "generated":
        return _world(entry.name, **settings)
    return catalog.read(data, **settings)


def _world(name: str, **settings) -> Dataset:
    door = ("feedback", "scale", "duplicates", "relevant_from", "name")
    world = generate(
        name.removeprefix("generated-"), **{k: v for k, v in settings.items() if k not in door}
    )
    declared = {
        "feedback": world.feedback,
        "scale": world.scale,
        "name": name,
        "duplicates": "keep",
    }
    given = {k: v for k, v in settings.items() if k in door}
    return Dataset.from_frames(
        world.interactions, world.items, world.users, **{**declared, **given}
    ).with_notes(catalog.ENTRIES[name].note)
