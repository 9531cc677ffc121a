"""The contract of a model: lists from scores, and folders that hold no code."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import recnb.recommender
from recnb import InputError, Recommender, load_model, top_k
from recnb.data import Dataset, Text
from recnb.recommender import top_k_scores


def data(n_users=30, n_items=60, seed=0):
    rng = np.random.default_rng(seed)
    cells = rng.permutation(n_users * n_items)[: n_users * 5]
    return Dataset.from_frames(
        pd.DataFrame({"user_id": cells // n_items, "item_id": cells % n_items}),
        pd.DataFrame({"item_id": range(n_items), "title": [f"t{i}" for i in range(n_items)]}),
        pd.DataFrame({"user_id": range(n_users)}),
    )


class Table(Recommender):
    """Hands out its own array of scores."""

    def __init__(self, seed: int = 0, levels: int = 1000) -> None:
        self.seed = seed
        self.levels = levels

    def _fit(self, train, valid) -> None:
        rng = np.random.default_rng(self.seed)
        shape = (train.n_users, train.n_items)
        self.table_ = (rng.integers(0, self.levels, shape) / self.levels).astype(np.float32)

    def score(self, users, history=None):
        return self.table_ if len(users) == len(self.table_) else self.table_[users]


class Factors(Table):
    def _fit(self, train, valid) -> None:
        rng = np.random.default_rng(self.seed)
        self.left_ = rng.normal(size=(train.n_users, 4)).astype(np.float32)
        self.right_ = rng.normal(size=(train.n_items, 4)).astype(np.float32)

    def factors(self):
        return self.left_, self.right_

    def score(self, users, history=None):
        return self.left_[users] @ self.right_.T


class Holder(Recommender):
    """Everything that may be saved, and what a test adds."""

    def __init__(self, text=None, sizes=(1, 2), name="n", part=None, parts=None, rate=0.5) -> None:
        self.text, self.sizes, self.name, self.part = text, sizes, name, part
        self.parts, self.rate = parts, rate

    def _fit(self, train, valid) -> None:
        rng = np.random.default_rng(0)
        self.csr_ = sparse.random(5, 7, 0.3, "csr", rng=rng, dtype=np.float32)
        self.empty_ = sparse.csr_matrix((3, 4), dtype=np.float32)
        self.floats_ = rng.normal(size=(3, 4))
        self.fortran_ = np.asfortranarray(rng.normal(size=(3, 4)).astype(np.float32))
        self.sliced_ = np.arange(20)[::3]
        self.scalar_array_ = np.array(3.5)
        self.none_ = np.zeros((0, 3), np.float32)
        self.flags_ = np.array([True, False])
        self.hash_ = np.array([2**64 - 1], np.uint64)
        self.words_ = np.array(["中文", "b"], dtype=object)
        self.number_, self.numpy_number_, self.nothing_ = 3, np.float64(2.5), None
        self.pair_, self.list_, self.dict_ = (1, "a"), [1, 2], {"a": [1]}
        self.inner_ = Table(seed=3).fit(train)
        self.models_ = [Table(seed=s).fit(train) for s in range(11)]

    def score(self, users, history=None):
        return self.inner_.score(users)


# ---------------------------------------------------------------- top k


def naive(scores, k, barred, allowed):
    """Sort every row; scores of these tests have no ties."""
    out = np.full((len(scores), k), -1)
    for row, values in enumerate(scores):
        order = [i for i in np.argsort(-values) if i in allowed and not barred[row, i]]
        out[row, : len(order[:k])] = order[:k]
    return out


@pytest.mark.parametrize("kind", [Table, Factors, np.ndarray])
def test_top_k_equals_sorting(kind):
    ds = data()
    if kind is np.ndarray:
        rng = np.random.default_rng(0)
        model = scores = rng.permutation(30 * 60).reshape(30, 60).astype(np.float32)
    else:
        model = kind(levels=10**7).fit(ds)
        scores = model.score(np.arange(ds.n_users)).copy()
    shelf = np.arange(3, 40, 2)
    for users in (np.arange(30), np.array([4, 4, 29])):
        for exclude in (None, ds, ds.pairs()):
            for candidates in (None, shelf):
                barred = np.zeros((30, 60), bool) if exclude is None else ds.pairs().toarray() > 0
                allowed = set(range(60)) if candidates is None else set(shelf)
                for k in (1, 10, 60, 70):
                    got = top_k(model, users, k, exclude, candidates)
                    assert got.dtype == np.int64 and got.shape == (len(users), k)
                    expected = naive(scores[users], k, barred[users], allowed)
                    np.testing.assert_array_equal(got, expected)


def test_an_empty_shelf_lists_nothing():
    assert (top_k(Table().fit(data()), k=3, candidates=np.array([])) == -1).all()


def test_striking_out_leaves_the_models_scores_alone():
    ds = data()
    model = Table().fit(ds)
    before = model.table_.copy()
    first = top_k(model, k=5, exclude=ds, candidates=np.arange(20))
    np.testing.assert_array_equal(model.table_, before)
    np.testing.assert_array_equal(top_k(model, k=5, exclude=ds, candidates=np.arange(20)), first)
    matrix = before.copy()
    top_k(matrix, k=5, exclude=ds)
    np.testing.assert_array_equal(matrix, before)


def test_scores_of_the_listed():
    scores = np.array([[0.1, 0.9, 0.5]], np.float32)
    items, values = top_k_scores(scores, k=4, exclude=sparse.csr_matrix([[0, 1, 0]]))
    np.testing.assert_array_equal(items, [[2, 0, -1, -1]])
    np.testing.assert_allclose(values, [[0.5, 0.1, np.nan, np.nan]], rtol=1e-6)


def test_ties_follow_the_ids_and_not_the_order_of_the_catalogue():
    ds = data()
    order = np.random.default_rng(1).permutation(ds.n_items)
    rows = pd.DataFrame(
        {
            "user_id": ds.user_ids[ds.interactions["user"]],
            "item_id": ds.item_ids[ds.interactions["item"]],
        }
    )
    other = Dataset.from_frames(rows, ds.items.reset_index().iloc[order], ds.users.reset_index())
    flat = np.zeros((ds.n_users, ds.n_items), np.float32)
    a = top_k_scores(flat, k=60, ids=(ds.user_ids, ds.item_ids))[0]
    b = top_k_scores(flat, k=60, ids=(other.user_ids, other.item_ids))[0]
    np.testing.assert_array_equal(ds.item_ids[a], other.item_ids[b])
    # the shorter list is the start of the longer one, and users differ in their ties
    np.testing.assert_array_equal(
        top_k_scores(flat, k=7, ids=(ds.user_ids, ds.item_ids))[0], a[:, :7]
    )
    assert len({tuple(row) for row in a[:, :5]}) == ds.n_users
    # no place of the catalogue is favoured: mean code of the first 20 is about the middle
    assert abs(a[:, :20].mean() - 29.5) < 2.5


class Broken(Table):
    def __init__(self, bad=np.nan):
        self.bad = bad

    def _fit(self, train, valid):
        self.shape_ = (train.n_users, train.n_items)

    def score(self, users, history=None):
        out = np.zeros((len(users), self.shape_[1]), np.float32)
        out[len(users) // 2, 3] = self.bad
        return out


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_raise_with_the_name(bad):
    ds = data()
    with pytest.raises(InputError, match=r"^Broken gave a NaN or infinite score"):
        top_k(Broken(bad).fit(ds))
    with pytest.raises(InputError, match=r"^mine gave a NaN or infinite score"):
        top_k_scores(Broken(bad).fit(ds), name="mine", exclude=ds, candidates=np.arange(9))
    scores = np.zeros((2, 9), np.float32)
    scores[1, 0] = bad
    with pytest.raises(InputError, match=r"^the score matrix gave"):
        top_k(scores)


def test_factors_that_overflow_raise():
    ds = data()
    model = Factors().fit(ds)
    model.left_[3] = 1e38
    with (
        np.errstate(over="ignore"),
        pytest.raises(InputError, match=r"^Factors gave a NaN or infinite score"),
    ):
        top_k(model)


WRONG = {
    "k of zero": (dict(k=0), "k=0; ask for a whole number"),
    "fractional k": (dict(k=2.5), r"k=2\.5"),
    "user": (dict(users=np.array([0, 30])), r"a user code outside 0\.\.29"),
    "negative user": (dict(users=np.array([-1])), "a user code outside"),
    "item": (dict(candidates=np.array([3, 60])), r"a candidate outside 0\.\.59"),
    "negative item": (dict(candidates=np.array([-1])), "a candidate outside"),
    "ids for codes": (dict(candidates=np.array(["3"])), "a candidate outside"),
    "pairs of other data": (
        dict(exclude=sparse.csr_matrix((30, 61))),
        r"exclude has shape \(30, 61\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name):
    arguments, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        top_k(Table().fit(data()), **arguments)


def test_unfitted_and_unfit():
    with pytest.raises(InputError, match="Table is not fitted; call fit first"):
        top_k(Table())
    with pytest.raises(InputError, match="fit expects a recnb Dataset, got DataFrame"):
        Table().fit(pd.DataFrame())
    assert not Table().fitted and Table().fit(data()).fitted


# ---------------------------------------------------------------- files


@pytest.fixture
def saved(tmp_path):
    """A folder whose class is found by its name, and the model in it."""
    recnb.recommender.Holder, recnb.recommender.Table = Holder, Table
    Holder.__module__ = Table.__module__ = "recnb.recommender"
    inner = Holder(part=Table(seed=5))
    model = Holder(
        Text("title", max_words=9), (3, 4), "名", inner, [Table(seed=1), Table(seed=2)]
    ).fit(data())
    model.save(tmp_path / "model")
    yield model, tmp_path / "model"
    del recnb.recommender.Holder, recnb.recommender.Table


def same(a, b):
    if sparse.issparse(a):
        assert a.shape == b.shape and a.dtype == b.dtype and (a != b).nnz == 0
    elif isinstance(a, np.ndarray):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, Recommender):
        assert type(a) is type(b)
        assert vars(a).keys() == vars(b).keys()
        for name in vars(a):
            same(vars(a)[name], vars(b)[name])
    elif isinstance(a, list) and a and isinstance(a[0], Recommender):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    else:
        assert a == b and (type(a) is type(b) or isinstance(a, np.generic))


def test_a_saved_model_is_the_same_model(saved):
    model, path = saved
    back = load_model(path)
    same(model, back)
    assert [m.seed for m in back.models_] == list(range(11))  # the tenth after the ninth
    assert not back.part.fitted and back.part.part.seed == 5
    assert (
        back.dataset_digest_ == data().digest
        and back.item_ids_.tolist() == model.item_ids_.tolist()
    )
    np.testing.assert_array_equal(top_k(model, k=9), top_k(back, k=9))
    kinds = {p.suffix for p in path.rglob("*") if p.is_file()}
    assert kinds == {".json", ".safetensors"}
    back.save(path.with_name("again"))
    same(model, load_model(path.with_name("again")))


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        lambda: 0,
        {1: np.zeros(2)},
        {"a": {"b": np.zeros(2)}, "c": [np.zeros(2)]},
        {"a": np.zeros(2), "b": Table()},
        [np.zeros(2)],
        {1: "a"},
        np.array([object()]),
        np.array([1, "a"], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.array([1j]),
        pd.DataFrame({"a": [1]}),
    ],
)
def test_what_has_no_safe_form_is_refused(saved, tmp_path, value):
    model, _ = saved
    model.extra_ = value
    with pytest.raises(InputError, match=r"'extra_[^']*' .* has no safe form; store arrays"):
        model.save(tmp_path / "other")


def test_a_dict_of_arrays_comes_back(saved, tmp_path):
    model, _ = saved
    model.extra_ = {
        "weights": {"a.b": np.arange(6, dtype=np.float32).reshape(2, 3), "none": np.zeros((0, 4))},
        "codes": np.array([3, 1]),
        "ids": np.array(["x", "y"], dtype=object),
        "facts": {"dim": 3, "names": ["p", "q"]},
        "nothing": None,
    }
    model.save(tmp_path / "other")
    back = load_model(tmp_path / "other").extra_
    assert list(back) == list(model.extra_) and list(back["weights"]) == ["a.b", "none"]
    for got, want in (
        (back["weights"]["a.b"], model.extra_["weights"]["a.b"]),
        (back["weights"]["none"], model.extra_["weights"]["none"]),
        (back["codes"], model.extra_["codes"]),
        (back["ids"], model.extra_["ids"]),
    ):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype
    assert back["facts"] == model.extra_["facts"] and back["nothing"] is None


def test_unfitted_models_are_not_saved(tmp_path):
    with pytest.raises(InputError, match="Table is not fitted; call fit first"):
        Table().save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def change(path, **values):
    head = json.loads((path / "model.json").read_text())
    head.update(values)
    (path / "model.json").write_text(json.dumps(head))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"class": "os:system"}, "os:system is no Recommender"),
        ({"class": "builtins:eval"}, "is no Recommender"),
        ({"class": "no.such.module:M"}, "not imported, and to import it runs its code"),
        ({"class": "recnb.no_such:M"}, "cannot be imported"),
        ({"class": "..x:Y"}, "no module:Class"),
        ({"class": "os.path:.."}, "no module:Class"),
        ({"models": ["a.b"]}, "names no part of the model"),
        ({"models": ["a.1.2"]}, "names no part of the model"),
        ({"values": {"__class__": {"value": "x"}}}, "broken at '__class__'"),
        ({"values": {"w_": 3}}, "broken at 'w_'"),
        ({"values": {"w_": {}}}, "arrays cannot be read"),
        ({"values": {"item_ids_": {"value": "abc"}}}, "'item_ids_' holds no ids"),
        ({"class": "recnb.recommender:Nothing"}, "cannot be imported"),
        ({"class": ""}, "no module:Class"),
        ({"class": 3}, "broken"),
        ({"models": ["../../elsewhere"]}, "names no part of the model"),
        ({"models": None}, "broken"),
        ({"values": []}, "broken"),
        ({"schema": 99}, "written as schema 99"),
        ({"values": {"unknown": {"value": 1}}}, "settings do not fit"),
        ({"values": {"w_": {"array": True}}}, "arrays cannot be read"),
        ({"values": {"o_": {"object": "os:path", "json": {}}}}, "os:path is no part of recnb"),
        ({"values": {"o_": {"object": "recnb.osx:P", "json": {}}}}, "cannot be read"),
    ],
)
def test_a_tampered_folder_is_refused(saved, values, message):
    _, path = saved
    change(path, **values)
    with pytest.raises(InputError, match=message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and caught.value.mend


def test_loading_runs_no_code_that_the_reader_did_not_import(tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text(
        "import pathlib\n"
        "from recnb import Recommender\n"
        "pathlib.Path(__file__).with_name('ran').touch()\n"
        "class Model(Recommender):\n"
        "    def _fit(self, train, valid): self.w_ = 1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    Table(seed=3).fit(data()).save(tmp_path / "model")
    change(tmp_path / "model", **{"class": "stranger:Model", "values": {"w_": {"value": 2.0}}})
    with pytest.raises(InputError, match="to import it runs its code; import stranger first, or"):
        load_model(tmp_path / "model")
    assert not (tmp_path / "ran").exists()
    assert load_model(tmp_path / "model", trust=True).w_ == 2.0 and (tmp_path / "ran").exists()
    assert load_model(tmp_path / "model").w_ == 2.0  # imported by now
    monkeypatch.delitem(sys.modules, "stranger")


def test_saving_is_whole_or_not_at_all(tmp_path):
    model = Table(seed=3).fit(data())
    model.save(tmp_path / "model")
    before = {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()}
    model.extra_ = {1, 2}  # found out only while it is written
    with pytest.raises(InputError, match="no safe form"):
        model.save(tmp_path / "model")
    assert {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(InputError, match="holds something else; name a new folder"):
        Table(seed=3).fit(data()).save(tmp_path / "mine")


def test_a_broken_folder_is_refused(saved, tmp_path):
    _, path = saved
    with pytest.raises(InputError, match=r"no model.json here; name a saved model"):
        load_model(tmp_path)
    (path / "model.safetensors").write_bytes(b"\x80\x04.")  # the start of a pickle
    with pytest.raises(InputError, match="arrays cannot be read"):
        load_model(path)
    (path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="arrays cannot be read"):
        load_model(path)
    (path / "model.json").write_text("{")
    with pytest.raises(InputError, match=r"model.json is broken"):
        load_model(path)


def test_parameters_are_counted():
    model = Factors().fit(data())
    assert model.parameters() == (360, 360)
    holder = Holder().fit(data())
    floats = holder.floats_.size + holder.fortran_.size + 1
    assert holder.parameters()[1] == holder.csr_.nnz + floats + 12 * 1800
