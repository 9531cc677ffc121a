"""What is shown, clicked, taken and liked: one pass through time with known probabilities.

In each period a user makes some visits. In a visit the system shows cards, each drawn with replacement
from a policy over the shelf (a card may come round again), so that the propensity of a card is exactly
the policy's probability. A card is looked at with a probability that falls with its position, then
clicked, taken (converted) and found satisfying with probabilities that follow from the affinity.
Besides, users find items by themselves, at rates that follow from taste and appeal.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import expit, ndtr

from recnb.world.settings import WorldSettings
from recnb.world.tastes import Items, Users, turn

CLICK = (-1.6, 1.0, 0.6)  # intercept, affinity, bait
CONVERSION = (-0.4, 0.9, 0.0)
RATING_MEAN, RATING_SLOPE, RATING_NOISE, RATING_BAIT = 2.7, 0.75, 0.7, -0.2


@dataclass(frozen=True)
class Log:
    """Rows of events; user and item are codes, ``time`` is a share of the whole time."""

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class History:
    """All that happened, and the truth at the end.

    Arrays of shape (n_users, n_items), but for ``leniency`` (n_users,).
    """

    shown: Log
    found: Log
    affinity: np.ndarray
    pleasure: np.ndarray
    leniency: np.ndarray
    click: np.ndarray
    conversion: np.ndarray
    satisfaction: np.ndarray
    policy: np.ndarray
    demand: np.ndarray
    propensity: np.ndarray


def examination(cards: int) -> np.ndarray:
    """Probability that the card at each position is looked at: 1 over the root of the position.

    Examples
    --------
    >>> examination(4).round(3).tolist()
    [1.0, 0.707, 0.577, 0.5]
    """
    return np.arange(1, cards + 1) ** -0.5


def click_probability(affinity: np.ndarray, bait: np.ndarray) -> np.ndarray:
    """Probability of a click on a card that is looked at."""
    return expit(CLICK[0] + CLICK[1] * affinity + CLICK[2] * bait)


def conversion_probability(affinity: np.ndarray) -> np.ndarray:
    """Probability that a clicked item is taken: watched, bought, read, followed or played."""
    return expit(CONVERSION[0] + CONVERSION[1] * affinity)


def pleasure_of(affinity: np.ndarray, bait: np.ndarray, leniency: np.ndarray) -> np.ndarray:
    """Mean of the pleasure, in stars before rounding."""
    return RATING_MEAN + RATING_SLOPE * affinity + RATING_BAIT * bait + leniency


def satisfaction_probability(pleasure: np.ndarray) -> np.ndarray:
    """Probability that a taken item satisfies: pleasure and its noise round to 4 stars or more."""
    return ndtr((pleasure - 3.5) / RATING_NOISE)


def expected_rating(pleasure: np.ndarray) -> np.ndarray:
    """Mean of the rating: pleasure plus normal noise, rounded and held within 1 to 5.

    Examples
    --------
    >>> expected_rating(np.array([-9.0, 3.0, 9.0])).round(6).tolist()
    [1.0, 3.0, 5.0]
    """
    cuts = np.arange(1.5, 5.0)
    return 1.0 + sum(ndtr((pleasure - cut) / RATING_NOISE) for cut in cuts)


def stars(pleasure: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw ratings of 1 to 5 for a given mean pleasure."""
    noisy = pleasure + RATING_NOISE * rng.standard_normal(len(pleasure))
    return np.clip(np.floor(noisy + 0.5), 1, 5)


def publication(n_items: int, settings: WorldSettings, rng: np.random.Generator) -> np.ndarray:
    """Draw when each item is published, as a share of the period; below 0: before the start."""
    shelf = -3.0 * rng.random(n_items) - 1e-3 if settings.half_life is None else (
        -0.1 * rng.random(n_items)
    )  # fmt: skip
    kind = rng.permutation(n_items)
    n_cold = min(round(settings.cold_share * n_items), n_items - 1)
    n_new = min(round(settings.new_share * n_items), n_items - 1 - n_cold)  # one on the shelf
    fresh = rng.random(n_items) * 0.98
    cold = 0.98 + 0.02 * rng.random(n_items)
    return np.where(kind < n_cold, cold, np.where(kind < n_cold + n_new, fresh, shelf))


