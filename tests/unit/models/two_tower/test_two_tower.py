"""The two tower: its efficient step is the plain step; nothing leaks; it goes on, is kept, and learns."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.data import Dataset, Text, splits  # noqa: E402
from recnb.encoders import TextEncoder  # noqa: E402
from recnb.encoders.text import tower  # noqa: E402
from recnb.encoders.text.tower import TextTower  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.metrics import hits, ndcg  # noqa: E402
from recnb.models.two_tower.batches import BatchMaker, UserFacts, rows_of  # noqa: E402
from recnb.models.two_tower.heads import LAYERED, make_head  # noqa: E402
from recnb.models.two_tower.model import TwoTower  # noqa: E402
from recnb.models.two_tower.network import TwoTowerNetwork, _others  # noqa: E402
from recnb.models.two_tower.users import UserTower  # noqa: E402
from recnb.recommender import load_model, top_k  # noqa: E402
from recnb.training.batches import FRESH, HEAD, LIVE  # noqa: E402
from tests.unit.encoders.conftest import write_model  # noqa: E402

TASTES = (("green", "tea", "organic", "mild"), ("usb", "cable", "black", "strong"))
LOSSES = ("mse", "softmax", "infonce", "bpr", "bce")
HEADS = ("dot", "weighted_sum", "elementwise_sum", "mlp")


pytestmark = pytest.mark.usefixtures("with_tiny_bert")


def texts(n: int = 30) -> list[str]:
    rng = np.random.default_rng(1)
    return [" ".join(rng.choice(TASTES[i % 2], 3)) for i in range(n)]


def world(feedback: str = "explicit", n_known: int = 24, n_items: int = 30) -> Dataset:
    """Users of even and odd number like items of theirs; the last items have no rows."""
    rng = np.random.default_rng(0)
    rows = []
    for u in range(30):
        for t, i in enumerate(rng.choice(n_known, 9, replace=False)):
            rows.append((f"u{u:02d}", f"i{i:02d}", 5 if i % 2 == u % 2 else 1, t * 50 + u))
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    items = pd.DataFrame(
        {"item_id": [f"i{i:02d}" for i in range(n_items)], "title": texts(n_items)}
    )
    if feedback == "explicit":
        return Dataset.from_frames(frame, items, feedback="explicit", scale=(1, 5))
    return Dataset.from_frames(frame[frame.rating > 3].drop(columns="rating"), items)


def small(**settings) -> TwoTower:
    return TwoTower(
        **{
            "text": Text("title"),
            "width": 8,
            "start": "random",  # the other one: test_start.py
            "n_epochs": 2,
            "rows_per_batch": 64,
            "max_tokens": 32,
            **settings,
        }
    )


def weights(model: TwoTower) -> np.ndarray:
    """All that was learned, in one array."""
    arrays = [*model.state_["weights"].values(), *model.state_["tuned"].values()]
    return np.concatenate([array.astype(np.float32).ravel() for array in arrays])


def step(folder: Path, head: str, loss: str, joint: bool) -> tuple[TwoTowerNetwork, dict]:
    """A network over 12 items and a live batch of 10 rows of 4 of them."""
    torch.manual_seed(0)
    encoder = TextEncoder(folder, normalise=False)
    layers = (0, 1, 2) if head in LAYERED else (2,)
    made = TextTower(encoder, [*texts(10), "", texts(1)[0]], layers, 2)
    settings = {} if head in LAYERED else {"width": 5}
    top = make_head(head, len(layers), 16, **settings)
    net = TwoTowerNetwork(
        made.all_states(),
        made.place,
        top,
        UserTower(("id", "mean"), 6, top.width, spread=0.5),
        6,
        loss,
        torch.ones(12, dtype=torch.bool),
        made,
        item_id=True,
        mean=3.0,
        joint=joint,
    ).eval()
    for part in (net.line, net.user_bias, net.item_bias):
        torch.nn.init.normal_(part.weight, std=0.3)
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 6, 10), rng.choice([1, 4, 10, 11], 10)
    history = np.stack([rng.choice(12, 4, replace=False) for _ in range(6)])
    history[5, :2] = -1
    liked = None
    ratings = rng.uniform(1, 5, 10).astype(np.float32)
    if loss != "mse":
        from scipy import sparse

        ratings, liked = None, sparse.csr_matrix((np.ones(10), (users, items)), shape=(6, 12))
    facts = UserFacts(items=history)
    maker = BatchMaker(users, items, ratings, facts, liked, 2, loss == "infonce", 2, 0)
    return net, maker(0, LIVE, np.arange(7), 0)


def naive(net: TwoTowerNetwork, encoder: TextEncoder, batch: dict) -> torch.Tensor:
    """The loss with each text encoded alone and padded, each pair scored alone."""
    sentences = [*texts(10), "", texts(1)[0]]
    live = {sentences[i] for i in batch["live"].tolist()}

    def vector(item: int) -> torch.Tensor:
        text = sentences[item]
        states = net.states[net.place[item]]
        if text in live and text:
            row = encoder.tokens([text])[0][0]
            ids = torch.zeros(1, 64, dtype=torch.int64)
            ids[0, : len(row)] = torch.tensor(list(row))
            mask = (torch.arange(64) < len(row)).long()[None]
            out = encoder.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            states = torch.stack(
                [
                    tower.pool(out.hidden_states[k], mask, encoder.pooling)[0]
                    for k in net.tower.layers
                ]
            )
        centred = (states - net.shift) / net.size
        return net.head.items(centred[None])[0] + net.item_table.weight[item]

    def score(row: int, item: int) -> torch.Tensor:
        user = net.users.table.weight[batch["users"][row]]
        past = batch["history"][row][batch["here"][row]].tolist()
        if past:
            user = user + torch.stack([vector(i) for i in past]).mean(0)
        v = vector(item)
        return (
            net.head.pairs(user[None], v[None])[0] + net.line(v)[0] + net.item_bias.weight[item, 0]
        )

    total = torch.zeros(())
    n = len(batch["items"])
    shares = batch.get("shares", torch.ones(n))
    for row in range(n):
        bias = net.user_bias.weight[batch["users"][row], 0]
        item = int(batch["items"][row])
        own = score(row, item)
        if net.loss == "mse":
            total = total + (own + bias + 3.0 - batch["ratings"][row]) ** 2
            continue
        where = [k for k, free in enumerate(batch["open"][row].tolist()) if free]
        others = [score(row, int(batch["candidates"][k])) for k in where]
        if net.loss == "bce":
            zeros = sum(-torch.log(1 - torch.sigmoid(x + bias)) for x in others) / max(
                len(others), 1
            )
            loss = zeros - torch.log(torch.sigmoid(own + bias))
        elif net.loss == "bpr":
            loss = -sum(torch.log(torch.sigmoid(own - x)) for x in others) / max(len(others), 1)
        else:
            if "log_q" in batch:
                own = own - batch["own_log_q"][row]
                others = [x - batch["log_q"][k] for x, k in zip(others, where)]
            loss = torch.logsumexp(torch.stack([own, *others]), 0) - own
        total = total + shares[row] * loss
    return total / shares.sum()


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize(
    "head, loss", [(h, "mse") for h in HEADS] + [("dot", loss) for loss in LOSSES[1:]]
)
def test_the_efficient_step_is_the_plain_step(tiny_bert, head, loss, joint):
    net, batch = step(tiny_bert, head, loss, joint)
    plain, encoder = copy.deepcopy(net), TextEncoder(tiny_bert, normalise=False)
    encoder.model.eval()
    expected = naive(plain, encoder, batch)
    expected.backward()
    found = net(batch)
    found.backward()
    assert found.item() == pytest.approx(expected.item(), abs=1e-4)
    reference = dict(encoder.model.named_parameters())
    largest = 0.0
    for name, p in net.tower.network.named_parameters():
        if "pooler" in name:
            continue
        grad = reference[name].grad
        if "word_embeddings" in name:
            grad = grad[net.tower.vocabulary]
        torch.testing.assert_close(p.grad, grad, atol=1e-5, rtol=1e-3)
        largest = max(largest, float(grad.abs().max()))
    assert largest > 1e-3
    for name, p in net.named_parameters():
        if name.startswith("tower."):
            continue
        if not joint:
            assert p.grad is None, name
            continue
        want = dict(plain.named_parameters())[name].grad
        want = torch.zeros_like(p) if want is None else want
        have = torch.zeros_like(p) if p.grad is None else p.grad
        torch.testing.assert_close(have, want, atol=1e-5, rtol=1e-3)


def test_a_live_batch_writes_the_table_and_a_fresh_one_recomputes_it(tiny_bert):
    net, batch = step(tiny_bert, "dot", "mse", True)
    before = net.states.clone()
    with torch.no_grad():
        for p in net.tower.trained_parameters():
            p.add_(0.05)
    net(batch)
    touched = torch.unique(net.place[batch["live"]])
    moved = (net.states != before).flatten(1).any(1)
    full = net.tower.all_states()
    torch.testing.assert_close(net.states[touched], full[touched], atol=1e-5, rtol=0)
    others = torch.ones(len(before), dtype=torch.bool)
    others[touched] = False
    assert moved.any() and not moved[others].any()
    net({**batch, "kind": torch.tensor(HEAD)})
    assert not net.fresh and torch.equal(net.states[others], before[others])
    net({**batch, "kind": torch.tensor(FRESH)})
    assert net.fresh
    torch.testing.assert_close(net.states, full, atol=1e-6, rtol=0)


def test_a_history_leaves_out_the_rows_item_and_cold_items_are_no_candidates():
    ds = world()
    model = small(user="id+mean").fit(ds)
    users, items, _ = rows_of(ds, model.settings)
    maker = BatchMaker(users, items, None, model._facts(), ds.positives(), 1000)
    batch = maker(0, HEAD, np.arange(len(users)), 0)
    told = batch["history"] == batch["items"][:, None]
    assert told.any() and not (told & batch["here"]).any() and batch["here"].any()
    used = np.unique(ds.positives().indices)
    assert set(batch["candidates"].tolist()) == set(used.tolist()) and len(used) <= 24
    liked = ds.positives()[users][:, batch["candidates"].numpy()].toarray() > 0
    assert not (batch["open"].numpy() & liked).any()


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_a_live_batch_of_a_ranking_loss_stands_for_all_rows(loss):
    """The items of a live batch are negatives of all other rows: a sample of those weighs as much as all."""
    ds = world()
    model = small(loss=loss, method="full", n_epochs=1).fit(ds)
    users, items, _ = rows_of(ds, model.settings)
    facts, every, own = model._facts(), np.arange(len(users)), np.flatnonzero(items < 4)

    def maker(context: int, seed: int = 0) -> BatchMaker:
        return BatchMaker(
            users, items, None, facts, ds.positives(), 1000, loss == "infonce", context, seed
        )

    net = model._network.eval()
    whole = maker(0)(0, HEAD, every, 0)
    live = maker(len(users))(0, LIVE, own, 0)
    assert net(live).item() == pytest.approx(net(whole).item(), abs=1e-5)
    few = [maker(8, seed)(0, LIVE, own, 0) for seed in range(40)]
    assert all(float(b["shares"].sum()) == pytest.approx(len(users)) for b in few)
    if loss == "infonce":  # its candidates are those of the batch
        return

    def slope(batch: dict) -> torch.Tensor:
        net.zero_grad()
        net(batch).backward()
        return torch.cat([p.grad.flatten() for p in net.tower.trained_parameters()])

    full, mean = slope(live), torch.stack([slope(b) for b in few]).mean(0)
    alone = slope(maker(0)(0, LIVE, own, 0))
    assert (mean - full).norm() < 0.5 * full.norm() < (alone - full).norm()


def test_candidates_are_scored_by_a_target_attention_one_by_one_or_together(monkeypatch):
    ds = world()
    model = small(user="target", n_epochs=1, dropout=0.0).fit(ds)
    users, items, _ = rows_of(ds, model.settings)
    maker = BatchMaker(users, items, None, model._facts(), ds.positives(), 1000)
    batch = maker(0, HEAD, np.arange(20), 0)
    net = model._network.eval()
    together = net(batch).item()
    monkeypatch.setattr("recnb.models.two_tower.network.CELLS", 1)
    assert net(batch).item() == pytest.approx(together, abs=1e-5)
    codes = batch["candidates"][:3]
    vectors = net.vectors(torch.arange(len(net.place)))
    past = (batch["history"], batch["here"], batch.get("values"))
    found = _others(net, batch, None, vectors, past, codes)
    for column, code in enumerate(codes.tolist()):
        own = vectors[code].expand(20, -1)
        want = net.head.pairs(net.people(batch, vectors, past, own), own)
        torch.testing.assert_close(found[:, column], want, atol=1e-5, rtol=0)


@pytest.mark.parametrize("loss", ["mse", "softmax"])
def test_validation_rows_never_enter_the_weights(loss):
    ds = world()
    rank = ds.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    train = ds.rows(rank >= 2)
    fits = [small(loss=loss, n_epochs=1).fit(train, ds.rows(rank == k)) for k in (0, 1)]
    fits.append(small(loss=loss, n_epochs=1).fit(train))
    assert fits[0].learning_ != fits[1].learning_
    for other in fits[1:]:
        assert np.array_equal(weights(fits[0]), weights(other))


@pytest.mark.parametrize("user", ["mean", "text"])
@pytest.mark.parametrize("loss", ["mse", "softmax"])
def test_new_users_of_the_validation_part_are_asked_with_a_history(loss, user):
    split = splits.cold_user(world(), test=0.2, valid=0.5)
    model = small(loss=loss, user=user, n_epochs=1).fit(split.train, split.valid)
    history, asked = splits.fold_in(split.train, split.valid)
    users = np.flatnonzero(np.diff(asked.positives().indptr))
    if loss == "softmax":
        lists = top_k(model, users, exclude=history, history=history)
        truth = asked.positives()[users]
        value = ndcg(hits(lists, truth), np.diff(truth.indptr), 10).mean()
    else:
        rows = asked.interactions
        scores = model.score(np.arange(asked.n_users), history)[rows["user"], rows["item"]]
        value = -np.sqrt(np.mean((scores.clip(1, 5) - rows["rating"]) ** 2))
    assert model.learning_[0]["value"] == pytest.approx(value, abs=1e-4)
    new = np.setdiff1d(asked.interactions["user"], split.train.interactions["user"])
    assert len(new) == 15
    if user == "mean":  # afterwards only the training data are known
        assert np.ptp(model.score(new), axis=0).max() < 1e-6


SCRIPT = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from tests.unit.models.two_tower.test_two_tower import small, world
from recnb.models.two_tower.batches import BatchMaker
plain, calls = BatchMaker.__call__, []
def dying(self, epoch, kind, rows, number):
    if epoch == 1 and number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(self, epoch, kind, rows, number)
BatchMaker.__call__ = dying
small(method="top_layers", n_layers=1, n_epochs=3, checkpoint=sys.argv[1]).fit(world())
"""


