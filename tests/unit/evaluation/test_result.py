"""Tables, comparisons, groups: each recomputed from the per-user values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, Recommender, evaluate
from recnb.data import splits
from recnb.evaluation import Protocol
from recnb.evaluation.columns import Column
from recnb.metrics import bootstrap
from tests.unit.evaluation.conftest import Mean, Noisy, Popular, build, table


class Taste(Mean):
    """Knows that parities match, so it beats popularity for every user."""

    def _fit(self, train, valid) -> None:
        super()._fit(train, valid)
        side = (
            [int(name[1:]) % 2 for name in train.user_ids],
            [int(n[1:]) % 2 for n in train.item_ids],
        )
        self.match_ = 9 * (np.array(side[0])[:, None] == np.array(side[1])[None, :])

    def score(self, users, history=None):
        return (super().score(users) + self.match_[users]).astype(np.float32)

    def predict(self, users, items):
        return (2 + self.match_[users, items] / 5).astype(np.float32)


class Unseen(Recommender):
    """Scores of a hash: nothing learned."""

    def _fit(self, train, valid) -> None:
        self.shape_ = train.n_users, train.n_items

    def score(self, users, history=None):
        rng = np.random.default_rng(5)
        return rng.random(self.shape_, dtype=np.float32)[users]


@pytest.fixture(scope="module")
def ev():
    split = splits.user_time(build(table()), test=0.3, valid=0.2)
    models = {"popular": Popular(), "noisy": Noisy(), "taste": Taste(), "unseen": Unseen()}
    return evaluate(models, split, Protocol(k=(5, 10), metrics=("ndcg", "recall")), seeds=(0, 1))


def column(ev, model, metric="ndcg", k=5):
    """A model's values by user, averaged over its seeds, from the long table alone."""
    rows = ev.per_user.query("model == @model and metric == @metric")
    rows = rows[rows["k"].isna() if k is None else rows["k"] == k]
    return rows.groupby("user_id")["value"].mean()


def draws(n, seed=0, n_draws=2000):
    """The resamples that the package draws, one at a time: row numbers with replacement."""
    rng = np.random.default_rng(seed)
    return np.array([rng.integers(0, n, size=n) for _ in range(n_draws)])


def in_order(ev, series):
    return series.reindex(ev.users.index[ev.users.index.isin(series.index)])


def test_value_and_interval_by_hand(ev):
    for row in ev.table().query("metric != 'rmse' and metric != 'mae'").itertuples():
        values = in_order(ev, column(ev, row.model, row.metric, row.k)).to_numpy()
        assert row.value == pytest.approx(values.mean()) and row.n_users == len(values)
        resampled = values[draws(len(values))].mean(axis=1)
        low, high = np.quantile(resampled, [0.025, 0.975])
        assert (row.low, row.high) == pytest.approx((low, high))
        assert row.low <= row.value <= row.high


def test_the_protocol_chooses_the_interval_of_values():
    """Values have it in the table, by seed and by group; differences keep percentiles."""
    split = splits.user_time(build(table()), test=0.3, valid=0.2)
    models = {"popular": Popular(), "taste": Taste()}
    protocol = Protocol(k=(5, 10), metrics=("ndcg", "recall"), draws=2000)
    plain, other = (
        evaluate(models, split, replace(protocol, interval=kind)) for kind in ("percentile", "bca")
    )
    for frame in (other.table(), other.by_seed()):
        for row in frame[~frame["metric"].isin(["rmse"])].itertuples():
            part = other.per_user[other.per_user["metric"] == row.metric]
            part = part[part["model"] == row.model]
            part = in_order(
                other, (part if pd.isna(row.k) else part[part["k"] == row.k]).set_index("user_id")
            )
            weights = part["weight"].to_numpy()
            low, high = bootstrap(part["value"].to_numpy(), weights=weights, interval="bca")
            assert (row.low, row.high) == pytest.approx((low, high))
    moved = plain.table()["low"] != other.table()["low"]
    assert moved.mean() > 0.8 and (plain.by("side")["low"] != other.by("side")["low"]).any()
    pd.testing.assert_frame_equal(plain.compare("popular"), other.compare("popular"))
    with pytest.raises(InputError, match="one of percentile, bca"):
        Protocol(interval="t")


