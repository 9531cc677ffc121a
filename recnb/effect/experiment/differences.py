"""Differences between two arms: of means, of ratios by the delta method, with what was before taken out (CUPED)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chisquare, norm

from recnb.errors import InputError

Floats = np.ndarray


@dataclass(frozen=True)
class ArmDifference:
    """Treatment less control.

    Attributes
    ----------
    control, treatment : float
        Mean (or ratio) of each arm.
    difference, error, low, high : float
        Difference, its standard error, ends of the interval.
    relative, relative_low, relative_high : float
        Over the control's value, by the delta method; NaN where that is 0.
    p : float
        Two-sided, normal.
    n_control, n_treatment : int
    """

    control: float
    treatment: float
    difference: float
    error: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    p: float
    n_control: int
    n_treatment: int


def mean_difference(control: Floats, treatment: Floats, level: float = 0.95) -> ArmDifference:
    """Difference of two means, users as units.

    Parameters
    ----------
    control, treatment : ndarrays of shape (n_control,), (n_treatment,)
    level : float

    Examples
    --------
    >>> d = mean_difference(np.array([0.0, 2.0] * 200), np.array([1.0, 3.0] * 200))
    >>> round(d.difference, 6), round(d.relative, 6), bool(d.low < 1 < d.high)
    (1.0, 1.0, True)
    """
    return _difference(
        (float(control.mean()), float(control.var(ddof=1)) / len(control), len(control)),
        (float(treatment.mean()), float(treatment.var(ddof=1)) / len(treatment), len(treatment)),
        level,
    )


def ratio_difference(
    control: tuple[Floats, Floats], treatment: tuple[Floats, Floats], level: float = 0.95
) -> ArmDifference:
    """Difference of two ratios of sums, such as clicks over items shown, users as units.

    Parameters
    ----------
    control, treatment : pairs of ndarrays of shape (n,)
        Numerator and denominator of each user.
    level : float

    Raises
    ------
    InputError
        A denominator is negative, or all are 0.

    Notes
    -----
    With R = sum N / sum D, the variance is that of the mean of N - R D, over the square of the mean of D. Rows of one
    user belong together; the variance of a mean over rows would be too small.

    References
    ----------
    Deng, Knoblich and Lu, Applying the delta method in metric analytics, KDD 2018, section 2.
    """
    return _difference(_ratio(*control), _ratio(*treatment), level)


def _ratio(numerator: Floats, denominator: Floats) -> tuple[float, float, int]:
    if (denominator < 0).any() or denominator.sum() <= 0:
        raise InputError(
            "a ratio's denominator is negative, or 0 for everybody",
            mend="give counts of at least 0",
        )
    n = len(numerator)
    ratio = numerator.sum() / denominator.sum()
    rest = numerator - ratio * denominator
    return float(ratio), float(rest.var(ddof=1) / n / denominator.mean() ** 2), n


def _difference(
    control: tuple[float, float, int], treatment: tuple[float, float, int], level: float
) -> ArmDifference:
    (a, va, na), (b, vb, nb) = control, treatment
    z = norm.ppf((1 + level) / 2)
    gap, error = b - a, float(np.sqrt(va + vb))
    p = float(2 * norm.sf(abs(gap) / error)) if error else float(gap == 0)
    relative = width = np.nan
    if a != 0:
        relative = gap / a
        width = z * float(np.sqrt(vb + (b / a) ** 2 * va)) / abs(a)
    return ArmDifference(
        a, b, gap, error, gap - z * error, gap + z * error,
        relative, relative - width, relative + width, p, na, nb,
    )  # fmt: skip


@dataclass(frozen=True)
class Cuped:
    """A metric with what was before taken out.

    Attributes
    ----------
    values : ndarray of shape (n_users,)
        y - slope (x - mean of x): the same expected difference, less variance.
    slope : float
    correlation : float
        Within the arms.
    reduction : float
        Share of the variance that is gone: the square of the correlation.
    """

    values: Floats
    slope: float
    correlation: float
    reduction: float


def cuped(outcome: Floats, before: Floats, arm: np.ndarray) -> Cuped:
    """Take out what a user's metric was before the assignment.

    Parameters
    ----------
    outcome, before : ndarrays of shape (n_users,)
    arm : ndarray of shape (n_users,), int

    References
    ----------
    Deng, Xu, Kohavi and Walker, Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data, WSDM 2013, section 3.2.

    Examples
    --------
    >>> x = np.arange(8.0)
    >>> round(cuped(x * 2 + 1, x, np.array([0, 1] * 4)).reduction, 6)
    1.0
    """
    n_arms = int(arm.max()) + 1
    counts = np.maximum(np.bincount(arm, minlength=n_arms), 1)
    # Within the arms, so that an effect on the outcome is not taken for a slope.
    y = outcome - (np.bincount(arm, outcome, n_arms) / counts)[arm]
    x = before - (np.bincount(arm, before, n_arms) / counts)[arm]
    xx, yy, xy = float(x @ x), float(y @ y), float(x @ y)
    if xx == 0 or yy == 0:
        return Cuped(outcome, 0.0, 0.0, 0.0)
    slope = xy / xx
    correlation = xy / np.sqrt(xx * yy)
    values = outcome - slope * (before - before.mean())
    return Cuped(values, slope, float(correlation), float(correlation**2))


def sample_ratio_p(counts: np.ndarray, expected: np.ndarray) -> float:
    """p of the users of the arms under the shares that were meant (chi-square).

    A small one (below .001) says that users went missing by arm: the difference is then not that of the treatment.
    Between .001 and .05 the cause is worth a look.

    References
    ----------
    Fabijan et al., Diagnosing sample ratio mismatch in online controlled experiments, KDD 2019.

    Examples
    --------
    >>> round(sample_ratio_p(np.array([5000, 5000]), np.array([0.5, 0.5])), 3)
    1.0
    >>> sample_ratio_p(np.array([5200, 4800]), np.array([0.5, 0.5])) < 0.001
    True
    """
    shares = np.asarray(expected, np.float64)
    if shares.shape != counts.shape or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise InputError(
            f"shares {shares.tolist()} of {len(counts)} arms",
            mend="give a share above 0 for each arm, which add up to 1",
        )
    return float(chisquare(counts, shares * counts.sum()).pvalue)
