"""Before an experiment: how many users, how many days, and what it could find."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import norm

from recnb.errors import InputError


@dataclass(frozen=True)
class Plan:
    """What an experiment needs.

    Attributes
    ----------
    lift : float
        Relative change that is to be found.
    users_per_arm, days : int
        `days` is None without a number of users a day.
    alpha, power : float
    """

    lift: float
    users_per_arm: int
    days: int | None
    alpha: float
    power: float


def users_needed(
    mean: float,
    sd: float,
    lift: float,
    alpha: float = 0.05,
    power: float = 0.8,
    comparisons: int = 1,
    reduction: float = 0.0,
) -> int:
    """Users an arm that find a relative change of the mean.

    Parameters
    ----------
    mean, sd : float
        Of the metric a user, in the control.
    lift : float
        Relative, such as .02 for two per cent.
    alpha, power : float
        Two-sided level, and the chance of finding the change.
    comparisons : int
        Arms times metrics that are tested together (Bonferroni, a bound for Holm).
    reduction : float in [0, 1)
        Share of the variance that CUPED takes away.

    Raises
    ------
    InputError
        A number out of its range.

    Examples
    --------
    >>> users_needed(mean=0.1, sd=0.3, lift=0.1)
    14128
    """
    _check(mean, sd, lift, alpha, power, reduction)
    z = norm.ppf(1 - alpha / (2 * comparisons)) + norm.ppf(power)
    return math.ceil(2 * (1 - reduction) * (z * sd / (lift * mean)) ** 2)


def smallest_lift(
    mean: float,
    sd: float,
    users_per_arm: int,
    alpha: float = 0.05,
    power: float = 0.8,
    comparisons: int = 1,
    reduction: float = 0.0,
) -> float:
    """The relative change that so many users find, with the given power.

    Examples
    --------
    >>> round(smallest_lift(mean=0.1, sd=0.3, users_per_arm=14128), 4)
    0.1
    """
    _check(mean, sd, 1.0, alpha, power, reduction)
    if users_per_arm < 2:
        raise InputError(f"{users_per_arm} users an arm", mend="at least two")
    z = norm.ppf(1 - alpha / (2 * comparisons)) + norm.ppf(power)
    return float(z * sd * math.sqrt(2 * (1 - reduction) / users_per_arm) / abs(mean))


def plan(
    mean: float,
    sd: float,
    lift: float,
    users_a_day: float | None = None,
    arms: int = 2,
    **settings: float,
) -> Plan:
    """Users an arm and days for a change to be found; `settings` are those of :func:`users_needed`.

    Parameters
    ----------
    users_a_day : float, optional
        New users a day, over all arms.

    Examples
    --------
    >>> plan(0.1, 0.3, 0.1, users_a_day=2000).days
    15
    """
    n = users_needed(mean, sd, lift, **settings)  # type: ignore[arg-type]
    days = None
    if users_a_day is not None:
        if not users_a_day > 0:
            raise InputError(f"{users_a_day} users a day", mend="give a number above 0")
        days = math.ceil(n * arms / users_a_day)
    return Plan(lift, n, days, settings.get("alpha", 0.05), settings.get("power", 0.8))


def _check(
    mean: float, sd: float, lift: float, alpha: float, power: float, reduction: float
) -> None:
    if mean == 0 or not sd > 0:
        raise InputError(
            f"mean {mean:g} and standard deviation {sd:g}",
            mend="a relative change needs a mean other than 0 and values that vary",
        )
    if lift == 0:
        raise InputError("a lift of 0", mend="name the smallest change that matters")
    for name, value in (("alpha", alpha), ("power", power)):
        if not 0 < value < 1:
            raise InputError(f"{name}={value}", mend="give a share between 0 and 1")
    if not 0 <= reduction < 1:
        raise InputError(f"reduction={reduction}", mend="give a share of at least 0, below 1")
