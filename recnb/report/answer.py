"""The answer in a few sentences, computed: does a language model help here?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from recnb.evaluation import Evaluation
from recnb.evaluation.protocol import LOWER_IS_BETTER
from recnb.plots.differences import SIGNIFICANT
from recnb.plots.words import decimals, metric_name, p_value, seconds
from recnb.report.numbers import count, fixed, percent, signed
from recnb.report.rows import (
    Row,
    by_model,
    cost_table,
    digits_of,
    finer_of,
    headline_rows,
    mixed,
    popular,
    readers,
    rows_of,
    unknown,
)


@dataclass(frozen=True)
class Answer:
    """What the report says first.

    Attributes
    ----------
    verdict : {"better", "worse", "null", "open", "one"}
        Of `model` against `reference`: the interval is clear of zero and so is p after Holm (better, worse);
        the interval holds zero (null); the interval is clear but p after Holm is not, or nothing can be
        tested (open); there is nothing to compare with (one).
    title : str
        The answer in a few words.
    sentences : list of str
    model, reference : str or None
        The pair that is compared.
    asked : bool
        Whether a language model was judged beside a model without one.
    row : dict
        The row of :meth:`Evaluation.compare`; empty where nothing is compared.
    """

    verdict: str
    title: str
    sentences: list[str]
    model: str
    reference: str | None
    asked: bool
    row: Row = field(default_factory=dict)


def answer(ev: Evaluation) -> Answer:
    """The best model that reads text with a language model against the strongest without one.

    Where no language model was judged (or nothing else), the best model against the next one. A model
    that has pictures, sounds, vectors or attributes beside its text is no evidence for the language model: it is told
    of apart.
    """
    key = ev.headline
    measured = [m for m in ev.models if ev.mean_over_seeds(m, key) is not None]
    with_text = [m for m in readers(ev) if m in measured]
    without = [m for m in measured if m not in with_text and m not in unknown(ev)]
    more = [m for m in mixed(ev) if m in measured]
    pure = [m for m in with_text if m not in more]
    if pure and without:
        found = _compared(ev, ev.best(key, pure), ev.best(key, without), asked=True)
        return replace(found, sentences=found.sentences + _apart(ev, more) + _not_known(ev))
    if more and without:
        found = _compared(ev, ev.best(key, more), ev.best(key, without), asked=False)
        title = f"Not told by these models: {found.model} reads more than text"
        sentences = found.sentences + _apart(ev, more) + _not_known(ev)
        return replace(found, title=title, sentences=sentences)
    best = ev.best(key)
    others = [m for m in measured if m != best]
    if not others:
        return _single(ev, best)
    return _compared(ev, best, ev.best(key, others), asked=False, only_readers=bool(with_text))


def _apart(ev: Evaluation, models: list[str]) -> list[str]:
    """What is said of models that read more than text."""
    if not models:
        return []
    model = ev.best(ev.headline, models)
    said = _value(by_model(headline_rows(ev))[model])
    return [
        f"{model}, at {said}, has more than the text, so it does not say what the language model brings: that is its "
        "difference from the same model without the text, such as fusion[modalities=image+audio]."
    ]


def _not_known(ev: Evaluation) -> list[str]:
    """What is said of models that stand on neither side."""
    if not unknown(ev):
        return []
    which = " and ".join(unknown(ev))
    return [f"It is not known what {which} reads, so it stands in the tables alone."]


def _single(ev: Evaluation, model: str) -> Answer:
    row = by_model(headline_rows(ev))[model]
    said = f"{model} reaches {name_of(ev)} {_value(row)}"
    title = "One model was judged: nothing to compare it with"
    why = "Whether a language model helps cannot be said from one model: judge popularity and a classical model too."
    return Answer("one", title, [said + ".", why], model, None, asked=False)


def _compared(
    ev: Evaluation, model: str, to: str, asked: bool, only_readers: bool = False
) -> Answer:
    found = ev.compare(to)
    row = by_model(found)[model]
    lower = ev.headline[0] in LOWER_IS_BETTER
    verdict = judge(row["difference"], row["low"], row["high"], row["p_holm"], lower)
    frame = headline_rows(ev)
    rows, digits = by_model(frame), decimals(frame["low"], frame["high"])
    base = rows[to]["value"]
    relative = f", {percent(row['difference'] / base)}" if base > 0 else ""
    roles = _roles(asked, to == popular(ev))
    first = (
        f"{model}{roles[0]}, reaches {name_of(ev)} {_value(rows[model], digits)}; "
        f"{to}{roles[1]}, {_value(rows[to], digits)}."
    )
    digits = finer_of(row)
    second = f"The difference is {signed(row['difference'], digits)}{relative}"
    if np.isfinite([row["low"], row["high"]]).all():
        low, high = signed(row["low"], digits), signed(row["high"], digits)
        correction = f"p {_equals(row['p_holm'])} after Holm over {count(len(found), 'comparison')}"
        second += f" (95 % interval {low} to {high}; {correction}; {row['n_users']:,} users)."
    else:
        second += f" ({count(row['n_users'], 'user')}: too few for an interval)."
    meaning = _meaning(verdict, model, to)
    if row["low"] == row["high"] == row["difference"] == 0:
        meaning = "Both have the same value for every user: nothing tells them apart here."
    sentences = [first, f"{second} {meaning}", *_beside(ev, model, to), *_cost(ev, model, to)]
    title = _title(verdict, asked, only_readers, model, to)
    return Answer(verdict, title, sentences, model, to, asked, row)


def judge(difference: float, low: float, high: float, p_holm: float, lower: bool = False) -> str:
    """The verdict on a difference; see :class:`Answer`.

    Examples
    --------
    >>> judge(0.1, 0.05, 0.15, 0.001), judge(0.1, 0.05, 0.15, 0.001, lower=True), judge(0.1, -0.05, 0.2, 0.3)
    ('better', 'worse', 'null')
    >>> judge(0.1, 0.01, 0.2, 0.09), judge(0.1, float("nan"), float("nan"), 1.0)
    ('open', 'open')
    """
    if not np.isfinite([low, high, p_holm]).all():
        return "open"
    if low <= 0 <= high:
        return "null"
    if p_holm >= SIGNIFICANT:
        return "open"
    return "better" if (difference < 0) == lower else "worse"


def _title(verdict: str, asked: bool, only_readers: bool, model: str, to: str) -> str:
    if asked:
        return {
            "better": "Yes, on these data it does",
            "worse": "No, on these data it does worse",
            "null": "Not shown: a null result",
            "open": "Not settled by these data",
        }[verdict]
    why = (
        "Only models with a language model were judged"
        if only_readers
        else "No language model was judged"
    )
    tail = {
        "better": f"{model} is better than {to}",
        "worse": f"{model} is worse than {to}",
        "null": f"between {model} and {to} no difference is shown",
        "open": f"between {model} and {to} nothing is settled",
    }[verdict]
    return f"{why}; {tail}"


def _roles(asked: bool, baseline: bool) -> tuple[str, str]:
    if asked:
        return (
            ", the best model that reads text with a language model",
            ", the strongest without one",
        )
    return ", the best model", ", the baseline" if baseline else ", the next"


def _meaning(verdict: str, model: str, to: str) -> str:
    return {
        "better": f"The interval is clear of zero: {model} is better.",
        "worse": f"The interval is clear of zero: {model} is worse.",
        "null": "The interval holds zero, so a difference is not shown. This is a null result: the interval "
        "says which differences the data still allow.",
        "open": "The interval and the corrected p do not agree, or cannot be had: nothing is settled.",
    }[verdict]


def _beside(ev: Evaluation, model: str, to: str) -> list[str]:
    """Where the headline ranks new items among themselves: the same within the whole catalogue."""
    metric, k, shelf = ev.headline
    key = (metric, k, "catalogue")
    if shelf == "catalogue" or key not in ev.keys:
        return []
    frame = rows_of(ev, key)
    rows, row = by_model(frame), by_model(ev.compare(to, *key))[model]
    digits, fine = decimals(frame["low"], frame["high"]), finer_of(row)
    values = [fixed(rows[m]["value"], digits) for m in (model, to)]
    ends = f"{signed(row['low'], fine)} to {signed(row['high'], fine)}"
    said = f"Within the whole catalogue {model} reaches {values[0]} and {to} {values[1]}: a difference of "
    said += f"{signed(row['difference'], fine)} ({ends}; {row['n_users']:,} users)."
    return [said] if np.isfinite([row["low"], row["high"]]).all() else []


def _cost(ev: Evaluation, model: str, to: str) -> list[str]:
    spent = dict(zip(cost_table(ev)["model"], cost_table(ev)["seconds"]))
    mine, theirs = float(spent.get(model, 0.0)), float(spent.get(to, 0.0))
    if not (mine > 0 and theirs > 0):
        return []
    ratio = mine / theirs
    times = f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}"
    how = f"{times} times as long as" if not 0.9 < ratio < 1.1 else "about as long as"
    return [
        f"To fit and score, {model} takes {how} {to} ({seconds(mine)} against {seconds(theirs)})."
    ]


def name_of(ev: Evaluation) -> str:
    """The headline as it is written, with the shelf where there is one."""
    metric, k, candidates = ev.headline
    return metric_name(metric, k) + (" among the new items" if candidates == "shelf" else "")


def _value(row: Row, digits: int | None = None) -> str:
    if digits is None:
        digits = digits_of(row)
    if not np.isfinite([row["low"], row["high"]]).all():
        return f"{fixed(row['value'], digits)} (one user, no interval)"
    return f"{fixed(row['value'], digits)} ({fixed(row['low'], digits)} to {fixed(row['high'], digits)})"


def _equals(p: float) -> str:
    said = p_value(p)
    return said if said.startswith(("<", "not")) else f"= {said}"
