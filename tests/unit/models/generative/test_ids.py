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
    scores = rng.normal(size=(3, 3, 9, 9, 9, 9)).astype(np.float32)  # user, level, prefix, token

    def asking():
        """What scores the next token by user and prefix, and remembers the prefixes it was asked."""
        known = [np.zeros((3, 0), np.int64)]

        def step(users: np.ndarray, parents: np.ndarray, following: np.ndarray) -> np.ndarray:
            level = len(known) - 1
            longer = known[-1][parents]
            if level:
                longer = np.column_stack([longer, following])
            known.append(longer)
            padded = np.pad(longer, ((0, 0), (0, 2 - level)))
            return scores[users, level, padded[:, 0], padded[:, 1]].max(axis=1)

        return step

    def expected(user: int) -> np.ndarray:
        """Log-probabilities of all items: at each level a softmax among the tokens that lead to an item."""
        out = np.zeros(n_items)
        for level in range(3):
            prefixes, node = np.unique(tokens[:, :level], axis=0, return_inverse=True)
            for number, prefix in enumerate(prefixes):
                below = np.flatnonzero(node.reshape(-1) == number)
                first, second = (*prefix.tolist(), 0, 0)[:2]
                raw = scores[user, level, first, second].max(axis=0)
                may = np.unique(tokens[below, level])
                out[below] += raw[tokens[below, level]] - np.log(np.exp(raw[may]).sum())
        return out

    items, logs = best_ids(asking(), Trie(tokens), 3, 50)
    for user in range(3):
        whole = expected(user)
        listed = items[user][items[user] >= 0]
        np.testing.assert_array_equal(listed, np.argsort(-whole))
        np.testing.assert_allclose(logs[user][: len(listed)], np.sort(whole)[::-1], atol=1e-5)
    some = np.arange(0, n_items, 2)
    few, kept = best_ids(asking(), Trie(tokens).only(some), 3, 50)
    assert (few[few >= 0] % 2 == 0).all() and (few >= 0).sum() == 3 * len(some)
    # what may not be listed is not generated, and the others keep their shares
    np.testing.assert_allclose(np.sort(expected(0)[some])[::-1], kept[0][: len(some)], atol=1e-5)