def live(
    users: Users, items: Items, published: np.ndarray, settings: WorldSettings,
    rng: np.random.Generator,
) -> History:  # fmt: skip
    """Let the whole time pass.

    Parameters
    ----------
    users, items : Users, Items
    published : ndarray of shape (n_items,)
        From `publication`.
    settings : WorldSettings
    rng : numpy.random.Generator

    Returns
    -------
    History
    """
    shape = (len(users.early), len(items.vectors))
    # einsum without BLAS: the same bytes with any number of threads.
    early, late, wrong = (
        np.einsum("ud,id->ui", taste, items.vectors)
        for taste in (users.early, users.late, rng.standard_normal(users.early.shape))
    )
    leniency = 0.35 * rng.standard_normal((shape[0], 1))
    habit = settings.habit * rng.standard_normal(shape) if settings.repeats else np.zeros((1, 1))
    appeal = settings.exposure_bias * items.appeal

    def world_at(moment: float, interest: np.ndarray, shelf: np.ndarray) -> tuple[np.ndarray, ...]:
        """Affinity, share of what users find alone, and policy of the system."""
        now, then = turn(settings, moment)
        affinity = now * early + then * late + settings.quality * items.quality
        wanted = np.exp(settings.choosiness * affinity + appeal + habit) * interest
        wanted /= np.maximum(wanted.sum(axis=1, keepdims=True), 1e-300)
        # The system sees taste through a blur as large as taste itself.
        policy = np.exp(settings.personalisation * (affinity + wrong) + appeal) * interest * shelf
        policy *= (1 - settings.exploration) / policy.sum(axis=1, keepdims=True)
        policy += settings.exploration / shelf.sum() * shelf
        return affinity, wanted, policy

    visits, times = _visits(shape[0], settings, rng)
    bounds = np.linspace(0.0, 1.0, settings.periods + 1)
    patience = rng.standard_exponential(shape)  # first arrival of a Poisson process: no repeats
    passed, unseen = np.zeros(shape), np.zeros(shape)
    shown: list[Log] = []
    found: list[Log] = []
    for period, (begin, end) in enumerate(pairwise(bounds.tolist())):
        interest, shelf = _interest(published, begin, end, settings), published <= begin
        affinity, wanted, policy = world_at((begin + end) / 2, interest, shelf)
        n_visits = visits[:, period]
        rate = wanted * (settings.found * n_visits)[:, None]
        if settings.repeats:
            count = rng.poisson(rate)
        else:
            count = (passed < patience).astype(np.int64)
            passed += rate
            count *= passed >= patience
        user, item = np.nonzero(count)
        values = {"count": count[user, item], "affinity": affinity[user, item]}
        found.append(Log(user, item, _moments(user, item, period, visits, times, published, rng),
                         values))  # fmt: skip
        shown.append(_show(policy, affinity, period, visits, times, settings, rng))
        unseen += (n_visits * settings.cards)[:, None] * np.log1p(-np.minimum(policy, 1 - 1e-12))

    end_interest = _interest(published, 1.0, 1.0, settings)
    affinity, wanted, policy = world_at(1.0, end_interest, np.ones(shape[1], bool))
    pleasure = pleasure_of(affinity, items.bait, leniency)
    return History(
        shown=_react(_join(shown), items, leniency, settings, rng),
        found=_join(found), affinity=affinity, pleasure=pleasure,
        leniency=leniency[:, 0],
        click=click_probability(affinity, items.bait),
        conversion=conversion_probability(affinity),
        satisfaction=satisfaction_probability(pleasure),
        policy=policy, demand=wanted, propensity=-np.expm1(unseen),
    )  # fmt: skip


