"""Ids say what vectors say, no two are alike, and the search over them finds the likeliest."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.models.generative.beam import best_ids
from recnb.models.generative.identifiers import (
    Identifiers,
    nearest_codes,
    random_codes,
    residual_kmeans,
)
from recnb.models.generative.rqvae import encoded, rqvae_codes
from recnb.models.generative.trie import Trie


def clustered(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around six far centres."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 6
    return (8 * rng.normal(size=(6, 12)))[kind] + rng.normal(size=(n, 12)), kind


def purity(codes: np.ndarray, kind: np.ndarray) -> float:
    """Share of the items that are of the commonest kind of their first token."""
    counts = np.zeros((codes.max() + 1, kind.max() + 1))
    np.add.at(counts, (codes, kind), 1)
    return counts.max(axis=1).sum() / len(kind)


def all_distinct(ids: Identifiers) -> bool:
    return len(np.unique(ids.tokens, axis=0)) == len(ids.tokens)


def test_each_level_leaves_less_and_the_first_tells_kinds_apart():
    vectors, kind = clustered()
    ids = residual_kmeans(vectors, n_codes=6, n_levels=3)
    rest, left = vectors.astype(np.float32), []
    for level, book in enumerate(ids.books):
        rest = rest - book[ids.tokens[:, level]]
        left.append(float((rest**2).sum()))
    assert left[0] > left[1] > left[2] and all_distinct(ids)
    assert (
        purity(ids.tokens[:, 0], kind) > 0.9 > 0.5 > purity(random_codes(120, 6).tokens[:, 0], kind)
    )
    np.testing.assert_array_equal(nearest_codes(vectors, ids.books), ids.tokens[:, :-1])


def test_the_autoencoder_s_codes_tell_kinds_apart_and_new_vectors_are_read_alike():
    vectors, kind = clustered()
    ids, weights = rqvae_codes(vectors, n_codes=6, n_levels=2, width=8, n_epochs=30)
    assert purity(ids.tokens[:, 0], kind) > 0.9 and all_distinct(ids)
    again = nearest_codes(encoded(vectors.astype(np.float32), weights), ids.books)
    assert (again == ids.tokens[:, :-1]).mean() > 0.99  # a tie in the last bit aside


def test_new_items_never_take_an_id_that_is_there():
    vectors, _ = clustered()
    ids = residual_kmeans(vectors, n_codes=4, n_levels=2)
    more = ids.with_vectors(np.concatenate([vectors[:3], vectors[:3]]))
    np.testing.assert_array_equal(more.tokens[:120], ids.tokens)
    np.testing.assert_array_equal(more.tokens[120:123, :-1], ids.tokens[:3, :-1])
    assert all_distinct(more) and (more.tokens[123:, -1] > more.tokens[120:123, -1]).all()
    with pytest.raises(InputError, match="random ids"):
        random_codes(9).with_vectors(vectors)


@pytest.mark.parametrize("n_items", [1, 40])
def test_the_search_with_enough_beams_is_exact_and_gives_ids_that_exist(n_items):
    rng = np.random.default_rng(0)
    tokens = Identifiers.of(rng.integers(0, 4, (n_items, 2))).tokens
    tables = {}

    def log_shares(prefixes: np.ndarray) -> np.ndarray:
        """Random shares for each user and prefix, the same when asked again."""
        n, beams = prefixes.shape[:2]
        out = np.zeros((n, beams, 9), np.float32)
        for user, beam in np.ndindex(n, beams):
            key = (user, *prefixes[user, beam].tolist())
            tables.setdefault(key, np.log(rng.dirichlet(np.ones(9))))
            out[user, beam] = tables[key]
        return out

    items, scores = best_ids(log_shares, Trie(tokens), 3, 50)
    for user in range(3):
        whole = [
            sum(tables[(user, *row[:at])][row[at]] for at in range(3)) for row in tokens.tolist()
        ]
        found = items[user][items[user] >= 0]
        np.testing.assert_array_equal(found, np.argsort(-np.array(whole), kind="stable"))
        np.testing.assert_allclose(scores[user][: len(found)], np.sort(whole)[::-1], rtol=1e-5)
    few, _ = best_ids(log_shares, Trie(tokens, np.arange(0, n_items, 2)), 3, 5)
    assert (few[few >= 0] % 2 == 0).all() and (few >= 0).sum() == 3 * min(5, -(-n_items // 2))
