"""Controls: the same media with their content taken away, shuffled, or partly lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recnb.data.media.media import Media, part, vectors_of
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix


def shuffled(media: Media, seed: int) -> Media:
    """Each item gets another item's picture, sound or vector: what is left is not about the item.

    Examples
    --------
    >>> from recnb.data.media import from_vectors
    >>> media = from_vectors([[0.0], [1.0], [2.0]], ids=["a", "b", "c"])
    >>> bool((shuffled(media, seed=0).vectors == media.vectors).any())
    False
    """
    # One random cycle through all: nobody keeps their own.
    order = np.random.default_rng(seed).permutation(len(media))
    taken = np.empty(len(media), np.int64)
    taken[order] = np.roll(order, 1)
    return part(media, taken, ids=media.ids)


def noise(media: Media, seed: int) -> Media:
    """Vectors of normal noise with each column's mean and standard deviation: as many numbers, no content."""
    vectors = vectors_of(media).astype(float)
    drawn = np.random.default_rng(seed).normal(vectors.mean(0), vectors.std(0), vectors.shape)
    return replace(media, vectors=drawn.astype(np.float32))


def thinned(media: Media, share: float, seed: int) -> Media:
    """About this share of the items (0 to 1) lose theirs.

    Whether an item does hangs on its id and the seed alone, and what is lost at 0.2 is lost at 0.5 too.

    Examples
    --------
    >>> from recnb.data.media import from_vectors
    >>> media = from_vectors(np.ones((100, 2)), ids=[f"i{n}" for n in range(100)])
    >>> half, fifth = thinned(media, 0.5, seed=0), thinned(media, 0.2, seed=0)
    >>> len(thinned(media, 0, seed=0)), len(fifth), len(half), set(half.ids) <= set(fifth.ids)
    (100, 79, 50, True)
    """
    if not 0 <= share <= 1:
        raise InputError(f"share={share}", mend="give a number from 0 to 1")
    # lots of its own: a split with the same seed draws its new items from the ids, too
    mixed = mix(hash_ids(media.ids), hash_ids(["thinned"]), seed=seed)
    lots = (mixed >> np.uint64(11)) * 2.0**-53  # in [0, 1)
    return part(media, lots >= share)
