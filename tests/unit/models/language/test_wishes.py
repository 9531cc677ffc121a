"""Wishes in words: what is read of them, how lists follow, and what odd ones do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from recnb import load, top_k
from recnb.data import Dataset
from recnb.data.text import Text
from recnb.errors import InputError
from recnb.metrics import adherence
from recnb.models import (
    EASE,
    Asked,
    Condition,
    Edited,
    Rule,
    Steered,
    TextFrozen,
    adherence_of,
    steer,
)
from recnb.models.language.control.reading import Vocabulary, years
from recnb.models.language.control.ways import NEUTRAL
from recnb.models.language.control.wish import Wish
from recnb.progress import listening
from recnb.recommender import load_model

FILMS = (
    ("Alien", 1979, "Horror, Sci-Fi"),
    ("The Shining", 1980, "Horror"),
    ("Blade Runner", 1982, "Sci-Fi"),
    ("Jaws", 1975, "Horror, Thriller"),
    ("Toy Story", 1995, "Animation, Children's, Comedy"),
    ("Aladdin", 1992, "Animation, Children's, Musical"),
    ("Pretty Woman", 1990, "Comedy, Romance"),
    ("Notting Hill", 1999, "Comedy, Romance"),
    ("Platoon", 1986, "Drama, War"),
    ("Titanic", 1997, "Drama, Romance"),
    ("Scream", 1996, "Horror, Thriller"),
    ("The Lion King", 1994, "Animation, Children's, Musical"),
)
TEXT = Text("title", "year", "genres")
HORROR = Rule.of(Condition(("genres",), ("horror",)))


@pytest.fixture(scope="module")
def ds() -> Dataset:
    rows = [
        (f"u{u}", f"i{i:02d}", 1000 + t)
        for u in range(10)
        for t, i in enumerate(np.random.default_rng(u).permutation(12)[:5])
    ]
    items = pd.DataFrame(FILMS, columns=["title", "year", "genres"])
    items.insert(0, "item_id", [f"i{i:02d}" for i in range(12)])
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return Dataset.from_frames(table, items, feedback="implicit")


@pytest.fixture(scope="module")
def base(ds):
    return EASE().fit(ds)


@pytest.fixture(scope="module")
def asked(decoder) -> Asked:
    return Asked(text=TEXT, thing="film", device="cpu")


@pytest.mark.parametrize(
    ("wish", "titles"),
    [
        ("only before 1980", ["Alien", "Jaws"]),
        ("no horror, no war, not before 1995", ["Toy Story", "Notting Hill", "Titanic"]),
        ("only musicals", ["Aladdin", "The Lion King"]),
        ("comedies or musicals, since 1995", ["Toy Story", "Notting Hill"]),
        ("only children's films from the 90s and no musical", ["Toy Story"]),
        ("romance and drama", ["Titanic"]),
        ("nothing but sci-fi between 1980 and 1990", ["Blade Runner"]),
        ("only horor, in 1996", ["Scream"]),  # misspelt
        ("drama until 1986", ["Platoon"]),
    ],
)
def test_a_filter_reads_years_and_values(ds, wish, titles):
    mask = Vocabulary(ds.items).read(wish).rule.mask(ds.items)
    assert ds.items["title"][mask].tolist() == titles


@pytest.mark.parametrize(
    ("wish", "titles"),
    [
        ("only before 1980", ["Alien", "Jaws"]),
        ("horror from the 90s", ["Scream"]),
        ("price under 2.5", ["Alien", "The Shining"]),
        ("price is over 10.5", ["Scream", "The Lion King"]),
        ("1996", ["Scream"]),
    ],
)
def test_a_filter_reads_numbers_of_a_file_of_ones_own(ds, tmp_path, wish, titles):
    table = ds.items.reset_index().assign(price=[f"{n} €" for n in range(1, 13)])
    table.to_csv(tmp_path / "items.csv", index=False)
    rows = pd.DataFrame({"user_id": ["a"] * 12, "item_id": ds.item_ids, "timestamp": range(12)})
    rows.to_csv(tmp_path / "interactions.csv", index=False)
    shop = load(tmp_path)
    assert not pd.api.types.is_numeric_dtype(shop.items["year"]), "whole numbers may be codes"
    model = steer(EASE().fit(shop), wish, shop, "filter")
    assert model.steers_, model.said_
    assert shop.items["title"][model.fits_ == 1].tolist() == titles


@pytest.mark.parametrize(
    "wish", ["surprise me", "something lighter", "the weather is nice", "!!!", "black and white"]
)
def test_a_filter_says_what_it_did_not_understand(ds, base, wish):
    reading = Vocabulary(ds.items).read(wish)
    assert not reading.rule and reading.understood == 0
    assert all("not understood" in line for line in reading.said)
    model = steer(base, wish, ds, "filter")
    assert not model.steers_
    np.testing.assert_array_equal(model.score(np.arange(10)), base.score(np.arange(10)))


def test_a_clause_of_200_words_is_quoted_in_short(ds):
    (line,) = Vocabulary(ds.items).read("nice " * 10_000).said
    assert len(line) < 120 and line.endswith("…': not understood")


def test_a_table_without_years_says_so(ds):
    items = ds.items.drop(columns="year")
    said = "no column with 'year' in its name"
    assert said in Vocabulary(items).read("only before 1990").said[0]
    unsaid = items.assign(year=["old", "new"] * 6)
    assert "column year holds no numbers" in Vocabulary(unsaid).read("before 1990").said[0]
    assert not Vocabulary(items[["title"]]).read("no horror").rule
    assert years("the 1980s") == ((1980, 1989), "") and years("1990 reasons")[0] is None


def test_a_filtered_list_obeys_and_keeps_the_order_of_the_base(ds, base):
    users = np.arange(10)
    no_horror = Rule.of(Condition(("genres",), ("horror",), wanted=False))
    before = top_k(base, users, k=12, exclude=ds)
    model = steer(base, "no horror", ds, "filter")
    lists = top_k(model, users, k=12, exclude=ds)
    obeys = no_horror.mask(ds.items)
    for old, new in zip(before, lists):
        old, new = old[old >= 0], new[new >= 0]
        assert new.tolist() == [*old[obeys[old]], *old[~obeys[old]]]
    n = int((obeys[before] & (before >= 0)).sum(axis=1).min())
    found = adherence_of(lists[:, :n], no_horror, ds.items)
    assert found.value == 1 > adherence_of(before[:, :n], no_horror, ds.items).value
    assert found.n_users == 10


@pytest.mark.parametrize("wish", ["only before 1990, only after 1995", "only horror and comedy"])
def test_a_wish_that_no_item_fulfils_leaves_the_list(ds, base, wish):
    model = steer(base, wish, ds, "filter")
    assert not model.steers_ and "no item fulfils it" in model.said_[-1]
    np.testing.assert_array_equal(model.score(np.arange(4)), base.score(np.arange(4)))


@pytest.mark.parametrize("way", ["filter", "decoder", "history"])
def test_an_empty_wish_leaves_the_list(ds, base, way):
    model = steer(base, " \n", ds, way)  # nothing is opened or asked
    np.testing.assert_array_equal(model.score(np.arange(4)), base.score(np.arange(4)))


def test_a_wish_of_ten_thousand_words_is_cut_and_counted(ds, base):
    said = []
    with listening(said=said.append):
        model = steer(base, "no horror, " + "very " * 9_998, ds, "filter")
    assert model.cut_ == 9_800
    assert said == ["the wish has 10,000 words: the first 200 are read"] == model.said_[:1]
    assert not (model.fits_[HORROR.mask(ds.items)]).any()
    assert len(Wish.of("x" * 50_000 + " horror").text) == 0 and Wish.of("é" * 1_999).cut == 0


def test_a_decoder_is_asked_once_a_text_and_less_what_it_says_without_a_wish(
    ds, base, asked, decoder
):
    model = steer(base, "only horror", ds, asked)
    texts = TEXT(ds)
    assert len(asked._held) == 2 * len(set(texts))
    held = dict(asked._held)
    steer(base, "only horror", ds, asked)
    assert asked._held == held

    def plain(wish: str, text: str) -> float:
        prompt = (
            f'A customer looks for a film and says: "{wish}"\n'
            f"Does this film fit the wish? Answer Yes or No.\n{text}"
        )
        (found,) = decoder.label_log_probabilities([decoder.chat(prompt)], [[""]])
        return found[0, 0] - found[0, 1]

    for code in (0, 7):
        wanted = plain("only horror", texts[code]) - plain(NEUTRAL, texts[code])
        assert model.fits_[code] == pytest.approx(wanted, abs=1e-3)
    assert steer(base, NEUTRAL, ds, asked).fits_ == pytest.approx(np.zeros(12))


def test_a_decoder_moves_lists_toward_the_wish(ds, base, asked):
    users = np.arange(10)
    before = adherence_of(top_k(base, users, k=3, exclude=ds), HORROR, ds.items)
    after = [
        adherence_of(
            top_k(steer(base, "only horror", ds, asked, weight), users, k=3, exclude=ds),
            HORROR,
            ds.items,
        ).value
        for weight in (0.0, 4.0)
    ]
    assert after[0] == before.value and after[1] > before.value + 0.1


def test_items_that_were_not_asked_about_go_to_the_end(ds, base, decoder):
    model = steer(base, "only horror", ds, Asked(text=TEXT, thing="film", most=4, device="cpu"))
    unknown = np.isnan(model.fits_)
    assert unknown.sum() == 8 and "4 most used of 12" in model.said_[0]
    used = np.bincount(ds.interactions["item"], minlength=12)
    assert used[~unknown].min() >= used[unknown].max()
    order = np.argsort(-model.score(np.arange(3)), axis=1)
    assert not unknown[order[:, :4]].any()


def test_an_edited_history_is_the_edited_user_vector(ds):
    base = TextFrozen(text=TEXT, way="mean", rank=None).fit(ds)
    model = steer(base, "romance, no horror", ds, Edited(text=TEXT), weight=0.5, scale="score")
    from recnb.encoders import TextEncoder

    wanted, unwanted = TextEncoder().encode(["romance", "horror"]).astype(float)
    edit = wanted / np.linalg.norm(wanted) - unwanted / np.linalg.norm(unwanted)
    edit /= np.linalg.norm(edit)
    liked = ds.pairs().toarray() @ base.meaning_.astype(float)
    user = liked / np.linalg.norm(liked, axis=1, keepdims=True)
    expected = (user + 0.5 * edit) @ base.meaning_.T
    np.testing.assert_allclose(model.score(np.arange(10)), expected, atol=2e-5)
    assert model.said_ == ["toward 'romance'", "away from 'horror'"]
    lifted = model.fits_ - model.fits_.mean()
    assert lifted[HORROR.mask(ds.items)].max() < 0 < lifted[[6, 7, 9]].min()


def test_a_weight_chosen_on_valid_keeps_the_price(ds):
    rank = ds.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    train, valid = ds.rows(rank >= 2), ds.rows(rank < 2)
    way = Edited(text=TEXT)
    dear = Steered(EASE(), "only horror", way, weight=None, price=0.999).fit(train, valid)
    free = Steered(EASE(), "only horror", way, weight=None, price=0.0).fit(train, valid)
    grid, values = free.weights_
    assert free.weight_ == grid[values >= values[0]].max() <= dear.weight_
    assert dear.weight_ == grid[values >= 0.001 * values[0]].max()
    again = clone(free).set_params(**free.chosen()).fit(ds)
    assert again.weight_ == free.weight_ and again.way is way


def test_saved_and_read(ds, tmp_path):
    way = Edited(text=TEXT)
    model = Steered(EASE(), "no horror", way, weight=2.0).fit(ds)
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.score(np.arange(4)), model.score(np.arange(4)))
    assert again.said_ == model.said_ and again.way.text == TEXT
    assert again.reads().language and again.reads().ids == "pairs"


def test_bad_settings_are_one_line(ds, base):
    for bad in (
        lambda: steer(base, 3, ds),
        lambda: steer(base, "x", ds, "magic"),
        lambda: steer(base, "x", ds, "filter", weight=-1),
        lambda: steer(EASE(), "x", ds),
        lambda: steer(base, "x", ds.rows(np.arange(5)), "filter", scale="other"),
        lambda: Asked(most=0),
        lambda: Rule.of(Condition(("colour",), ("red",))).mask(ds.items),
        lambda: adherence(np.array([[0]]), np.array([0.5])),
    ):
        with pytest.raises(InputError) as caught:
            bad()
        assert "\n" not in str(caught.value)
    few = Dataset.from_frames(
        pd.DataFrame({"user_id": ["a"], "item_id": ["z"]}), feedback="implicit"
    )
    with pytest.raises(InputError, match="knows 12 items"):
        steer(base, "x", few)
