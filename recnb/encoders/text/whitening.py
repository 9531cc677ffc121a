"""Vectors turned so that no direction dominates."""

from __future__ import annotations

import numpy as np

from recnb.errors import InputError


def whiten(
    vectors: np.ndarray, fit_on: np.ndarray | None = None, dim: int | None = None
) -> np.ndarray:
    """Centre vectors, turn them to their principal directions and give each direction variance 1.

    A language model's vectors lie in a narrow cone: all cosines are high. Whitening spreads them,
    and the leading directions alone make shorter vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        To be whitened.
    fit_on : ndarray of shape (m, d), optional
        Where mean and covariance come from; default `vectors`. Give the items of the training part
        where new items are judged.
    dim : int, optional
        Directions to keep, those of the largest variance first; from 1 to d, default d.

    Returns
    -------
    ndarray of shape (n, dim), float32

    Raises
    ------
    InputError
        Shapes that do not fit, fewer than two vectors to fit on, or values that are not finite.

    Notes
    -----
    x̃ = (x − μ) U Λ^(−1/2), with Σ = U Λ Uᵀ the covariance (divided by m). A direction
    without variance (below 1e-7 of the largest) carries rounding noise only and becomes 0. The sign
    of a direction is fixed so that its largest loading is positive.

    References
    ----------
    J. Su, J. Cao, W. Liu and Y. Ou, Whitening Sentence Representations for Better Semantics and
    Faster Retrieval, 2021, equations 4 to 8 and algorithm 1 (arXiv 2103.15316).

    Examples
    --------
    >>> whiten(np.array([[1.0, 9.0], [5.0, 9.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    source = vectors if fit_on is None else fit_on
    if vectors.ndim != 2 or source.ndim != 2 or vectors.shape[1] != source.shape[1]:
        raise InputError(f"whiten needs (n, d) and (m, d), got {vectors.shape} and {source.shape}")
    if len(source) < 2:
        raise InputError(f"whiten needs two vectors or more to fit on, got {len(source)}")
    width = vectors.shape[1]
    if dim is not None and not 1 <= dim <= width:
        raise InputError(f"dim is {dim}", mend=f"choose 1 to {width}")
    if not (np.isfinite(vectors).all() and np.isfinite(source).all()):
        raise InputError("whiten got NaN or infinite values")
    source = source.astype(np.float64)
    mean = source.mean(axis=0)
    variance, directions = np.linalg.eigh(
        np.cov(source, rowvar=False, bias=True).reshape(width, width)
    )
    variance, directions = variance[::-1][:dim], directions[:, ::-1][:, :dim]
    loading = directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    real = variance > max(variance[0], 0.0) * 1e-7
    scale = np.where(real, 1 / np.sqrt(np.where(real, variance, 1.0)), 0.0) * np.sign(loading)
    return ((vectors - mean) @ (directions * scale)).astype(np.float32)
