"""Estimators against the papers' formulas, written out as loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.effect.logs import Log
from recnb.effect.policy import (
    SLATE_ESTIMATORS,
    ItemRewards,
    Rows,
    Settings,
    TablePolicy,
    estimate,
    parts,
    row_pairs,
    showings,
    slate_parts,
)
from recnb.effect.policy.rewards import folds_of
from recnb.errors import InputError

N_CONTEXTS, N_ITEMS, PLACES, SLATES = 5, 6, 3, 400


def drawn(seed: int = 0, places: int = PLACES):
    """A log of slates, the logging and the judged chances, and a table of expected outcomes."""
    rng = np.random.default_rng(seed)
    behaviour = rng.dirichlet(np.ones(N_ITEMS), (places, N_CONTEXTS))
    judged = rng.dirichlet(np.ones(N_ITEMS), (places, N_CONTEXTS))
    rewards = rng.random((places, N_CONTEXTS, N_ITEMS))
    rows = []
    for slate in range(SLATES):
        context = int(rng.integers(N_CONTEXTS))
        for place in range(places):
            item = int(rng.choice(N_ITEMS, p=behaviour[place, context]))
            click = float(rng.random() < rewards[place, context, item])
            rows.append((slate, context, place, item, behaviour[place, context, item], click))
    return rows, judged, rng.random((places, N_CONTEXTS, N_ITEMS))


def by_hand(rows, judged, q, clip, switch):
    """Row by row and slate by slate, as the papers write them."""
    n = len(rows)
    total = dict.fromkeys(("dm", "ips", "clipped", "dr", "switch_dr", "snips"), 0.0)
    weights = 0.0
    for _, x, at, a, p, r in rows:
        w = judged[at, x, a] / p
        v = sum(judged[at, x, b] * q[at, x, b] for b in range(N_ITEMS))
        total["dm"] += v / n
        total["ips"] += w * r / n
        total["clipped"] += min(w, clip) * r / n
        total["snips"] += w * r
        total["dr"] += (v + w * (r - q[at, x, a])) / n
        total["switch_dr"] += (v + (w * (r - q[at, x, a]) if w <= switch else 0)) / n
        weights += w
    total["snips"] /= weights
    slates = dict.fromkeys(SLATE_ESTIMATORS, 0.0)
    for s in range(SLATES):
        places = sorted((row for row in rows if row[0] == s), key=lambda row: row[2])
        ws = [judged[at, x, a] / p for _, x, at, a, p, _ in places]
        rs = [row[5] for row in places]
        vs = [
            sum(judged[at, x, b] * q[at, x, b] for b in range(N_ITEMS))
            for _, x, at, _, _, _ in places
        ]
        slates["standard"] += np.prod(ws) * sum(rs) / SLATES
        for at, (_, x, place, a, _, r) in enumerate(places):
            slates["independent"] += ws[at] * r / SLATES
            upto, before = np.prod(ws[: at + 1]), np.prod(ws[:at])
            slates["reward_interaction"] += upto * r / SLATES
            # Kiyohara et al. 2022: Q of this place and of all that follow.
            action_value = q[place, x, a] + sum(vs[at + 1 :])
            state_value = vs[at] + sum(vs[at + 1 :])
            slates["cascade_dr"] += (upto * (r - action_value) + before * state_value) / SLATES
    return total, slates


def as_log(rows) -> Log:
    frame = pd.DataFrame(
        rows, columns=["slate_id", "context", "place", "item", "propensity", "click"]
    )
    return Log.from_frame(
        pd.DataFrame(
            {
                "slate_id": frame["slate_id"].astype(str),
                "context": "c" + frame["context"].astype(str),
                "position": frame["place"] + 1,
                "item_id": "i" + frame["item"].astype(str),
                "propensity": frame["propensity"],
                "click": frame["click"],
            }
        ).sample(frac=1, random_state=1),
        items=[f"i{at}" for at in range(N_ITEMS)],
    )


class Given:
    """A reward model that knows its table already."""

    positional = True

    def __init__(self, q):
        self.q = q

    def fit(self, log, outcome, rows):
        return self

    def predict(self, contexts, position):
        return self.q[position - 1, contexts]


@pytest.mark.parametrize("seed", range(3))
def test_estimates_are_those_of_the_formulas(seed):
    rows, judged, q = drawn(seed)
    log = as_log(rows)
    clip, switch = 1.5, 2.0
    policy = TablePolicy({place + 1: judged[place] for place in range(PLACES)})
    shown = showings(log, policy, log.outcome("click"), Given(q))
    pairs = row_pairs(log, shown, log.outcome("click"), Settings(clip=clip, switch=switch))
    total, slates = by_hand(rows, judged, q, clip, switch)
    for name, value in total.items():
        a, b = pairs[name]
        assert a.sum() / b.sum() == pytest.approx(value, abs=1e-9), name
    for name in ("reward_interaction", "cascade_dr"):
        a, b = pairs[name]
        assert a.sum() / b.sum() * PLACES == pytest.approx(slates[name], abs=1e-9), name
    flat = Rows(shown.chance / log.propensity, log.outcome("click"), shown.expected, shown.value)
    for name in SLATE_ESTIMATORS[:3]:
        a, b = slate_parts(name, flat, log.slate, log.position)
        assert a.sum() / b.sum() == pytest.approx(slates[name], abs=1e-9), name


def test_slates_of_unequal_length():
    """A slate that ends early multiplies the weights it has."""
    rows = Rows(np.array([2.0, 3.0, 5.0]), np.ones(3), np.zeros(3), np.zeros(3))
    slate, place = np.array([1, 0, 1]), np.array([2, 1, 1])
    assert slate_parts("standard", rows, slate, place)[0].tolist() == [3.0, 20.0]
    assert slate_parts("reward_interaction", rows, slate, place)[0].tolist() == [3.0, 15.0]


def test_a_row_never_judges_what_it_taught():
    """The reward model of a fold has not seen its units."""
    log = as_log(drawn()[0])
    seen = []

    class Watching(ItemRewards):
        def fit(self, log, outcome, rows):
            seen.append(rows)
            return super().fit(log, outcome, rows)

    policy = TablePolicy({0: np.full((N_CONTEXTS, N_ITEMS), 1 / N_ITEMS)})
    showings(log, policy, log.outcome("click"), Watching(), folds=4, seed=3)
    fold = folds_of(log.unit, 4, 3)
    assert len(seen) == 4
    for at, rows in enumerate(seen):
        assert not set(log.unit[rows]) & set(log.unit[fold == at])
        assert set(log.unit[rows]) | set(log.unit[fold == at]) == set(log.unit)


def test_no_model_no_doubly_robust():
    rows = Rows(np.ones(2), np.ones(2))
    for name in ("dm", "dr", "switch_dr"):
        with pytest.raises(InputError, match="needs a reward model"):
            parts(name, rows)


def test_the_logging_policy_judged_on_its_own_log_earns_the_mean():
    rows, _, _ = drawn()
    log = as_log(rows)
    behaviour = np.zeros((PLACES, N_CONTEXTS, N_ITEMS))
    generator = np.random.default_rng(0)
    behaviour = generator.dirichlet(np.ones(N_ITEMS), (PLACES, N_CONTEXTS))
    policy = TablePolicy({place + 1: behaviour[place] for place in range(PLACES)})
    result = estimate(log, {"same": policy})
    for name in ("ips", "snips", "clipped"):
        assert result.value("same", "click", name).value == pytest.approx(
            log.mean("click"), abs=1e-12
        )
    assert result.compare(estimator="ips")["difference"].abs().max() < 1e-12
