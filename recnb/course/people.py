"""People and things: one user's history and the lists that models made for them, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Split
from recnb.errors import InputError
from recnb.evaluation import Evaluation
from recnb.evaluation.people import first_events

LONGEST = 60  # characters of a title
WIDGET = "application/vnd.jupyter.widget-view+json"
CELL = "vertical-align:top;text-align:left;padding:2px 14px 2px 0"
HIT = "background:#dff0e4;font-weight:600"
Why = Callable[[str, str, str], str]  # model, user id, item id -> what moved the score


@dataclass(frozen=True)
class UserLists:
    """What a user knew, what they took later, and what each model listed for them.

    Attributes
    ----------
    user : str
    known, later : tuple of (item id, title)
        Newest first; in the order of taking.
    lists : dict of str to tuple of (item id, title)
        One list per model, best first.
    n_known, n_later : int
        How many items there are, shown or not.
    hit_items : frozenset of str
        Those of the later items that count where they are listed: not what was disliked, and not what must not be
        listed again.
    why : dict of (model, item id) to str
        What moved a score, where it was asked for.
    """

    user: str
    known: tuple[tuple[str, str], ...]
    later: tuple[tuple[str, str], ...]
    lists: dict[str, tuple[tuple[str, str], ...]]
    n_known: int
    n_later: int
    hit_items: frozenset[str]
    why: Mapping[tuple[str, str], str]

    def hits(self, model: str) -> int:
        """How many items of a model's list count as hits."""
        return sum(item in self.hit_items for item, _ in self.lists[model])

    def _columns(self) -> dict[str, list[tuple[str, bool, str]]]:
        """Heading to (title, hit, reason), the longest list decides the height."""
        known = [(title, False, "") for _, title in self.known]
        later = [(title, item in self.hit_items, "") for item, title in self.later]
        columns = {
            f"known before ({self.n_known} items)": known,
            f"taken later ({self.n_later})": later,
        }
        for model, listed in self.lists.items():
            columns[f"{model}: {self.hits(model)} of {len(listed)}"] = [
                (title, item in self.hit_items, self.why.get((model, item), ""))
                for item, title in listed
            ]
        return columns

    def _legend(self) -> str:
        if not any(self.lists.values()):
            return "Not judged: nothing that counts was taken later, so there are no lists."
        if len(self.hit_items) < self.n_later:
            return "Marked ✓: taken later, and it counts (liked, and not known before)."
        return "Marked ✓: in the list, and taken later."

    def __repr__(self) -> str:
        columns = {
            name: [f"{'✓ ' if hit else ''}{title}" for title, hit, _ in cells]
            for name, cells in self._columns().items()
            if cells
        }
        height = max(map(len, columns.values()), default=0)
        frame = pd.DataFrame(
            {name: cells + [""] * (height - len(cells)) for name, cells in columns.items()}
        )
        return f"user {self.user}\n{frame.to_string(index=False)}"

    def _repr_html_(self) -> str:
        columns = {name: cells for name, cells in self._columns().items() if cells}
        height = max(map(len, columns.values()), default=0)
        head = "".join(f'<th style="{CELL}">{escape(name)}</th>' for name in columns)
        rows = []
        for at in range(height):
            cells = (
                _cell(cells[at]) if at < len(cells) else "<td></td>" for cells in columns.values()
            )
            rows.append(f"<tr>{''.join(cells)}</tr>")
        return (
            f"<p>User <b>{escape(self.user)}</b>. {self._legend()}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        )


def _cell(cell: tuple[str, bool, str]) -> str:
    title, hit, reason = cell
    said = f"{'✓ ' if hit else ''}{escape(title)}"
    said += f"<br><small>{escape(reason)}</small>" if reason else ""
    return f'<td style="{CELL};{HIT if hit else ""}">{said}</td>'


def lists_of(
    ev: Evaluation,
    user: str,
    split: Split | None = None,
    *,
    models: Sequence[str] | None = None,
    n: int = 10,
    n_known: int = 10,
    candidates: str | None = None,
    why: Why | None = None,
) -> UserLists:
    """Show one user: history, what was taken later, and models' lists side by side, hits marked.

    Parameters
    ----------
    ev : Evaluation
    user : str
        An id; `example_user` finds one worth looking at. A user who was not judged, having taken nothing that
        counts, is shown without lists.
    split : Split, optional
        What was judged; gives titles and history where the evaluation does not carry them.
    models : sequence of str, optional
        Default: all, in the order of judging. The first seed of each is shown.
    n, n_known : int
        At most so many items of a list, and of history and later items.
    candidates : {"catalogue", "shelf"}, optional
        Default: those of the headline.
    why : callable, optional
        ``why(model, user, item)`` returns what moved the score (words, items), shown under the title.

    Raises
    ------
    InputError
        An unknown user or model.
    """
    place = candidates or ev.headline[2]
    lists = ev.lists[(ev.lists["candidates"] == place) & (ev.lists["user_id"] == user)]
    lists = first_events(lists)
    titles = _titles(ev, split)
    known, later = _history(ev, split, user)
    counting = frozenset(_targets(ev, split, user))
    if lists.empty and not known and not later:
        raise InputError(f"no lists of user '{user}'", mend="take one of ev.lists['user_id']")
    shown: dict[str, tuple[tuple[str, str], ...]] = {}
    reasons: dict[tuple[str, str], str] = {}
    for model in models or ev.models:
        if model not in ev.models:
            raise InputError(f"no list of model '{model}'", mend=f"one of {', '.join(ev.models)}")
        mine = lists[(lists["model"] == model) & (lists["seed"] == ev.seeds(model)[0])]
        mine = mine.sort_values("rank").head(n)
        shown[model] = tuple((item, titles(item)) for item in mine["item_id"])
        if why is not None:
            reasons |= {(model, item): why(model, user, item) for item in mine["item_id"]}
    return UserLists(
        user,
        tuple((item, titles(item)) for item in known[:n_known]),
        tuple((item, titles(item)) for item in later[:n_known]),
        shown,
        len(known),
        len(later),
        counting,
        reasons,
    )


def example_user(
    ev: Evaluation, better: str, than: str | None = None, *, seed: int = 0, rank: float = 0.9
) -> str:
    """Find a user who shows what the numbers say, without looking for the rarest one.

    Parameters
    ----------
    ev : Evaluation
    better, than : str
        The user for whom `better` has the larger value of the headline; without `than` compared with zero.
    seed : int
        Of the draw among equals.
    rank : float
        Which user in the order of the difference: 0.5 is the middle one, 1 the one with the largest difference.
    """
    key = ev.headline
    values = ev.per_user
    values = values[(values["metric"] == key[0]) & (values["candidates"] == key[2])]
    values = values if key[1] is None else values[values["k"] == key[1]]
    table = values.pivot_table(index="user_id", columns="model", values="value", aggfunc="mean")
    gap = table[better] - (table[than] if than else 0.0)
    shuffled = np.random.default_rng(seed).permutation(gap.sort_index().index.to_numpy())
    ordered = gap.loc[shuffled].sort_values(kind="stable")
    return str(ordered.index[round(rank * (len(ordered) - 1))])


@dataclass(frozen=True)
class Browser:
    """Lists of any user, to be looked through where widgets run; a static table where they do not."""

    show: Callable[[str], UserLists]
    users: tuple[str, ...]

    def __repr__(self) -> str:
        return repr(self.show(self.users[0]))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        first = self.show(self.users[0])
        static = {"text/plain": repr(first), "text/html": first._repr_html_()}
        try:
            widget = self.widget()
        except ImportError:
            return static
        view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
        return {**static, WIDGET: view}

    def widget(self) -> Any:
        """A menu of users above their lists (ipywidgets)."""
        widgets = import_module("ipywidgets")
        menu = widgets.Dropdown(options=self.users, description="User")
        page = widgets.HTML(self.show(self.users[0])._repr_html_())

        def turn(change: Mapping[str, Any]) -> None:
            page.value = self.show(change["new"])._repr_html_()

        menu.observe(turn, names="value")
        return widgets.VBox([menu, page])


def browse(
    ev: Evaluation,
    split: Split | None = None,
    *,
    first: str | None = None,
    n_users: int = 50,
    seed: int = 0,
    **shown: Any,
) -> Browser:
    """Look through the lists of many users; stored outputs and plain pages show the first.

    Parameters
    ----------
    ev, split
        As in `lists_of`.
    first : str, optional
        The user who is shown first.
    n_users : int
        So many users, drawn with `seed`, are in the menu.
    **shown
        As in `lists_of`: models, n, n_known, candidates, why.
    """
    place = shown.get("candidates") or ev.headline[2]
    there = np.sort(ev.lists.loc[ev.lists["candidates"] == place, "user_id"].unique())
    if not len(there):
        raise InputError("the evaluation holds no lists", mend="judge a metric of lists")
    drawn = np.random.default_rng(seed).choice(there, min(n_users, len(there)), replace=False)
    users = tuple(dict.fromkeys([*([first] if first else []), *map(str, drawn)]))
    return Browser(lambda user: lists_of(ev, user, split, **shown), users)


def _titles(ev: Evaluation, split: Split | None) -> Callable[[str], str]:
    known: Mapping[Any, Any] = ev.titles
    if split is not None and "title" in split.dataset.items:
        known = split.dataset.items["title"].to_dict()

    def title(item: str) -> str:
        said = known.get(item)
        text = " ".join(str(item if said is None or pd.isna(said) else said).split())
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

    return title


def _history(ev: Evaluation, split: Split | None, user: str) -> tuple[list[str], list[str]]:
    """Known items, the newest first, and those of the test part, the first one first; each once."""
    if split is not None:
        if user not in split.dataset.users.index:
            return [], []
        code = split.dataset.users.index.get_loc(user)
        known = _rows(split.history.interactions, code, split.dataset.item_ids)
        later = _rows(split.test.interactions, code, split.dataset.item_ids)
    elif ev.split_frame is not None:
        mine = ev.split_frame[ev.split_frame["user_id"] == user]
        order = next((c for c in ("timestamp", "position") if c in mine), None)
        mine = mine.sort_values(order, kind="stable") if order else mine
        test = (mine["part"] == "test").to_numpy()
        known, later = mine.loc[~test, "item_id"].tolist(), mine.loc[test, "item_id"].tolist()
    else:
        return [], []
    return list(dict.fromkeys(known[::-1])), list(dict.fromkeys(later))


def _targets(ev: Evaluation, split: Split | None, user: str) -> list[str]:
    """The user's test items that the judge counts; where the evaluation does not carry them, by the same rule."""
    frame = ev.split_frame
    if frame is not None and "target" in frame:
        mine = (frame["user_id"] == user) & frame["target"].astype(bool)
        return frame.loc[mine, "item_id"].tolist()
    if split is None or user not in split.dataset.users.index:
        return []
    protocol = ev.settings.get("protocol", {})
    split = split.with_dataset(split.dataset.with_relevance(protocol.get("relevant_from")))
    code = split.dataset.users.index.get_loc(user)
    relevant = set(split.test.positives()[[code]].indices)
    if protocol.get("repeats", "exclude") == "exclude":
        relevant -= set(split.history.pairs()[[code]].indices)
    return [str(split.dataset.item_ids[item]) for item in sorted(relevant)]


def _rows(interactions: pd.DataFrame, user: Any, item_ids: np.ndarray) -> list[str]:
    mine = interactions[interactions["user"] == user]
    order = next((c for c in ("timestamp", "position") if c in mine), None)
    mine = mine.sort_values(order, kind="stable") if order else mine
    return [str(item) for item in np.asarray(item_ids)[mine["item"].to_numpy()]]
