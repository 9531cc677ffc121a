"""Intervals that hold at every look: a test may be watched daily and stopped when it pleases."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from recnb.errors import InputError

Floats = np.ndarray


def mixture_scale(planned_error: float, level: float = 0.95) -> float:
    """Standard deviation of the mixture that makes the interval tightest at the planned end.

    Parameters
    ----------
    planned_error : float > 0
        Standard error of the difference when all planned users are in.
    level : float

    Returns
    -------
    float
        In units of the difference. Any other choice is valid too; it only moves where the interval is tight.

    Examples
    --------
    >>> round(mixture_scale(1.0), 2)
    2.87
    """
    if not planned_error > 0:
        raise InputError(f"planned_error={planned_error}", mend="give a number above 0")
    alpha = 1 - level

    def width(log_c: float) -> float:
        c = np.exp(log_c)
        return (1 + c) / c * (np.log1p(c) - 2 * np.log(alpha))

    best = minimize_scalar(width, bounds=(-5.0, 8.0), method="bounded")
    return float(planned_error * np.exp(best.x / 2))


def always_valid(
    difference: Floats, error: Floats, scale: float, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Ends of the interval at each look; the chance that any of them misses the truth, ever, is at most 1 - level.

    Parameters
    ----------
    difference, error : ndarrays of shape (n_looks,)
        Difference of the arms with all users so far, and its standard error.
    scale : float > 0
        From :func:`mixture_scale`, chosen before the test.
    level : float

    Returns
    -------
    low, high : ndarrays of shape (n_looks,)

    Notes
    -----
    With V the squared error and t the scale, the half-width is sqrt(V (V + t²) / t² (log((V + t²) / V) - 2 log α)): the
    mixture sequential probability ratio test under a normal mixture, inverted. Errors are estimated, so that the
    promise holds for means of many users: begin to look when each arm has some hundreds.

    References
    ----------
    Robbins, Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat. 41, 1970. Johari,
    Koomen, Pekelis and Walsh, Always valid inference, Operations Research 70, 2022, section 4. Waudby-Smith et al.,
    Time-uniform central limit theory and asymptotic confidence sequences, Ann. Stat. 52, 2024.

    Examples
    --------
    >>> low, high = always_valid(np.array([0.0]), np.array([1.0]), scale=2.8)
    >>> bool(high[0] > 1.96)
    True
    """
    v, tau = np.asarray(error, np.float64) ** 2, scale**2
    if not scale > 0 or (v < 0).any():
        raise InputError(f"scale={scale}, or a negative error", mend="give numbers above 0")
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.sqrt(v * (v + tau) / tau * (np.log((v + tau) / v) - 2 * np.log(1 - level)))
    half = np.where(v > 0, half, 0.0)
    return difference - half, difference + half


def always_valid_p(difference: Floats, error: Floats, scale: float) -> Floats:
    """p at each look that may be read at any time: the smallest so far, shape (n_looks,).

    Examples
    --------
    >>> p = always_valid_p(np.array([4.0, 0.0]), np.array([1.0, 1.0]), 2.8)
    >>> bool(p[0] == p[1] < 0.05)
    True
    """
    v, tau = np.asarray(error, np.float64) ** 2, scale**2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_ratio = 0.5 * np.log(v / (v + tau)) + tau * np.square(difference) / (2 * v * (v + tau))
    p = np.where(v > 0, np.exp(-np.maximum(log_ratio, 0.0)), 1.0)
    return np.minimum.accumulate(p)
