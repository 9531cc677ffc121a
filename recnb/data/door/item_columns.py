"""Which column of a file of items or users is which, and which are left aside."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import pandas as pd

from recnb.data.door import names, values
from recnb.data.door.columns import named
from recnb.data.door.parsing import Grid
from recnb.errors import InputError


def titles(grid: Grid, item: str, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The items' titles, where the file of interactions carries them: each item's most frequent one."""
    if not grid.header:
        # Names of games or artists in place of ids are titles.
        cells_ = frame["item_id"].drop_duplicates().astype(str)
        if not cells_.str.contains(r"[A-Za-z]{2,} [A-Za-z]{2,}").mean() > 0.2:
            return None
        return pd.DataFrame({"item_id": cells_, "title": cells_}).reset_index(drop=True)
    word = names.squashed(item)
    if word in names.TITLES or word in (
        "artist",
        "track",
        "song",
        "game",
        "movie",
        "book",
        "product",
    ):
        cells_ = frame["item_id"].drop_duplicates().astype(str)
        if cells_.str.contains(r"[A-Za-z]{2,}").mean() > 0.5:
            return pd.DataFrame({"item_id": cells_, "title": cells_}).reset_index(drop=True)
        return None
    columns = [c for c in names.candidates(grid.frame.columns, names.TITLES) if c != item]
    if not columns:
        return None
    title = grid.frame[columns[0]].reindex(frame.index)
    pairs = pd.DataFrame({"item_id": frame["item_id"].astype(str), "title": title}).dropna()
    if pairs.empty or pairs.groupby("item_id")["title"].nunique().median() > 1:
        return None  # a review's title, not an item's
    counts = pairs.value_counts(sort=False).rename("n").reset_index()
    counts = counts.sort_values(["item_id", "n", "title"], ascending=[True, False, True])
    best = counts.drop_duplicates("item_id")[["item_id", "title"]]
    every = pd.DataFrame({"item_id": frame["item_id"].astype(str).unique()})
    return every.merge(best, on="item_id", how="left")


