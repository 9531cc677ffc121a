"""The page of `recnb attack`: how far each model can be gamed, at what cost, and what the door is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recnb.report.effect.page import Page, Section, write_page
from recnb.report.numbers import count, data, fixed, percent, signed
from recnb.report.tables import Table


def write_attacks(result: dict[str, Any], path: str | Path, command: str = "") -> Path:
    """Write attacks as one self-contained HTML file.

    Parameters
    ----------
    result : dict
        Of :func:`recnb.study.attacks.run_attacks`.
    path : str or Path
    command : str
    """
    return write_page(page(result, command), path)


def page(result: dict[str, Any], command: str) -> Page:
    """What the page shows."""
    records = result["records"]
    sections = [Section("gains", "How far does an item climb?", [_COST], [_gains(records)])]
    if result["defences"]:
        sections.append(
            Section(
                "door",
                "What is a door worth?",
                [*door(result), _DOOR],
                [_defences(result["defences"])],
            )
        )
    return Page(
        title=question(result),
        under=f"{size(result)}.",
        answer=answer(result),
        sentences=[_said(r) for r in _worst(records)],
        notes=[],
        sections=sections,
        facts=[
            ("data", f"{result['data']['name']}, {result['data']['split']} split, {result['data']['digest'][:16]}"),
            ("intervals", "95 %, bootstrap over the targets"),
            ("seed", str(result["plan"]["seed"])),
        ],
        command=command or "recnb attack",
    )  # fmt: skip


_COST = (
    "Places gained, the mean over users who have not had the item. An edit is a word written or an interaction "
    "invented; that the two cost a seller the same is a convention. Texts are read by the fitted model as they are; "
    "invented users act when a model is trained again."
)
_DOOR = (
    "The door takes out characters of no width, look-alike letters, orders, a word's fourth occurrence, and passages "
    "of five words that stand in another item's text. Its price is the change of NDCG when honest texts pass it too."
)


def question(result: dict[str, Any]) -> str:
    """What is asked."""
    return f"Can a seller game these models on {result['data']['name']}?"


def size(result: dict[str, Any]) -> str:
    """How many targets and users there were, and how many edits; where the data had fewer than asked for, both."""
    plan, used = result["plan"], result["used"]
    told = {
        name: f" (all there are; {plan[name]:,} were asked for)" if used[name] < plan[name] else ""
        for name in used
    }
    return (
        f"{count(used['targets'], 'target')} of little popularity{told['targets']}, "
        f"{count(used['users'], 'user')}{told['users']}, {plan['edits']} words or invented interactions a target"
    )


def door(result: dict[str, Any]) -> list[str]:
    """What the door is worth, a sentence a model: which attacks gain less behind it, as much, or more; its price."""
    bare = {(r["model"], r["attack"]): r for r in result["records"]}
    out = []
    for d in result["defences"]:
        kinds: dict[str, list[str]] = {"less": [], "same": [], "more": [], "few": []}
        for behind in d["gains"]:
            before = bare[d["model"], behind["attack"]]
            kinds[_change(before, behind)].append(
                f"{behind['attack']} ({signed(before['places'], 0)} to {signed(behind['places'], 0)} places, "
                f"{before['top_after']:.1%} to {behind['top_after']:.1%} of the lists)"
            )
        parts = [
            f"{words} {', '.join(kinds[kind])}" for kind, words in _WORTH.items() if kinds[kind]
        ]
        price = f"{signed(d['difference'], 4)} ({signed(d['low'], 4)} to {signed(d['high'], 4)})"
        out.append(f"{d['model']}: {'; '.join(parts)}. It changes NDCG by {price}.")
    return out


_WORTH = {
    "less": "the door is worth something against",
    "same": "the door is not shown to change",
    "more": "the door helps, by taking the disguise off,",
    "few": "there are too few targets to say of",
}


def _change(before: dict[str, Any], behind: dict[str, Any]) -> str:
    """Whether an attack clearly gains less behind the door, or more: intervals that do not meet."""
    if before["low"] is None or behind["low"] is None:
        return "few"
    if behind["high"] < before["low"]:
        return "less"
    return "more" if behind["low"] > before["high"] else "same"


def answer(result: dict[str, Any]) -> str:
    """The attacks in a line."""
    gained = [r for r in _worst(result["records"]) if _clear(r)]
    if not gained:
        return "No attack of this size is shown to gain an item places."
    worst = max(gained, key=lambda r: r["top_after"] - r["top_before"])
    return (
        f"Yes: {worst['model']} by {worst['attack']}, from {worst['top_before']:.1%} to "
        f"{worst['top_after']:.1%} of the lists."
    )


def _clear(r: dict[str, Any]) -> bool:
    return r["low"] is not None and r["low"] > 0


def _ends(r: dict[str, Any], digits: int = 1) -> str:
    """The interval over the targets, where there are enough of them."""
    if r["low"] is None:
        return "too few targets"
    return f"{signed(r['low'], digits)} to {signed(r['high'], digits)}"


def _worst(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The attack that gains most of each model."""
    out: dict[str, dict[str, Any]] = {}
    for r in records:
        if r["model"] not in out or r["places"] > out[r["model"]]["places"]:
            out[r["model"]] = r
    return list(out.values())


def _said(r: dict[str, Any]) -> str:
    shown = "gains" if _clear(r) else "is not shown to gain; the mean is"
    return (
        f"{r['model']}: {r['attack']} {shown} {signed(r['places'], 0)} places ({_ends(r, 0)}), "
        f"{signed(r['per_edit'], 2)} an edit."
    )


def _gains(records: list[dict[str, Any]]) -> Table:
    rows: list[list[Any]] = [
        [
            f"{r['model']}, {r['attack']}",
            r["how"],
            f"{r['cost']}",
            data(r["places"], signed(r["places"], 1)),
            _ends(r),
            signed(r["per_edit"], 2),
            f"{r['top_before']:.1%}",
            f"{r['top_after']:.1%}",
            f"{r['n_targets']}",
        ]
        for r in records
    ]
    heads: list[Any] = ["Model, attack", "Acts when", "Edits", "Places", "95 % interval", "An edit"]
    return Table(
        "Places gained and share of lists reached.",
        [*heads, "Lists before", "Lists after", "Targets"],
        rows,
    )


def _defences(defences: list[dict[str, Any]]) -> Table:
    rows: list[list[Any]] = []
    for d in defences:
        for gain in d["gains"]:
            price = (
                f"{signed(d['difference'], 4)} ({signed(d['low'], 4)} to {signed(d['high'], 4)})"
            )
            rows.append(
                [
                    f"{d['model']}, {gain['attack']}",
                    data(gain["places"], signed(gain["places"], 1)),
                    _ends(gain),
                    f"{gain['top_after']:.1%}",
                    fixed(d["ndcg"], 4),
                    price,
                    percent(d["difference"] / d["ndcg"]) if d["ndcg"] else "not defined",
                ]
            )
    heads: list[Any] = ["Model, attack behind the door", "Places", "95 % interval", "Lists after"]
    return Table("The same attacks behind the door.", [*heads, "NDCG", "Its change", ""], rows)
