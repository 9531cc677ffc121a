"""Names to models."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from recnb.data import Text
from recnb.errors import InputError
from recnb.models import (
    EASE,
    Blend,
    Popularity,
    TfIdf,
    describe,
    make,
    names,
    parse_models,
    register,
    registry,
)
from recnb.optional import need
from recnb.recommender import Recommender

LISTED = [
    "random",
    "popularity",
    "recent_popularity",
    "itemknn",
    "userknn",
    "itemknn_recent",
    "ease_recent",
    "transitions",
    "sknn",
    "vsknn",
    "ease",
    "als",
    "bpr",
    "mf",
    "svdpp",
    "bfm",
    "tfidf",
    "attributes",
    "text_frozen",
    "bfm_text",
    "text_joint",
]


class Mine(Popularity):
    """A model of the reader's own."""


class Plain(Popularity):
    """One whose settings say no type."""

    def __init__(self, most=1):
        self.most = most


@pytest.fixture
def homes():
    """What a test registers is forgotten after it."""
    table = dict(registry.TABLE)
    yield
    registry.TABLE.clear()
    registry.TABLE.update(table)


@pytest.mark.parametrize("name", LISTED)
def test_every_listed_name_makes_an_unfitted_model(name):
    model = make(name)
    assert isinstance(model, Recommender) and not model.fitted
    assert name in names() and 10 < len(describe(name)) < 120
    space = type(model).search_space()
    assert set(space) <= set(model.get_params())
    assert all(s[0] in ("int", "int_log", "float", "log", "choice") for s in space.values())
    assert model.seeded == ("seed" in model.get_params())


def test_settings_are_passed_and_checked():
    assert make("ease", l2=3.0).l2 == 3.0
    with pytest.raises(InputError, match=r"'ease' has no setting 'lambda_'; it has l2, max_items"):
        make("ease", lambda_=3.0)


def test_settings_of_every_type_that_fits_are_taken():
    assert make("ease", l2=np.float32(3)).l2 == 3 and make("als", n_factors=np.int64(4))
    assert make("tfidf[rank=auto,l2=2]").l2 == 2 and make("tfidf[rank=None]").rank is None
    assert registry._build(Plain, "plain", {"most": 0.5}).most == 0.5
    with pytest.raises(InputError, match="'plain': most='x'; most is a number"):
        registry._build(Plain, "plain", {"most": "x"})


def test_unknown_names_get_the_nearest_and_the_list():
    with pytest.raises(
        InputError, match=r"no model 'itemkn'; did you mean 'itemknn'\? there are random,"
    ):
        make("itemkn")


def test_a_plus_makes_a_blend():
    model = make("ease+tfidf", scale="rank")
    assert isinstance(model, Blend) and model.weights is None and model.scale == "rank"
    assert [type(m).__name__ for m in model.models] == ["EASE", "TfIdf"]
    assert "ease and tfidf" in describe("ease+tfidf")


def test_a_tuning_method_needs_a_model_that_has_it(homes):
    with pytest.raises(InputError, match="'ease' takes no tuning method, so 'ease@lora'"):
        make("ease@lora")

    class Tuned(Popularity):
        methods = ("full", "lora")

        def __init__(self, method: str = "full") -> None:
            self.method = method

    register("tuned", Tuned)
    assert make("tuned@lora").method == "lora"
    with pytest.raises(InputError, match="'tuned' has no tuning method 'qlora'; one of full, lora"):
        make("tuned@qlora")


def test_registering(homes):
    register("mine", Mine)
    register("mine", Mine)
    assert isinstance(make("mine"), Mine) and "mine" in names()
    with pytest.raises(InputError, match="taken"):
        register("ease", Mine)
    for name in ("a+b", "a@b", "a,b", "", "a b"):
        with pytest.raises(InputError, match="cannot name a model"):
            register(name, Mine)
    with pytest.raises(InputError, match="no Recommender"):
        register("dict", dict)  # type: ignore[arg-type]


def test_parsing_the_command_line():
    models = parse_models("random, ease+tfidf,mine=recnb.models.classical.linear:EASE,best=itemknn")
    assert list(models) == ["random", "ease+tfidf", "mine", "best"]
    assert isinstance(models["mine"], EASE) and type(models["best"]).__name__ == "ItemKNN"