def test_killed_in_an_epoch_and_resumed(tmp_path):
    settings = {"method": "top_layers", "n_layers": 1, "n_epochs": 3}
    whole = small(**settings).fit(world())
    root = str(Path(__file__).parents[4])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "run")],
        env=dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=root),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -9, done.stderr[-2000:]
    assert any((tmp_path / "run").rglob("*"))
    again = small(**settings, checkpoint=str(tmp_path / "run")).fit(world())
    assert np.array_equal(weights(whole), weights(again))
    again.set_params(n_epochs=1).fit(world())  # a training of its own
    assert len(again.learning_) == 1


@pytest.mark.parametrize("method", ["head_only", "top_layers", "full"])
@pytest.mark.parametrize("head", HEADS)
def test_saved_and_extended(head, method, tmp_path):
    ds = world()
    model = small(head=head, method=method, n_layers=1, n_epochs=1, item_id=True).fit(ds)
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    users = np.arange(ds.n_users)
    scores = model.score(users)
    np.testing.assert_allclose(again.score(users), scores, atol=1e-5)
    new = pd.DataFrame({"item_id": ["n1", "n2"], "title": texts()[28:]})
    more = again.with_items(new).score(users)
    assert more.shape == (ds.n_users, 32)
    np.testing.assert_allclose(more[:, :30], scores, atol=1e-4)
    np.testing.assert_allclose(more[:, 30:], scores[:, 28:], atol=1e-4)  # cold, of the same text