def _visits(
    n_users: int, settings: WorldSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Number of visits, shape (n_users, periods), and the time of each, user by user."""
    activity = settings.visits * np.exp(settings.activity_spread * rng.standard_normal(n_users))
    joined = np.where(rng.random(n_users) < settings.late_users, rng.random(n_users), 0.0)
    bounds = np.linspace(0.0, 1.0, settings.periods + 1)
    present = np.clip((bounds[1:] - joined[:, None]) * settings.periods, 0.0, 1.0)
    visits = rng.poisson(activity[:, None] * present / settings.periods)
    # Everybody comes at least once, in the first period after joining: no user without a trace.
    first = np.minimum((joined * settings.periods).astype(int), settings.periods - 1)
    rows = np.arange(n_users)
    visits[rows, first] = np.maximum(visits[rows, first], 1)
    period = np.repeat(np.tile(np.arange(settings.periods), n_users), visits.ravel())
    since = np.repeat(np.repeat(joined, settings.periods), visits.ravel())
    begin = np.maximum(period / settings.periods, since)
    times = begin + rng.random(len(period)) * ((period + 1) / settings.periods - begin)
    return visits, times


def _interest(
    published: np.ndarray, begin: float, end: float, settings: WorldSettings
) -> np.ndarray:
    """Weight of each item: the part of the period it is out, times how fresh it still is."""
    span = end - begin
    out = np.clip((end - published) / span, 0.0, 1.0) if span else (published <= end) * 1.0
    if settings.half_life is None:
        return out
    middle = (np.maximum(published, begin) + end) / 2
    age = np.maximum(middle - published, 0.0) * settings.days
    return out * 0.5 ** (age / settings.half_life)


def _moments(
    user: np.ndarray, item: np.ndarray, period: int, visits: np.ndarray, times: np.ndarray,
    published: np.ndarray, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Put events into visits of the period, not before the item is published."""
    periods = visits.shape[1]
    start = np.concatenate([[0], np.cumsum(visits.ravel())[:-1]]).reshape(visits.shape)
    draw, late = rng.random((2, len(user)))
    time = times[start[user, period] + (draw * visits[user, period]).astype(int)]
    end = (period + 1) / periods
    return np.where(time < published[item], published[item] + late * (end - published[item]), time)


def _show(
    policy: np.ndarray, affinity: np.ndarray, period: int, visits: np.ndarray,
    times: np.ndarray, settings: WorldSettings, rng: np.random.Generator,
) -> Log:  # fmt: skip
    """Draw the cards of all visits of a period from the policy."""
    n_users, n_items = policy.shape
    cards = settings.cards
    start = np.concatenate([[0], np.cumsum(visits.ravel())[:-1]]).reshape(visits.shape)
    user = np.repeat(np.arange(n_users), visits[:, period] * cards)
    # One search in all rows at once: row u of the cumulated policy lies between u and u + 1.
    stairs = np.cumsum(policy, axis=1)
    stairs = np.minimum(stairs / stairs[:, -1:], 1.0) + np.arange(n_users)[:, None]
    drawn = np.searchsorted(stairs.ravel(), user + rng.random(len(user)), side="right")
    item = np.minimum(drawn - user * n_items, n_items - 1)
    within = np.arange(len(user)) - np.repeat(
        np.cumsum(visits[:, period] * cards) - visits[:, period] * cards, visits[:, period] * cards
    )
    visit = start[user, period] + within // cards
    values = {
        "visit": visit, "position": within % cards + 1, "propensity": policy[user, item],
        "affinity": affinity[user, item],
    }  # fmt: skip
    return Log(user, item, times[visit], values)


def _react(
    log: Log, items: Items, leniency: np.ndarray, settings: WorldSettings,
    rng: np.random.Generator,
) -> Log:  # fmt: skip
    """Let users look at, click, take and enjoy the cards; keep the probabilities beside."""
    v = log.values
    look = examination(settings.cards)[v["position"] - 1]
    p_click = look * click_probability(v["affinity"], items.bait[log.item])
    p_take = conversion_probability(v["affinity"])
    pleasure = pleasure_of(v["affinity"], items.bait[log.item], leniency[log.user, 0])
    draw = rng.random((2, len(look)))
    click = draw[0] < p_click
    taken = click & (draw[1] < p_take)
    rating = stars(pleasure, rng)
    extra = {
        "click": click, "conversion": taken, "satisfaction": taken & (rating >= 4),
        "click_probability": p_click, "conversion_probability": p_take,
        "satisfaction_probability": satisfaction_probability(pleasure), "rating": rating,
    }  # fmt: skip
    return Log(log.user, log.item, log.time, v | extra)


def _join(logs: list[Log]) -> Log:
    """Put the logs of all periods into one."""

    def join(parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts)

    return Log(
        user=join([log.user for log in logs]),
        item=join([log.item for log in logs]),
        time=join([log.time for log in logs]),
        values={name: join([log.values[name] for log in logs]) for name in logs[0].values},
    )
