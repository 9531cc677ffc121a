"""The generator learns what follows what, says when training what it says when asked, and knows new items by text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.models import Tiger, TigerDense, make
from recnb.models.common.reading.packed import pack
from recnb.models.common.sequences import Sequences
from recnb.models.generative.beam import best_ids
from recnb.models.generative.identifiers import Identifiers
from recnb.models.generative.network import IdNetwork, Memory
from recnb.models.generative.trie import Trie
from recnb.recommender import blocks, load_model, top_k

N_ITEMS, N_USERS = 20, 80
SMALL = {
    "n_codes": 6, "n_levels": 2, "width": 16, "n_heads": 2, "n_layers": 1, "n_decoder_layers": 1,
    "dropout": 0.0, "lr": 1e-2, "batch_size": 16, "n_beams": 20, "n_epochs": 30,
}  # fmt: skip


@pytest.fixture(scope="module")
def split():
    """Item i is followed by item i + 1, and the last by the first."""
    rng = np.random.default_rng(0)
    first, lengths = rng.integers(0, N_ITEMS, N_USERS), rng.integers(3, 9, N_USERS)
    rows = [
        (f"u{u:02d}", f"i{(first[u] + t) % N_ITEMS:02d}", t)
        for u in range(N_USERS)
        for t in range(lengths[u])
    ]
    words = ("red", "blue", "green", "white")
    items = pd.DataFrame(
        {
            "item_id": [f"i{i:02d}" for i in range(N_ITEMS)],
            "title": [f"{words[i % 4]} book {i}" for i in range(N_ITEMS)],
        }
    )
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    return splits.leave_one_out(Dataset.from_frames(frame, items))


@pytest.fixture(scope="module")
def fitted(split):
    return Tiger(**SMALL).fit(split.known)


def hit(model, split) -> float:
    best = top_k(model, np.arange(N_USERS), k=1)[:, 0]
    return float((best == split.test.interactions["item"].to_numpy()).mean())


def test_training_and_generation_say_the_same():
    """The loss of a packed batch is minus the mean log-probability that generation gives each target's id."""
    torch.manual_seed(0)
    codes = np.random.default_rng(1).integers(0, 3, (12, 2))
    codes[5] = 3, 0
    ids = Identifiers.of(codes)
    network = IdNetwork(torch.from_numpy(ids.tokens), ids.sizes, 12, 16, 2, 2, 2, 0.0).eval()
    assert sorted(set(network.branches.depths.tolist())) == [
        1,
        2,
        3,
    ]  # ids that differ early and late
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    items = np.random.default_rng(0).integers(0, 12, 15)
    starts, sizes = np.array([0, 5, 9]), np.array([4, 3, 4])
    with torch.no_grad():
        loss = network(pack(items, starts, sizes, np.append(items[1:], 0)))
        # one user of the search for each target
        firsts = np.repeat(starts, sizes)
        counts = np.concatenate([np.arange(1, size + 1) for size in sizes])
        memory = Memory(network, pack(items, firsts, counts))
        listed, logs = best_ids(
            lambda *asked: memory.step(*map(torch.from_numpy, asked)).numpy(),
            Trie(ids.tokens), len(firsts), 12,
        )  # fmt: skip
    each = logs[listed == items[firsts + counts][:, None]]
    np.testing.assert_allclose(loss.item(), -each.mean(), rtol=1e-4)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, rtol=1e-4)
    assert each.std() > 0.1


def test_what_follows_what_is_generated(fitted, split):
    assert hit(fitted, split) > 0.8  # one in twenty by chance


@pytest.mark.parametrize(
    "settings", [{"ids": "random"}, {"ids": "interactions"}, {"quantiser": "rqvae"}], ids=str
)
def test_every_kind_of_id_can_be_generated(settings, split):
    model = Tiger(**SMALL, **settings).fit(split.known)
    assert hit(model, split) > 0.8
    assert model.reads().language == ("ids" not in settings)