def test_settings_in_brackets():
    text = (
        "ease[l2=5.0]+tfidf, few=als[n_factors=8,seed=3] ,fusion@lora[modalities=text+image,seed=1]"
    )
    models = parse_models(text)
    assert list(models) == [
        "ease[l2=5.0]+tfidf",
        "few",
        "fusion@lora[modalities=text+image,seed=1]",
    ]
    blend, few, fusion = models.values()
    assert blend.models[0].l2 == 5.0 and (few.n_factors, few.seed) == (8, 3)
    assert (fusion.modalities, fusion.method, fusion.seed) == ("text+image", "lora", 1)
    assert make("als[n_factors=8]", n_factors=9).n_factors == 9
    assert make("text_dot[width=None]").width is None
    assert describe("ease[l2=5.0]") == describe("ease")
    with pytest.raises(InputError, match="cannot name a model"):
        register("mine[x]", EASE)


def test_columns_that_are_read_as_text_stand_in_brackets(ds):
    models = parse_models(
        "text_frozen[text=title],sasrec[items=text,text=title+brand],pair[text=title]"
    )
    read = [model.text for model in models.values()]
    assert read == [Text("title"), Text("title", "brand"), Text("title")]
    with pytest.raises(
        InputError, match=r"text='title' is no template; text=Text\('title'\) reads"
    ):
        TfIdf(text="title").fit(ds)


@pytest.mark.parametrize(
    "text, words",
    [
        ("ease[l2]", "no setting, or stands twice"),
        ("ease[l2=1,l2=2]", "stands twice"),
        ("ease[]", "no setting"),
        ("ease[l3=1]", "no setting 'l3'"),
        ("ease[l2=1", r"'ease\[l2=1' lacks a '\]'; write NAME"),
        ("ease,tfidf[l2=1,way=mean", r"lacks a '\]'"),
        ("ease l2=1]", r"lacks a '\['"),
        ("ease[l2=abc]", r"'ease': l2='abc'; l2 is a number"),
        ("ease[l2=True]", "l2 is a number"),
        ("ease[l2=None]", "l2 is a number"),
        ("tfidf[rank=best]", "rank is a whole number or 'auto' or None"),
        ("als[n_factors=2.5]", "n_factors is a whole number"),
        ("text_frozen[centre=1]", "centre is True or False"),
        ("ease>[n=few]popularity", "n is a whole number"),
        ("ease,,random", "an empty name"),
        ("ease,ease", "stands twice"),
        ("mine=no.such.module:Class", "cannot be imported"),
        ("mine=recnb.models.classical.linear:Nothing", "cannot be imported"),
        ("mine=builtins:dict", "no Recommender"),
        ("ease+nothing", "no model 'nothing'"),
    ],
)
def test_parsing_says_what_is_wrong(text, words):
    with pytest.raises(InputError, match=words):
        parse_models(text)


def test_a_missing_package_names_its_extra(monkeypatch, ds):
    monkeypatch.setitem(sys.modules, "implicit", None)
    monkeypatch.setitem(sys.modules, "implicit.als", None)
    with pytest.raises(InputError, match=r"'als' needs implicit, .*; pip install implicit"):
        make("als").fit(ds)
    with pytest.raises(InputError, match="no_such"):
        need("no_such.part", "x")


def test_names_cost_no_heavy_import():
    code = (
        "import sys; from recnb.models import names, parse_models; parse_models('random,ease,als,bfm,text_frozen');"
        "print([m for m in ('torch', 'implicit', 'myfm', 'optuna', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name, head",
    [
        ("text_dot", "dot"),
        ("text_weighted_sum", "weighted_sum"),
        ("text_mlp", "mlp"),
        ("hybrid", "dot"),
    ],
)
def test_names_of_the_two_tower(name, head):
    model = make(name)
    assert model.head == head and not model.fitted and name in names()
    assert model.item_id == (name == "hybrid") and ("id" in model.user) == (name == "hybrid")
    assert make(f"{name}@full").method == "full" and 10 < len(describe(name)) < 120


def test_a_registered_class_is_known_everywhere(homes):
    """One call enters a model: names, make, the table of models, the figures."""
    from recnb.models import TfIdf, about
    from recnb.plots import style

    class Words(TfIdf):
        """Words of the reader's own."""

    register("words", Words, look=("purple", "o", "-"))
    assert "words" in names() and isinstance(make("words"), Words)
    assert about("words").title == "Words of the reader's own." and "warm" in about("words").can
    assert (style("words").colour, style("words").marker) == (style("bfm_text").colour, "o")
    assert "words" in parse_models("ease,words+ease,words") and describe("words")


def test_the_classes_of_the_table_are_public():
    import recnb.models as public

    for entry in registry.TABLE.values():
        assert entry.home.rpartition(":")[2] in public.__all__
        assert isinstance(getattr(public, entry.home.rpartition(":")[2]), type)