def test_another_encoder_is_refused(tmp_path, monkeypatch):
    model = small(n_epochs=1).fit(world())
    other = write_model(tmp_path / "other", "bert", seed=1)
    monkeypatch.setenv("RECNB_ENCODER", str(other))
    with pytest.raises(InputError, match=r"the model was trained on .*give the same encoder") as e:
        model.with_items(pd.DataFrame({"item_id": ["n"], "title": ["tea"]}))
    assert "\n" not in str(e.value)


def test_predict_is_there_for_ratings_only():
    ds = world()
    assert not hasattr(small(), "predict")
    model = small(loss="mse", n_epochs=1).fit(ds)
    found = model.predict(np.array([3, 0, 3]), np.array([1, 2, 29]))
    assert found.shape == (3,) and ((found >= 1) & (found <= 5)).all()
    np.testing.assert_allclose(
        found, model.score([3, 0])[[0, 1, 0], [1, 2, 29]].clip(1, 5), atol=1e-3
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "no"},
        {"loss": "no"},
        {"method": "no"},
        {"user": "no"},
        {"user": "mean+target"},
        {"n_epochs": -1},
        {"lr": -1.0},
        {"dropout": 1.5},
        {"width": 0},
        {"rows_per_batch": 0},
        {"items_per_batch": 0, "method": "full"},
        {"temperature": 0.0},
        {"n_negatives": 0},
        {"max_history": 0},
        {"head_epochs": -1.0},
        {"n_layers": 0, "method": "top_layers"},
        {"l2": -1.0},
    ],
    ids=str,
)
def test_settings_out_of_range(settings):
    with pytest.raises(InputError) as e:
        small(**settings).fit(world())
    assert "\n" not in str(e.value)


