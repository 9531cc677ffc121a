"""What a model reads is said by the model: every name, every method, blends, and classes of one's own."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from recnb import Recommender, make, register
from recnb.models import Blend, Switch, names, parse_models, registry
from recnb.recommender import LanguageModel, Reads, load_model

MINI = LanguageModel("sentence-transformers/all-MiniLM-L6-v2", 22_713_216)
SMOL = LanguageModel("smollm2-135m-instruct", 134_515_008)
# Written down by hand: ids, modalities, whether a language model reads.
READS = {
    "random": ("none", (), False),
    "popularity": ("counts", (), False),
    "recent_popularity": ("counts", (), False),
    "baseline": ("counts", (), False),
    **dict.fromkeys(
        [
            "itemknn",
            "userknn",
            "ease",
            "als",
            "bpr",
            "mf",
            "svdpp",
            "bfm",
            "knnbaseline",
            "itemknn_recent",
            "ease_recent",
            "transitions",
            "sknn",
            "vsknn",
            "sasrec",
            "hstu",
            "gru4rec",
            "lightgcn",
        ],
        ("pairs", (), False),
    ),
    "lightgcn_attributes": ("pairs", ("attributes",), False),
    "tfidf": ("none", ("text",), False),
    "attributes": ("none", ("attributes",), False),
    **dict.fromkeys(
        ["text_frozen", "text_joint", "text_weighted_sum", "text_dot", "text_mlp"],
        ("none", ("text",), True),
    ),
    **dict.fromkeys(["pair", "tagger"], ("none", ("text",), True)),
    **dict.fromkeys(["lm_yes", "lm_likelihood", "lm_list", "lm_embed"], ("none", ("text",), True)),
    "tiger": ("none", ("text",), True),
    "tiger_dense": ("none", ("text",), True),
    "lc_rec": ("none", ("text",), True),
    "bfm_text": ("pairs", ("text",), True),
    "hybrid": ("pairs", ("text",), True),
    "fusion": ("none", ("text", "media"), True),
}


def test_every_name_is_written_down():
    assert set(READS) == set(names())


@pytest.mark.parametrize("name", READS)
def test_every_name_says_what_it_reads(name):
    ids, modalities, language = READS[name]
    models = (SMOL,) if name.startswith("lm_") else (MINI,)
    if name == "lc_rec":  # one makes the ids, the other reads and writes them
        models = (MINI, SMOL)
    assert make(name).reads() == Reads(ids, modalities, models * language)


@pytest.mark.parametrize("name", [n for n in READS if hasattr(registry.lookup(n), "methods")])
def test_no_method_changes_what_is_read(name):
    for method in registry.lookup(name).methods:
        assert make(f"{name}@{method}").reads() == make(name).reads()


@pytest.mark.parametrize("pair", list(itertools.combinations(READS, 2)), ids="+".join)
def test_a_blend_reads_what_its_parts_read(pair):
    left, right = (make(name).reads() for name in pair)
    for model in (make("+".join(pair)), Switch(make(pair[0]), make(pair[1]))):
        reads = model.reads()
        assert reads.language == (left.language or right.language)
        assert set(reads.modalities) == {*left.modalities, *right.modalities}
        assert reads == left | right


@pytest.mark.parametrize(
    ("name", "modalities", "language", "more"),
    [
        ("fusion[modalities=image+audio]", ("image", "audio"), False, True),
        ("fusion[modalities=text+id]", ("text",), True, False),
        ("text_dot[traits=True]", ("text",), True, True),
        ("text_dot[user=id]", ("text",), True, False),
        ("bfm_text[use_text=False]", (), False, False),
        ("fusion[modalities=attributes+id]", ("attributes",), False, True),
    ],
)
def test_settings_decide(name, modalities, language, more):
    reads = make(name).reads()
    assert (reads.modalities, reads.language, reads.more_than_text) == (modalities, language, more)


def test_another_encoder_is_named_and_counted(tmp_path):
    from safetensors.numpy import save_file

    folder = tmp_path / "mine"
    folder.mkdir()
    save_file({"a": np.zeros((3, 4), np.float32), "b": np.zeros(5)}, folder / "model.safetensors")
    (there,) = make("text_frozen", encoder=str(folder)).reads().language_models
    assert there == LanguageModel("mine", 17)
    (hub,) = make("text_dot", encoder="bert-base-uncased").reads().language_models
    assert hub == LanguageModel("bert-base-uncased", None)


class Silent(Recommender):
    """A class that does not say what it reads."""

    def __init__(self, encoder: str = "bert") -> None:
        self.encoder = encoder


class Heir(registry.lookup("ease")):  # type: ignore[misc]
    """A class that inherits the answer."""


class Reader(Recommender):
    """A class that says it."""

    def reads(self) -> Reads:
        return Reads(modalities=("text",), language_models=(LanguageModel("mine", 7),))


def test_classes_of_ones_own(monkeypatch):
    monkeypatch.setitem(sys.modules, "their_models", sys.modules[__name__])
    models = parse_models("a=their_models:Silent,text_b=their_models:Heir,c=their_models:Reader")
    assert not models["a"].reads().known and not models["a"].reads().language
    assert models["text_b"].reads() == Reads("pairs")
    assert models["c"].reads().language
    half = Blend([models["a"], models["c"]]).reads()
    assert half.language and not half.known and half.more_than_text


def test_a_registered_class_answers_by_any_name():
    table = dict(registry.TABLE)
    try:
        register("text_plain", Heir)
        assert not make("text_plain+popularity").reads().language
    finally:
        registry.TABLE.clear()
        registry.TABLE.update(table)


def test_a_fitted_model_says_what_its_data_had(dataset, tmp_path):
    """Before the fit a name may be a column of text or vectors; afterwards it is known, and saved."""
    ds = dataset()
    model = make("fusion", modalities="kind", n_epochs=1, width=8)
    assert not model.reads().known
    model.fit(ds)
    (read,) = model.reads().language_models
    assert model.reads().known and read.name == MINI.name
    model.save(tmp_path / "m")
    assert load_model(tmp_path / "m").reads() == model.reads()


@pytest.mark.parametrize("name", ["ease", "tfidf", "popularity+tfidf"])
def test_a_fit_changes_no_answer(dataset, name):
    model = make(name)
    before = model.reads()
    assert model.fit(dataset()).reads() == before


def test_plain_values_and_back():
    for name in READS:
        reads = make(name).reads()
        assert Reads.from_dict(reads.to_dict()) == reads
    assert str(Reads.unknown()) == "unknown" and str(Reads()) == "nothing"
    assert str(make("ease").reads() | Reads.unknown()) == "ids at least"


def test_recorded_bests_without_a_language_model_have_none():
    """What results/warm_hybrid.json calls the best classical model reads no text, and no such model stands above it."""
    path = Path(__file__).parents[3] / "results" / "warm_hybrid.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for run in told["runs"]:
        values = {
            r["model"]: r["value"]
            for r in told["records"]
            if (r["data"], r["protocol"], r["metric"]) == (run["data"], run["protocol"], "ndcg")
        }
        without = {name: v for name, v in values.items() if not make(name).reads().language}
        assert set(values) - set(without) >= {"hybrid", "text_joint"}
        assert max(without, key=without.get) == run["best_classical_on_test"]
        assert run["best_classical_on_valid"] in without
