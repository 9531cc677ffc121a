"""Effects of several studies put together, when they do not all estimate the same number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import chi2, t

from recnb.errors import InputError


@dataclass(frozen=True)
class Pooled:
    """A mean effect over studies and how far they differ.

    Attributes
    ----------
    value, low, high, p : float
        The mean of the effects, its interval, and p against 0.
    error : float
        Its standard error.
    tau2 : float
        Variance of the true effects between studies.
    i2 : float
        The share of the spread that chance within studies does not explain, 0 to 1.
    q, q_p : float
        Cochran's test of whether the effects are equal.
    predict_low, predict_high : float
        Where the effect of one more study of this kind would lie; NaN with fewer than three.
    n : int
        Studies.
    """

    value: float
    low: float
    high: float
    p: float
    error: float
    tau2: float
    i2: float
    q: float
    q_p: float
    predict_low: float
    predict_high: float
    n: int


def pooled(values: ArrayLike, errors: ArrayLike, level: float = 0.95) -> Pooled:
    """Random-effects mean of the effects of several studies.

    Parameters
    ----------
    values : array-like of shape (n,), float
        One effect per study.
    errors : array-like of shape (n,), float above 0
        Their standard errors.
    level : float in (0, 1), default 0.95

    Returns
    -------
    Pooled

    Raises
    ------
    InputError
        Fewer than two studies, a value that is not finite, an error that is not above 0.

    Notes
    -----
    The variance between studies is that of Paule and Mandel: the one at which the weighted squares around the mean are
    n - 1, as they should be. The interval is that of Hartung and Knapp, t with n - 1 degrees of freedom; at this
    variance their factor is 1, and where no variance between studies is seen it is kept at 1, so that agreement by
    chance does not make the interval narrower. The prediction interval adds the variance between studies, with n - 2.
    Two studies say little: the interval is then wide, as it should be.

    References
    ----------
    Paule and Mandel, J. Res. Natl. Bur. Stand. 87, 1982; DerSimonian and Kacker, Contemp. Clin. Trials 28, 2007,
    section 2.2. Knapp and Hartung, Stat. Med. 22, 2003, eq. 4. Roever, Knapp and Friede, BMC Med. Res. Methodol. 15,
    2015 (a factor of at least 1). Higgins, Thompson and Spiegelhalter, J. R. Stat. Soc. A 172, 2009, eq. 12.

    Examples
    --------
    >>> found = pooled([0.1, 0.3, 0.2], [0.01, 0.01, 0.01])
    >>> round(found.value, 6), round(found.tau2, 6), found.low < 0.1 < 0.3 < found.high
    (0.2, 0.0099, True)
    """
    y, se = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    n = len(y)
    if y.ndim != 1 or se.shape != y.shape or n < 2:
        raise InputError(
            f"values {y.shape}, errors {se.shape}",
            mend="give one effect and one standard error for each of at least two studies",
        )
    if not np.isfinite(y).all() or not (np.isfinite(se) & (se > 0)).all():
        raise InputError(
            "an effect is not finite or a standard error not above 0", mend="leave the study out"
        )
    variances = se**2
    q = _squares(0.0, y, variances)
    tau2 = _between(y, variances)
    weights = 1 / (variances + tau2)
    mean = float(weights @ y / weights.sum())
    error = float(1 / np.sqrt(weights.sum()))
    reach = float(t.ppf((1 + level) / 2, n - 1)) * error
    ahead = np.nan
    if n > 2:
        ahead = float(t.ppf((1 + level) / 2, n - 2) * np.sqrt(tau2 + error**2))
    return Pooled(
        mean,
        mean - reach,
        mean + reach,
        float(2 * t.sf(abs(mean) / error, n - 1)),
        error,
        tau2,
        max(0.0, 1 - (n - 1) / q) if q > 0 else 0.0,
        q,
        float(chi2.sf(q, n - 1)),
        mean - ahead,
        mean + ahead,
        n,
    )


def _squares(tau2: float, y: np.ndarray, variances: np.ndarray) -> float:
    """Weighted squares around the weighted mean."""
    weights = 1 / (variances + tau2)
    return float(weights @ (y - weights @ y / weights.sum()) ** 2)


def _between(y: np.ndarray, variances: np.ndarray) -> float:
    """The variance between studies at which the weighted squares are n - 1; 0 where they are less without any."""
    n = len(y)
    if _squares(0.0, y, variances) <= n - 1:
        return 0.0
    most = float(((y - y.mean()) ** 2).sum())  # there every weight is at most 1 / most
    return float(brentq(lambda tau2: _squares(tau2, y, variances) - (n - 1), 0.0, most, xtol=1e-14))