def test_ratings_from_implicit_data_are_refused():
    with pytest.raises(InputError, match="implicit feedback"):
        small(loss="mse").fit(world("implicit"))


def test_a_loss_that_is_no_number_names_epoch_and_step():
    with pytest.raises(InputError, match=r"epoch.*step|step.*epoch"):
        small(loss="mse", lr=1e30, n_epochs=4).fit(world())


def test_seeds():
    one, two, other = (small(method="full", seed=s).fit(world()) for s in (1, 1, 2))
    assert np.array_equal(weights(one), weights(two))
    assert not np.array_equal(weights(one), weights(other))


@pytest.mark.parametrize("head", HEADS)
def test_it_orders_items_without_rows(head):
    """Chance has half of the pairs right, with a deviation below 0.1 over 18 by 18 items."""
    ds = world(n_items=60)
    scores = small(head=head, n_epochs=25, lr=0.01).fit(ds).score(np.arange(30))
    parity = np.array([int(u[1:]) % 2 for u in ds.user_ids])
    cold = np.array([int(i[1:]) for i in ds.item_ids])
    right = []
    for u in range(30):
        mine = scores[u, (cold >= 24) & (cold % 2 == parity[u])]
        others = scores[u, (cold >= 24) & (cold % 2 != parity[u])]
        right.append((mine[:, None] > others).mean())
    assert np.mean(right) > 0.8