def of_entities(
    grid: Grid, key: str, chosen: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The new names of the columns of items or users that are kept; a table that has the key keeps its names."""
    header = list(grid.frame.columns)
    found = _stated_of_items(grid, chosen) if grid.header else {}
    if key in header and key not in found:
        new = {theirs: ours for ours, theirs in found.items()}
        for name in header:
            if name not in new:
                new[name] = f"{name}_" if name in new.values() else name
        return _without(grid, new, chosen), []
    if key not in found:
        groups = (names.EXACT[key], names.NAMED[key], names.IDS_OF_ITEMS)
        columns = next((c for group in groups if (c := names.candidates(header, group))), [])
        if len(columns) != 1:
            shown = ", ".join(map(str, header[:12]))
            raise InputError(
                f"column '{key}' is missing (found: {shown})",
                file=grid.file,
                mend=f"name one {key}",
            )
        found[key] = columns[0]
    return _renamed(grid, found, chosen)


def of_items(
    grid: Grid, used: set[str], chosen: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The new names of the columns that are kept; the ids are the column that the interactions know best."""
    header = list(grid.frame.columns)
    found = _stated_of_items(grid, chosen)
    if "item_id" not in found:
        overlap = {c: _share(grid.frame[c], used) for c in header}
        best = max(overlap.values())
        if best == 0:
            cell = grid.frame[header[0]].dropna().astype(str).iloc[0]
            raise InputError(
                f"no column holds ids of the interactions ('{min(used)}', say; its first cell is '{cell}')",
                file=grid.file,
                mend="give the items of these interactions",
            )
        # Counting numbers match by chance too: a usual name goes first among those that do.
        good = [c for c in header if overlap[c] > 0.9 * best]
        usual = (*names.EXACT["item_id"], *names.NAMED["item_id"], *names.IDS_OF_ITEMS)
        known = names.candidates(good, usual)
        found["item_id"] = (known or good)[0]
    if "title" not in found:
        columns = names.candidates(
            header, (*names.TITLES, "artist", "track", "song", "game", "movie")
        )
        columns = [c for c in columns if c not in found.values()]
        if not columns and not grid.header:
            columns = _wordy(grid.frame, found["item_id"])
        if columns:
            found["title"] = columns[0]
    return _renamed(grid, found, chosen)


def kept(frame: pd.DataFrame, new: Mapping[str, str]) -> pd.DataFrame:
    """The columns that have a new name, in the order of the file."""
    return frame[[c for c in frame.columns if c in new]].rename(columns=new)


def _stated_of_items(grid: Grid, chosen: Mapping[str, str]) -> dict[str, str]:
    """New names to the columns that the reader named; what is left aside is not among them.

    Raises
    ------
    InputError
        A column that the file has not, or a name that is nearly one of ours.
    """
    found: dict[str, str] = {}
    for ours, theirs in chosen.items():
        usual = ("item_id", "title", "text")
        near = get_close_matches(ours, usual, n=1, cutoff=0.75)
        if near and ours not in usual and theirs != "none":
            raise InputError(
                f"--item-columns: '{ours}' is no column of ours", mend=f"did you mean {near[0]}?"
            )
        if theirs != "none":
            found[ours] = named(grid, theirs, "--item-columns")
    return found


def _without(grid: Grid, new: dict[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """New names, by the file's, of the columns that the reader does not leave aside: by either name."""
    for name in (ours for ours, theirs in chosen.items() if theirs == "none"):
        aside = [theirs for theirs, ours in new.items() if name in (ours, str(theirs))]
        aside = aside or [t for t in new if names.squashed(t) == names.squashed(name)]
        if "item_id" in (name, *(new[theirs] for theirs in aside)):
            raise InputError("--item-columns: item_id cannot be left aside", mend="name its column")
        if not aside and name not in ("title", "text"):
            named(grid, name, "--item-columns")
        new = {theirs: ours for theirs, ours in new.items() if theirs not in aside}
    return new


def _renamed(
    grid: Grid, found: dict[str, str], chosen: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Columns that are kept to their new names; the rest in small letters, usual attributes under one name."""
    header = list(grid.frame.columns)
    new = {theirs: ours for ours, theirs in found.items()}
    texts = [c for c in names.candidates(header, names.TEXTS) if c not in new]
    if texts and "text" not in found:
        new[texts[0]] = "text"
    for ours, usual in names.ATTRIBUTES.items():
        columns = [c for c in names.candidates(header, usual) if c not in new]
        if columns and ours not in new.values():
            new[columns[0]] = ours
    for name in header:
        if name not in new:
            plain = f"column_{name}" if str(name).isdigit() else names.snake(name) or str(name)
            while plain in new.values():
                plain += "_"
            new[name] = plain
    new = _without(grid, new, chosen)
    if list(new) == header and all(ours == str(theirs) for theirs, ours in new.items()):
        return new, []
    read = [o if o == str(theirs) else f"{o} from '{theirs}'" for theirs, o in new.items()]
    notes = [f"columns: {', '.join(read[:20])}{' …' if len(read) > 20 else ''}"]
    aside = [str(name) for name in header if name not in new]
    return new, notes + ([f"columns left aside: {', '.join(aside)}"] if aside else [])


def _share(series: pd.Series, used: set[str]) -> float:
    """Of the ids that are used, how many this column has; 0 where its cells are no ids."""
    cells_, _ = values.ids(series, "item_id")
    distinct = set(cells_.dropna().astype(str).unique())
    return len(distinct & used) / len(used)


def _wordy(frame: pd.DataFrame, but: str) -> list[str]:
    """Of columns without names, the one whose cells are words and tell items apart best."""
    scores = {}
    for name in frame.columns:
        head = frame[name].dropna().astype(str).iloc[:2000]
        if name == but or head.empty:
            continue
        letters = float(head.str.contains(r"[^\W\d_]{3,}").mean())
        ids = head.str.fullmatch(r"(?=.*\d)[A-Za-z0-9_\-]{8,}").mean() > 0.5
        if ids or head.str.match(r"\w+://").any():  # other ids, addresses
            letters = 0.0
        dated = head.str.fullmatch(r"\d\d-\w{3}-\d{4}").mean()
        scores[name] = letters * head.nunique() / len(head) * (1 - dated)
    best = max(scores, key=lambda n: scores[n], default=None)
    return [best] if best is not None and scores[best] > 0.3 else []