def test_the_epoch_is_chosen_and_the_history_is_read(split):
    model = Tiger(**{**SMALL, "n_epochs": 3}).fit(split.train, split.valid)
    assert model.chosen()["n_epochs"] in (1, 2, 3)
    users = np.arange(N_USERS)
    assert np.abs(model.score(users, split.known) - model.score(users)).max() > 0.1
    alone = model.score(users[3:4], split.known)[0]
    np.testing.assert_allclose(alone, model.score(users, split.known)[3], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("ids", ["text", "interactions", "random"])
def test_equal_rows_in_another_order_and_other_codes_train_the_same_model(ids, split):
    users, items = np.arange(N_USERS)[::-1], np.random.default_rng(1).permutation(N_ITEMS)
    one, two = (
        Tiger(**{**SMALL, "n_epochs": 2, "ids": ids}).fit(ds).score(np.arange(N_USERS))
        for ds in (split.known, split.known.in_order(users, items))
    )
    np.testing.assert_allclose(two, one[np.ix_(users, items)], rtol=1e-3, atol=1e-4)


def with_a_later_event(split) -> Dataset:
    """What is known of a set in which every user goes on with a marker item behind the judged event."""
    ds = split.dataset
    rows = ds.interactions.assign(
        user_id=lambda r: ds.user_ids[r["user"]], item_id=lambda r: ds.item_ids[r["item"]]
    )[["user_id", "item_id", "position"]]
    marker = pd.DataFrame({"user_id": ds.user_ids, "item_id": "i00", "position": 99})
    whole = Dataset.from_frames(pd.concat([rows, marker]), ds.items.reset_index())
    last = whole.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    return whole.rows(last >= 2)


def serves_odd_sequences(fitted, make_model) -> None:
    """One event, 100,000 events, one item in the catalogue, texts that collide, places that repeat or have gaps."""
    n_items = len(fitted.tokens_)
    rng = np.random.default_rng(0)
    long = rng.integers(0, n_items, 100_000)
    scores = fitted.score_histories([long, long[-fitted.length :], long[-1:]])
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4, atol=1e-4)  # the newest count
    assert np.isfinite(scores).all() and np.abs(scores[1] - scores[2]).max() > 0.1
    rows = [
        ("a", "x", 0),
        ("a", "x", 0),
        ("a", "y", 7),
        ("b", "y", 5),
        ("c", "x", 3),
        ("c", "y", 3),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    items = pd.DataFrame({"item_id": ["x", "y", "z"], "title": ["one book", "one book", "a lamp"]})
    model = make_model().fit(Dataset.from_frames(frame, items, duplicates="keep"))
    assert len({tuple(one) for one in model.tokens_.tolist()}) == len(model.tokens_)
    assert np.isfinite(model.score(np.arange(3))).all()
    lone = frame.assign(item_id="x")
    alone = make_model().fit(Dataset.from_frames(lone, items[:1], duplicates="keep"))
    assert top_k(alone, k=2).tolist() == [[0, -1]] * 3


def test_a_planted_later_event_changes_no_score(split):
    """Nothing fitted or scored may know of it."""
    users = np.arange(N_USERS)
    plain, marked = (
        Tiger(**{**SMALL, "n_epochs": 2}).fit(known).score(users)
        for known in (split.known, with_a_later_event(split))
    )
    np.testing.assert_array_equal(marked, plain)


def test_odd_sequences_are_served(fitted):
    serves_odd_sequences(fitted, lambda: Tiger(**{**SMALL, "n_epochs": 1}))


def test_a_saved_model_scores_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again, users = load_model(tmp_path / "model"), np.arange(N_USERS)
    np.testing.assert_array_equal(again.score(users), fitted.score(users))


def test_what_is_written_can_be_looked_at(fitted):
    """The best item's probability is the product of the shares of its tokens; the scores agree."""
    history = np.array([3, 4, 5])
    items, logs = fitted.written([history])
    assert (items[0] >= 0).all() and len(set(items[0])) == N_ITEMS
    np.testing.assert_array_equal(fitted.score_histories([history])[0].argmax(), items[0, 0])
    own, total = fitted.tokens_[fitted.row_[items[0, 0]]], 0.0
    for level, token in enumerate(own):
        alike = (fitted.tokens_[:, :level] == own[:level]).all(axis=1)
        may = np.unique(fitted.tokens_[alike, level])
        if len(may) > 1:
            scores = fitted.token_scores(history, own[:level])
            total += scores[token] - np.logaddexp.reduce(scores[may])
    np.testing.assert_allclose(total, logs[0, 0], atol=1e-4)


def test_only_what_may_be_listed_is_generated(fitted):
    allowed = np.arange(N_ITEMS) % 5 == 0
    scores = fitted.score_among(np.arange(N_USERS), allowed)
    assert allowed[scores.argsort(axis=1)[:, -4:]].all()
    few = make("tiger", **{**SMALL, "n_beams": 2})
    few.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    scores = few.score(np.arange(N_USERS))
    assert np.isfinite(
        scores
    ).all()  # what was not generated stands below, and is listed all the same
    np.testing.assert_array_equal(
        scores.argmax(axis=1), fitted.score(np.arange(N_USERS)).argmax(axis=1)
    )


def test_a_new_item_has_the_code_of_its_text(fitted, split):
    title = split.dataset.items["title"].iloc[7]
    more = fitted.with_items(pd.DataFrame({"item_id": ["new"], "title": [title]}))
    np.testing.assert_array_equal(more.tokens_[-1, :-1], more.tokens_[more.row_[7], :-1])
    assert more.score(np.arange(3)).shape == (3, N_ITEMS + 1)
    assert not hasattr(Tiger(ids="random"), "with_items")


def test_dense_vectors_stand_beside_the_ids(split):
    """The weight is chosen on the valid rows, either part alone learns the order, and a new item has both."""
    model = make("tiger_dense", **{**SMALL, "n_epochs": 3}).fit(split.train, split.valid)
    found = model.chosen()
    assert 0 <= found["weight"] <= 1
    again = make("tiger_dense", **{**SMALL, **found, "n_epochs": 20}).fit(split.known)
    assert again.weight_ == found["weight"]
    for weight in (0.0, 0.5, 1.0):
        again.weight_ = weight
        assert hit(again, split) > 0.6  # one in twenty by chance
    title = split.dataset.items["title"].iloc[7]
    more = again.with_items(pd.DataFrame({"item_id": ["new"], "title": [title]}))
    users = np.arange(3)
    vectors = more._dense_scores(more.network, more.sequences(users))
    np.testing.assert_allclose(vectors[:, -1], vectors[:, 7], atol=1e-4)
    assert np.abs(vectors[:, 6] - vectors[:, 7]).min() > 0.1
    assert more.score(users).shape == (3, N_ITEMS + 1)


def test_an_item_without_events_is_generated_by_its_text(split):
    """Item 7 is a twin of item 3 by its text and nobody has used it: among the two it follows what 3 follows."""
    items = split.dataset.items.assign(
        title=lambda t: t["title"].where(t.index != "i07", t["title"]["i03"])
    )
    rows = split.known.interactions.assign(
        user_id=lambda r: split.dataset.user_ids[r["user"]],
        item_id=lambda r: split.dataset.item_ids[r["item"]],
    )
    rows = rows.loc[rows["item_id"] != "i07", ["user_id", "item_id", "position"]]
    ds = Dataset.from_frames(rows, items.reset_index())
    model = Tiger(**SMALL).fit(ds)
    np.testing.assert_array_equal(
        model.tokens_[model.row_[7], :-1], model.tokens_[model.row_[3], :-1]
    )
    shelf = np.isin(np.arange(N_ITEMS), [7, 12])
    strangers = [np.array([1, 2]), np.array([10, 11])]
    scores = model._scores(model.network, Sequences.of_items(strangers, N_ITEMS), shelf)
    assert scores[0, 7] > scores[0, 12] and scores[1, 12] > scores[1, 7]


@pytest.mark.parametrize("name", ["tiger", "tiger_dense", "sasrec[items=text]"])
def test_an_item_with_neither_events_nor_text_is_left_out(name, split):
    """As it is among new items: nothing says what its id should be."""
    known = split.known.interactions.assign(
        user_id=lambda r: split.dataset.user_ids[r["user"]],
        item_id=lambda r: split.dataset.item_ids[r["item"]],
    )[["user_id", "item_id", "position"]]
    more = pd.DataFrame({"item_id": ["untold", "told"], "title": ["", "red book 4"]})
    items = pd.concat([split.dataset.items.reset_index(), more])
    ds = Dataset.from_frames(known, items)
    settings = {n: v for n, v in SMALL.items() if hasattr(make(name), n)} | {"n_epochs": 1}
    model = make(name, **settings).fit(ds)
    rows = dict(zip(ds.item_ids, model.row_))
    assert rows["untold"] == -1 and rows["told"] == N_ITEMS and model.row_.max() == N_ITEMS
    grown = make(name, **settings).fit(split.known).with_items(more)
    assert grown.row_[-2:].tolist() == [-1, N_ITEMS]
    scores = model.score(np.arange(N_USERS))
    assert (scores.argmin(axis=1) == list(ds.item_ids).index("untold")).all()


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_who_has_no_events_is_told_what_is_popular(weight, split):
    rows = [("a", f"i{i:02d}", i) for i in range(N_ITEMS)]
    rows += [(f"b{n}", f"i{i:02d}", n) for i in range(N_ITEMS) for n in range(i)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    users = pd.DataFrame({"user_id": ["nobody", *frame["user_id"].unique()]})
    items = split.dataset.items.reset_index()
    ds = Dataset.from_frames(frame, items, users, feedback="implicit")
    model = make("tiger_dense", **{**SMALL, "n_epochs": 1, "weight": weight}).fit(ds)
    one = list(ds.user_ids).index("nobody")
    assert not len(model.sequences(np.array([one])).items)
    best = ds.item_ids[top_k(model, np.array([one]), k=N_ITEMS)[0]]
    assert best.tolist() == [f"i{i:02d}" for i in range(N_ITEMS)][::-1]


def test_the_weight_is_chosen_in_little_memory(split, monkeypatch):
    model = make("tiger_dense", **{**SMALL, "n_epochs": 1}).fit(split.train, split.valid)
    asked, scored = [], TigerDense._dense_scores

    def counted(self, network, sequences):
        asked.append(len(sequences))
        return scored(self, network, sequences)

    monkeypatch.setattr(TigerDense, "_dense_scores", counted)
    whole = model._best_weight(split.train, split.valid)
    n_asked = sum(asked)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4 * N_ITEMS * 7)  # seven users
    asked.clear()
    assert model._best_weight(split.train, split.valid) == whole
    assert max(asked) == 7 and sum(asked) == n_asked > 7


def test_ids_of_many_levels_are_read_in_their_order(split):
    model = Tiger(**{**SMALL, "n_levels": 12, "n_epochs": 1}).fit(split.known)
    title = split.dataset.items["title"].iloc[7]
    more = model.with_items(pd.DataFrame({"item_id": ["new"], "title": [title]}))
    np.testing.assert_array_equal(more.tokens_[-1, :-1], more.tokens_[more.row_[7], :-1])


def test_a_history_of_which_nothing_can_be_read_is_one_line(fitted):
    with pytest.raises(InputError, match="history 0 holds no item with an id"):
        fitted.token_scores([])
    with pytest.raises(InputError, match="history 1 holds no item with an id"):
        fitted.written([[3], []])
    assert fitted.written([])[0].shape[0] == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ids": "titles"}, "one of text"),
        ({"quantiser": "pq"}, "one of kmeans"),
        ({"n_beams": 0}, "at least 1"),
        ({"ids": "random", "n_codes": 2.5}, r"n_codes=2\.5; a whole number"),
        ({"n_codes": 1}, "all items would have one code; at least 2"),
        ({"width": 10}, "a multiple of"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line(settings, words, split):
    with pytest.raises(InputError, match=words):
        Tiger(**settings).fit(split.train)


@pytest.mark.parametrize("ids", ["text", "interactions"])
def test_a_catalogue_of_one_item_is_served(ids):
    rows = pd.DataFrame({"user_id": list("aab"), "item_id": "x", "position": [0, 1, 0]})
    items = pd.DataFrame({"item_id": ["x"], "title": ["a book"]})
    one = Dataset.from_frames(rows, items, duplicates="keep", feedback="implicit")
    model = Tiger(**{**SMALL, "n_epochs": 1}, ids=ids).fit(one)
    assert top_k(model, k=2).tolist() == [[0, -1], [0, -1]]