def test_rmse_is_pooled_over_rows_and_resampled_over_users(ev):
    long = ev.per_user[ev.per_user["model"] == "taste"].set_index("user_id")
    for metric, change in (("rmse", np.sqrt), ("mae", np.asarray)):
        rows = long[long["metric"] == metric]
        rows = in_order(ev, rows[["value", "weight"]])
        v, w = rows["value"].to_numpy(), rows["weight"].to_numpy()
        assert len(set(w)) > 1
        (row,) = (r for r in ev.table().itertuples() if (r.model, r.metric) == ("taste", metric))
        assert row.value == pytest.approx(change((v * w).sum() / w.sum()))
        at = draws(len(v))
        resampled = change((v * w)[at].sum(axis=1) / w[at].sum(axis=1))
        assert (row.low, row.high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])))


def test_rmse_from_the_rows_themselves():
    split = splits.user_time(build(table()), test=0.3, valid=0.2)
    model = Mean().fit(split.known)
    rows = split.test.interactions
    guess = model.predict(rows["user"].to_numpy(), rows["item"].to_numpy())
    error = np.clip(guess, 1, 5) - rows["rating"]
    t = evaluate({"mean": model}, split).table().set_index("metric")["value"]
    assert t["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert t["mae"] == pytest.approx(error.abs().mean())


@pytest.mark.parametrize("to", ["popular", "taste"])
def test_compare_is_the_paired_difference(ev, to):
    out = ev.compare(to)
    assert out["model"].tolist() == [m for m in ev.models if m != to] and set(out["to"]) == {to}
    base = in_order(ev, column(ev, to))
    p = []
    for row in out.itertuples():
        gap = (in_order(ev, column(ev, row.model)) - base).to_numpy()
        assert row.difference == pytest.approx(gap.mean()) and row.n_users == len(gap)
        low, high = np.quantile(gap[draws(len(gap))].mean(axis=1), [0.025, 0.975])
        assert (row.low, row.high) == pytest.approx((low, high))
        # the randomisation test with draws of our own: within five standard errors of ours
        signs = np.random.default_rng(1).choice([-1, 1], (20_000, len(gap)))
        q = (1 + (np.abs((signs * gap).mean(axis=1)) >= abs(gap.mean()) - 1e-12).sum()) / 20_001
        assert abs(row.p - q) < 5 * np.sqrt(q * (1 - q) / 2000) + 1 / 2001
        p.append(row.p)
    # Holm, step by step
    expected, largest = {}, 0.0
    for rank, at in enumerate(np.argsort(p, kind="stable")):
        largest = max(largest, min(1.0, p[at] * (len(p) - rank)))
        expected[at] = largest
    assert out["p_holm"].tolist() == pytest.approx([expected[i] for i in range(len(p))])
    assert (out["p_holm"] >= out["p"]).all()


def test_the_reference_has_to_be_named(ev):
    with pytest.raises(InputError, match=r"are judged; .*the best here is taste") as one:
        ev.compare()
    assert "\n" not in str(one.value)


def test_what_is_better_is_found_better(ev):
    out = ev.compare("popular").set_index("model")
    assert out.loc["taste", "low"] > 0 and out.loc["taste", "p_holm"] < 0.01
    assert ev.best() == "taste"
    back = ev.compare("taste").set_index("model").loc["popular"]
    assert back["difference"] == pytest.approx(-out.loc["taste", "difference"])
    assert (back["low"], back["high"]) == pytest.approx(
        (-out.loc["taste", "high"], -out.loc["taste", "low"])
    )
    assert ev.best(ev.key("rmse")) == "taste"  # the lower error
    assert ev.best(among=["noisy", "unseen"]) == "noisy"


def test_the_same_model_twice_differs_by_nothing():
    split = splits.user_time(build(table()))
    out = evaluate({"a": Popular(), "b": Popular()}, split).compare("a")
    assert out[["difference", "low", "high"]].eq(0).all(axis=None) and out["p"].eq(1).all()


def test_comparisons_hold_every_pair_of_every_metric(ev):
    out = ev.comparisons()
    assert not out.duplicated(["model", "to", "metric", "k"]).any()
    assert len(out.query("metric == 'ndcg' and k == 5")) == 4 * 3
    assert len(out.query("metric == 'rmse'")) == 2 * 1 - 2 + len(out.query("metric == 'mae'"))
    for (_, metric, k), part in out.groupby(["to", "metric", "k"], dropna=False):
        pd.testing.assert_frame_equal(
            part.reset_index(drop=True),
            ev.compare(part["to"].iloc[0], metric, None if pd.isna(k) else k),
        )


def test_named_measures(ev):
    assert ev.key() == ev.headline == ("ndcg", 5, "catalogue")
    assert ev.key("recall", 10) == ("recall", 10, "catalogue") and ev.key(k=10)[0] == "ndcg"
    with pytest.raises(
        InputError, match=r"metric=auc, .* was not measured; measured are mae, ndcg"
    ):
        ev.key("auc")
    with pytest.raises(InputError, match="no model 'ease' with ndcg; one of popular"):
        ev.compare("ease")
    with pytest.raises(
        InputError, match="no column 'height' of users; one of activity, popularity"
    ):
        ev.by("height")


@pytest.mark.parametrize("group", ["activity", "popularity", "side", "age"])
def test_groups_divide_the_users(ev, group):
    labels = ev.groups(group)
    assert labels.index.equals(ev.users.index) and labels.notna().all()
    out = ev.by(group, to="popular")
    n = out.query("model == 'popular'").set_index("group")["n_users"]
    assert n.sum() == ev.table().query("model == 'popular'")["n_users"].iloc[0]
    for row in out.itertuples():
        inside = labels.index[(labels == row.group).to_numpy()]
        mine, base = column(ev, row.model), column(ev, "popular")
        mine, base = mine[mine.index.isin(inside)], base[base.index.isin(inside)]
        assert row.n_users == len(mine) and row.value == pytest.approx(mine.mean())
        assert row.low <= row.value <= row.high
        assert row.difference == pytest.approx((mine - base).mean())
        if row.model != "popular":
            assert row.difference_low <= row.difference <= row.difference_high
    # the whole is the weighted mean of the groups
    part = out.query("model == 'taste'")
    whole = np.average(part["value"], weights=part["n_users"])
    assert whole == pytest.approx(ev.table().query("model == 'taste' and k == 5")["value"].iloc[0])


def test_thirds_keep_ties_together_and_the_unknown_apart(ev):
    n = len(ev.users)
    known = np.arange(n) // 5.0
    users = ev.users.assign(taste=np.where(np.arange(n) < 3, np.nan, known))
    labels = replace(ev, users=users).groups("taste")
    assert labels.isna().sum() == 0 and (labels == "not given").sum() == 3
    assert labels.value_counts().drop("not given").between(n / 3 - 5, n / 3 + 5).all()
    assert all(labels[users["taste"] == v].nunique() == 1 for v in set(known[3:]))
    assert [c.split(" ")[0] for c in labels.cat.categories] == ["low", "middle", "high", "not"]
    words = users.assign(town=[None, "x"] + ["y"] * (n - 2))
    labels = replace(ev, users=words).groups("town")
    assert labels.value_counts().to_dict() == {"y": n - 2, "x": 1, "not given": 1}


def test_models_are_compared_over_the_users_they_share(ev):
    columns = dict(ev.columns)
    for (model, seed, key), c in ev.columns.items():
        if model == "unseen":
            columns[model, seed, key] = Column(c.users[5:], c.values[5:])
    some = replace(ev, columns=columns)
    row = some.compare("popular").set_index("model").loc["unseen"]
    a, b = (in_order(ev, column(ev, m)).to_numpy()[5:] for m in ("unseen", "popular"))
    assert row["n_users"] == len(a) and row["difference"] == pytest.approx((a - b).mean())
    assert some.compare("popular").set_index("model").loc["taste", "n_users"] == len(a) + 5


def test_one_user_says_nothing_about_others():
    rows = pd.DataFrame({"user_id": ["u0", "u0", "u1", "u1"], "item_id": list("xyyx")})
    rows = rows.assign(timestamp=range(4), rating=[5, 5, 5, 2])
    split = splits.leave_one_out(build(rows), valid=False)
    flat = np.zeros((2, 2), np.float32)
    ev = evaluate({"m": flat, "n": flat + 1}, split, Protocol(k=1))
    (one,) = set(ev.table()["n_users"])  # u1 likes no test item
    assert one == 1 and ev.table()[["low", "high"]].isna().all(axis=None)
    assert ev.compare("m")[["low", "high"]].isna().all(axis=None)
    assert ev.by("side")[["low", "high"]].isna().all(axis=None)


def test_draws_and_seed_follow_the_protocol():
    split = splits.user_time(build(table()))
    a, b, c = (
        evaluate({"m": Popular()}, split, protocol).table()
        for protocol in (Protocol(seed=1), Protocol(seed=1), Protocol(seed=2, draws=1000))
    )
    pd.testing.assert_frame_equal(a, b)
    assert (a["value"] == c["value"]).all() and (a["low"] != c["low"]).any()


def test_tables_may_be_changed_by_who_reads_them(ev):
    t = ev.table()
    t["value"] = 0
    assert (ev.table()["value"] != 0).any()
