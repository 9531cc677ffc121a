"""Judges: equal to the plain loop, one score a title, saved and read, calibrated."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recnb.data import splits
from recnb.data.text import Text
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.evaluation.protocol import Task
from recnb.models import EASE, Rerank, make
from recnb.models.common.histories import Told
from recnb.models.common.validation import Validation
from recnb.models.language.answer import LMYes
from recnb.models.language.calibration import Calibration, Platt
from recnb.models.language.likelihood import LMLikelihood
from recnb.models.language.listwise import LMList
from recnb.models.language.questions import from_later, from_rows
from recnb.recommender import load_model
from recnb.recommender.kept import keeping
from recnb.study.run import Study, run

from .conftest import FILMS, make_films

ALL = np.arange(12)[None]
JUDGES = {
    "lm_yes": (LMYes, {}),
    "lm_yes_less": (LMYes, {"less_prior": 1.0, "template": "good_bad"}),
    "lm_likelihood": (LMLikelihood, {}),
    "lm_list": (LMList, {"window": 5, "orders": 2}),
}


def judge(name: str, decoder: str | None = None):
    cls, settings = JUDGES[name]
    own = {} if decoder is None else {"decoder": decoder}
    return cls(thing="film", device="cpu", **own, **settings)


@pytest.fixture(scope="module")
def fitted(tiny, halves):
    """Of random weights: whatever they say, the rules hold."""
    return {name: judge(name, tiny).fit(*halves) for name in JUDGES}


@pytest.fixture(scope="module")
def real(decoder, halves):
    return {name: judge(name).fit(halves[0]) for name in ("lm_yes", "lm_likelihood")}


def word_log_p(decoder, text: str, word: str) -> float:
    """log p of a word after a text, by one whole pass of the network itself."""
    import torch

    start, end = decoder.tokens.beginnings([text])[0], decoder.tokens.endings([word])[0]
    with torch.inference_mode():
        logits = decoder.network.model(input_ids=torch.tensor([start + end])).logits[0]
    log_p = logits.log_softmax(dim=-1)
    return sum(float(log_p[len(start) - 1 + k, token]) for k, token in enumerate(end))


def test_answers_are_those_of_whole_prompts(real, decoder):
    model = real["lm_yes"]
    scores = model.score_candidates(np.array([3]), ALL)[0]
    told = model.histories().last(3, 10)
    for code in (2, 9):
        # the space behind a title in the model's turn belongs to the answer
        prompt = model._prompts.rendered(told, item=FILMS[code]).rstrip(" ")
        plain = word_log_p(decoder, prompt, " Yes") - word_log_p(decoder, prompt, " No")
        assert scores[code] == pytest.approx(plain, abs=1e-3)


def test_likelihoods_are_those_of_whole_prompts_less_the_prior(real, decoder):
    model = real["lm_likelihood"]
    scores = model.score_candidates(np.array([3]), ALL)[0]
    for code in (2, 9):
        with_history, alone = (
            word_log_p(decoder, model._prompts.rendered(told), FILMS[code])
            for told in (model.histories().last(3, 10), Told())
        )
        n = len(decoder.tokens.endings([FILMS[code]])[0])
        assert scores[code] == pytest.approx((with_history - alone) / n, abs=1e-3)


@pytest.mark.parametrize("name", JUDGES)
def test_one_title_one_score_and_the_place_says_nothing(name, fitted):
    model = fitted[name]
    scores = model.score_candidates(np.array([0, 1]), np.tile(ALL, (2, 1)))
    np.testing.assert_array_equal(scores[:, 0], scores[:, 11])  # both are Alien
    assert np.ptp(scores[0]) > 0
    back = model.score_candidates(np.array([1]), ALL[:, ::-1])
    np.testing.assert_allclose(back[0, ::-1], scores[1], atol=2e-4)
    holes = model.score_candidates(np.array([1]), np.where(ALL == 4, -1, ALL))
    assert np.isneginf(holes[0, 4])
    if name != "lm_list":  # there the others share the prompt
        np.testing.assert_allclose(np.delete(holes[0], 4), np.delete(scores[1], 4), atol=2e-4)


def test_the_order_of_the_tables_decides_nothing(fitted, tiny, halves, films):
    from recnb.data import Dataset

    rows = halves[0].interactions
    table = rows.assign(user_id=films.user_ids[rows["user"]], item_id=films.item_ids[rows["item"]])
    items = films.items.reset_index().sample(frac=1, random_state=1)
    turned = Dataset.from_frames(
        table.drop(columns=["user", "item"]).sample(frac=1, random_state=2),
        items,
        films.users.reset_index().sample(frac=1, random_state=3),
        feedback="explicit",
        scale=(1, 5),
    )
    for name in ("lm_likelihood", "lm_list"):
        other = judge(name, tiny).fit(turned)
        user, place = (
            turned.users.index.get_loc("u3"),
            turned.items.index.get_indexer(films.item_ids),
        )
        scores = other.score_candidates(np.array([user]), place[None])
        np.testing.assert_allclose(
            scores, fitted[name].score_candidates(np.array([3]), ALL), atol=2e-4
        )


def test_what_was_had_later_counts(fitted, films):
    model = fitted["lm_yes"]
    before = model.score_candidates(np.array([0]), ALL)
    after = model.score_candidates(np.array([0]), ALL, films)
    assert np.abs(before - after).max() > 0.01


@pytest.mark.parametrize("name", ["lm_yes_less", "lm_list"])
def test_a_saved_judge_answers_alike(name, fitted, tmp_path):
    model = fitted[name]
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    users = np.array([2, 5])
    both = [m.score_candidates(users, np.tile(ALL, (2, 1))) for m in (model, again)]
    np.testing.assert_allclose(*both, atol=1e-4)  # priors are asked in other batches
    assert again.reads() == model.reads() and again.parameters() == model.parameters()


def test_new_items_are_judged_by_their_titles(fitted):
    model = fitted["lm_yes"]
    more = model.with_items(pd.DataFrame({"item_id": ["n1", "n2"], "title": ["Ghost", "Se7en"]}))
    scores = more.score_candidates(np.array([0]), np.array([[10, 12, 13]]))[0]
    assert scores[0] == scores[1] != scores[2]


def test_a_judge_names_its_decoder(real):
    (language,) = real["lm_yes"].reads().language_models
    assert (language.name, language.parameters) == ("smollm2-135m-instruct", 134_515_008)
    assert real["lm_yes"].parameters() == (0, 134_515_008)


def test_an_item_without_a_title_is_untitled(tiny):
    ds = make_films()
    table = ds.items.assign(title=[*FILMS[:10], None, None])
    model = LMLikelihood(decoder=tiny, device="cpu").fit(replace(ds, items=table))
    assert model.titles_[10] == "(untitled)"
    scores = model.score_candidates(np.array([0]), ALL)[0]
    assert np.isfinite(scores).all() and scores[10] == scores[11]


def test_long_titles_are_cut_and_counted(tiny):
    ds = make_films()
    table = ds.items.assign(title=["word " * 3_000, *FILMS[1:]])
    model = LMYes(decoder=tiny, device="cpu").fit(replace(ds, items=table))
    assert model.titles_[0].split() == ["word"] * 24
    assert model.cut.titles == 1 and str(model.cut).endswith("1 titles were cut")
    grown = model.with_items(pd.DataFrame({"item_id": ["n"], "title": ["long " * 25]}))
    assert grown.cut.titles == 2
    two = Rerank(EASE(), LMYes(decoder=tiny, device="cpu"), n=3, weight=1.0)
    two.fit(replace(ds, items=table)).score(np.arange(2))
    assert two.remarks() == ("0 of 2 histories were cut, by 0 lines in all; 1 titles were cut",)
    whole = LMYes(decoder=tiny, device="cpu", text=Text("title", max_words=5_000))
    assert whole.fit(replace(ds, items=table.iloc[:])).cut.titles == 0


@pytest.mark.parametrize("cls", [LMYes, LMList, LMLikelihood])
def test_a_judge_says_what_its_settings_are(cls):
    for name in cls().get_params():
        assert re.search(rf"\b{name}\b", cls.__doc__), name
    assert "{settings}" not in cls.__doc__ and "n_history : int" in cls.__doc__


def test_calibration_comes_from_the_validation_part(fitted, halves):
    model = fitted["lm_yes"]
    found = model.calibration_
    assert found["n"] == 16 and 0 <= found["after"] <= 1
    users, items = np.array([0]), ALL
    p = model.probability(users, items)[0]
    odds = model.score_candidates(users, items)[0].astype(float)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-(found["slope"] * odds + found["shift"]))))
    kept = LMYes(**{**model.get_params(), **model.chosen()}).fit(halves[0])
    assert kept.calibration_ == {k: found[k] for k in ("slope", "shift")}


def test_numbers_that_harm_other_people_are_not_kept():
    """Odds that say nothing, people who like all or nothing, one of them with half of the rows."""
    rng = np.random.default_rng(0)
    users = np.concatenate([np.zeros(100, int), np.repeat(np.arange(1, 21), 5)])
    y = (users == 0) | (users % 2 == 1)
    found = Calibration.of(rng.normal(scale=0.1, size=200), y, users)
    assert found.platt == Platt() and found.after == found.before
    assert (found.n, found.people) == (200, 21)


def test_chance_is_the_error_of_probabilities_that_are_right():
    rng = np.random.default_rng(1)
    odds = rng.normal(size=300)
    errors, chances = [], []
    for _ in range(5):
        y = rng.random(300) < 1 / (1 + np.exp(-odds))
        found = Calibration.of(odds, y, np.arange(300))
        errors.append(found.before)
        chances.append(found.chance)
    assert np.mean(chances) == pytest.approx(np.mean(errors), rel=0.25) and np.mean(errors) > 0.04


def test_platt_mends_scores_that_are_twice_too_sure():
    rng = np.random.default_rng(0)
    true_odds = rng.normal(size=4000)
    y = rng.random(4000) < 1 / (1 + np.exp(-true_odds))
    found = Calibration.of(2 * true_odds + 1, y, np.arange(4000) // 4)
    assert found.before > 0.1 and found.after < 0.03
    assert found.platt.slope == pytest.approx(0.5, abs=0.05)
    assert found.platt.shift == pytest.approx(-0.5, abs=0.1)
    assert Platt.fitted(np.arange(12.0), np.arange(12) > 5) == Platt()  # too few


def test_questions_ask_about_what_comes_behind(halves):
    train, valid = halves
    from recnb.models.common.histories import Histories

    histories = Histories.of(train)
    for q in from_rows(histories, train, n_history=3, targets=2, most=None):
        start = histories.start[q.user]
        own = histories.items[start : histories.start[q.user + 1]].tolist()
        at = own.index(q.items[0])
        assert own[at : at + len(q.items)] == q.items.tolist()
        assert q.told.items == tuple(own[max(0, at - 3) : at]) and q.told.items
    assert sum(len(q.items) for q in from_rows(histories, train, 3, 2, most=7)) == 7
    asked = from_later(histories, valid, 10, None)
    assert {q.user: len(q.items) for q in asked} == dict.fromkeys(range(8), 2)
    few = from_later(histories, valid, 10, 4, each=1)
    assert [len(q.items) for q in few] == [1, 1, 1, 1], "many people, few rows of each"
    assert [q.items[0] for q in few] == [q.items[0] for q in asked[:4]]
    clicks = make_films("implicit")
    (one, *_) = from_rows(Histories.of(clicks), clicks, 3, 2, None)
    assert one.liked.tolist() == [True, True, False, False]
    assert not set(one.items[2:]) & set(Histories.of(clicks).last(one.user, 99).items)


def test_clicks_are_told_without_opinions(tiny):
    model = LMYes(decoder=tiny, device="cpu").fit(make_films("implicit"))
    said = model._prompts.rendered(model.histories().last(0, 2), item="x")
    assert "liked" not in said.partition("Will")[0]
    assert np.isfinite(model.score_candidates(np.array([0]), ALL)).all()


def test_decoder_states_are_item_vectors(decoder, halves):
    model = make("lm_embed").fit(*halves)
    (language,) = model.reads().language_models
    assert (language.name, language.parameters) == ("smollm2-135m-instruct", 134_515_008)
    scores = model.score(np.arange(8))
    assert model.meaning_.shape == (12, 576) and np.ptp(scores, axis=1).min() > 0
    np.testing.assert_array_equal(scores[:, 0] > scores[:, 9], scores[:, 11] > scores[:, 9])


def test_a_two_tower_reads_with_a_decoder(decoder, halves):
    model = make("text_dot", encoder="smollm2-135m-instruct", method="head_only", n_epochs=1)
    model.fit(*halves)
    (language,) = model.reads().language_models
    assert language.name == "smollm2-135m-instruct"
    assert np.isfinite(model.score(np.arange(8))).all()


@pytest.mark.parametrize("name", JUDGES)
def test_nothing_known_is_a_question_too(name, fitted):
    scores = fitted[name].judge([Told()], ALL)[0]
    assert np.isfinite(scores).all()
    if name in ("lm_yes_less", "lm_likelihood"):  # what is said without a history is taken away
        np.testing.assert_allclose(scores, 0, atol=1e-4)


def test_it_stands_second(tiny, halves):
    model = Rerank(EASE(), judge("lm_yes", tiny), n=4, weight=1.0).fit(*halves)
    scores = model.score(np.arange(8))
    first = EASE().fit(*halves).score(np.arange(8))
    assert scores.shape == (8, 12) and np.isfinite(scores).all()
    assert not np.array_equal(scores.argsort(axis=1), first.argsort(axis=1))


class Memory(dict):
    """Keeps scores of pairs."""

    def get(self, model, key):
        return dict.get(self, key)

    def put(self, model, key, scores):
        self[key] = scores


def test_a_killed_calibration_goes_on(fitted, tiny, halves, monkeypatch):
    kept, asked, judged = Memory(), [], LMYes.judge

    def counted(self, told, items):
        asked.append(len(told))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return judged(self, told, items)

    monkeypatch.setattr(LMYes, "judge", counted)
    with keeping(kept):
        with pytest.raises(KeyboardInterrupt):
            judge("lm_yes", tiny).fit(*halves)
        again = judge("lm_yes", tiny).fit(*halves)
        assert asked == [4, 4, 4] and len(kept) == 2, "the first four histories are not asked again"
        assert again.calibration_ == pytest.approx(fitted["lm_yes"].calibration_, abs=1e-4)
        again = LMYes(**{**again.get_params(), "thing": "book"}).fit(*halves)
    assert asked == [4] * 5, "in other words they are"


def test_the_time_of_all_parts_is_said_before_a_pair_is_judged(films, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("recnb.study.forecast.LONG", 0.0)
    pairs, heard, odds = [], [], LMYes._odds

    def counted(self, told, codes):
        pairs.append(sum(map(len, codes)))
        return odds(self, told, codes)

    monkeypatch.setattr(LMYes, "_odds", counted)
    models = {"ease": EASE(), "ease>lm_yes": Rerank(EASE(), judge("lm_yes", tiny), n=3)}
    split = splits.user_time(films, test=0.25, valid=0.25)
    study = Study(split, models, Protocol(k=2))
    run(study, tmp_path / "out", said=lambda line: heard.append((line, sum(pairs))), page=False)
    line, before = heard[0]
    assert line.startswith("ease>lm_yes: about") and before <= 2 + 8 + 12
    n_weigh = len(Validation.of(split.train, split.valid).users)
    n_test = len(Task(split, study.protocol).users)
    for part in (
        "16 validation rows that calibrate it: ",
        f"{3 * n_weigh} pairs of {n_weigh} people who choose its weight: ",
        f"{3 * n_test} pairs of {n_test} people of the test: ",
    ):
        assert part in line
    heard.clear()
    run(study, tmp_path / "out", said=lambda line: heard.append((line, 0)), page=False)
    assert not [line for line, _ in heard if "about" in line], "what is finished takes no time"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"template": "plan"}, "no template 'plan'"),
        ({"n_history": 0}, "n_history=0"),
        ({"method": "prefix"}, "method='prefix' tunes no judge"),
    ],
)
def test_wrong_settings_are_one_line(settings, said, halves, tiny):
    with pytest.raises(InputError, match=said):
        LMYes(decoder=tiny, device="cpu", **settings).fit(halves[0])
    with pytest.raises(InputError, match="window=30"):
        LMList(window=30, decoder=tiny, device="cpu").fit(halves[0])
    with pytest.raises(InputError, match="per='word'"):
        LMLikelihood(per="word", decoder=tiny, device="cpu").fit(halves[0])


def test_answer_words_that_the_tokenizer_lacks_are_one_line(halves, tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from tests.unit.encoders.decoder.tiny import write_decoder

    folder = tmp_path / "wordy"
    write_decoder(folder, "llama")
    words = {"[UNK]": 0, "Yes": 1, "film": 2}
    core = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]").save_pretrained(folder)
    with pytest.raises(InputError) as caught:
        LMYes(decoder=str(folder), device="cpu").fit(halves[0])
    said = str(caught.value)
    assert "the tokenizer of wordy" in said and "'No'" in said and "\n" not in said
