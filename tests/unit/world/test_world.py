"""The generated world: its size and seed, the truth behind it, and its likeness to real data."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from recnb.errors import InputError
from recnb.world import DOMAINS, World, WorldSettings, generate
from recnb.world.exposure import examination, expected_rating, stars

ALL = tuple(DOMAINS)


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {domain: generate(domain) for domain in ALL}


def codes(world: World, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    user = pd.Index(world.truth.user_ids).get_indexer(table["user_id"])
    item = pd.Index(world.truth.item_ids).get_indexer(table["item_id"])
    assert user.min() >= 0 and item.min() >= 0
    return user, item


def gini(counts: np.ndarray) -> float:
    ordered = np.sort(counts)
    return float(1 - 2 * (np.cumsum(ordered) / ordered.sum()).mean() + 1 / len(ordered))


def held_out(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Known and test pairs: the last fifth of each user's pairs, by first occurrence."""
    rows = world.interactions.drop_duplicates(["user_id", "item_id"])
    order = rows.groupby("user_id").cumcount(ascending=False)
    size = rows.groupby("user_id")["item_id"].transform("size")
    test = ((order < 0.2 * size) & (size >= 5)).to_numpy()
    user, item = codes(world, rows)
    known, later = np.zeros((2, *world.truth.scores.shape), dtype=bool)
    known[user[~test], item[~test]] = True
    later[user[test], item[test]] = True
    return known, later


def ndcg(scores: np.ndarray, known: np.ndarray, later: np.ndarray, k: int = 10) -> float:
    scores = np.where(known, -np.inf, scores)
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(k) + 2)
    gain = (np.take_along_axis(later, top, axis=1) * discount).sum(axis=1)
    relevant = later.sum(axis=1)
    ideal = np.cumsum(discount)[np.minimum(np.maximum(relevant, 1), k) - 1]
    return float((gain / ideal)[relevant > 0].mean())


def item_knn(known: np.ndarray) -> np.ndarray:
    x = known.astype(float)
    norm = np.sqrt(x.sum(axis=0)) + 1e-9
    similar = x.T @ x / (np.outer(norm, norm) + 10)
    np.fill_diagonal(similar, 0)
    floor = np.sort(similar, axis=1)[:, -50][:, None]
    return x @ np.where(similar >= floor, similar, 0).T


@pytest.mark.parametrize("domain", ALL)
def test_tables_have_their_columns_and_sizes(worlds: dict[str, World], domain: str) -> None:
    world = worlds[domain]
    assert world.truth.scores.shape == (1000, 600)
    assert len(world.items) == 600 and len(world.users) == 1000
    assert list(world.items["item_id"]) == list(world.truth.item_ids)
    assert list(world.users["user_id"]) == list(world.truth.user_ids)
    assert {"user_id", "item_id", "timestamp"} <= set(world.interactions)
    assert {"title", "text", "category", "published"} <= set(world.items)
    assert world.interactions.notna().all(axis=None) and world.items.notna().all(axis=None)
    assert world.interactions["timestamp"].is_monotonic_increasing
    assert not world.interactions.duplicated().any()
    codes(world, world.interactions)
    codes(world, world.impressions)


def test_each_domain_has_its_own_events(worlds: dict[str, World]) -> None:
    video = worlds["video"].interactions
    assert worlds["video"].feedback == "explicit" and worlds["video"].scale == (1, 5)
    assert set(video["rating"]) == {1, 2, 3, 4, 5}
    assert not video.duplicated(["user_id", "item_id"]).any()
    assert 35 <= video.groupby("user_id").size().median() <= 50
    for domain in ALL[1:]:
        assert "rating" not in worlds[domain].interactions
    shop = worlds["shop"].interactions
    assert set(shop["event"]) == {"view", "buy"} and shop["quantity"].min() == 1
    assert shop["quantity"].max() > 1
    bought = shop[shop["event"] == "buy"]
    assert bought.duplicated(["user_id", "item_id"]).mean() > 0.2  # buying again
    assert set(worlds["news"].interactions["event"]) == {"click"}
    social = worlds["social"].interactions
    assert set(social["event"]) == {"like", "follow"}
    pairs = {e: set(zip(g["user_id"], g["item_id"])) for e, g in social.groupby("event")}
    assert pairs["follow"] <= pairs["like"]  # nobody follows what he has not liked
    music = worlds["music"]
    assert music.feedback == "count"
    plays = music.interactions.groupby(["user_id", "item_id"])["quantity"].sum()
    assert (plays >= 5).mean() > 0.05  # repeat listening


def test_the_settings_of_shop_and_news_shape_time(worlds: dict[str, World]) -> None:
    news = worlds["news"]
    published = news.items.set_index("item_id")["published"]
    age = news.interactions["timestamp"] - news.interactions["item_id"].map(published)
    assert age.min() >= 0
    assert np.median(age) < 2.5 * 86_400  # news is read within days
    video = worlds["video"]
    published = video.items.set_index("item_id")["published"]
    age = video.interactions["timestamp"] - video.interactions["item_id"].map(published)
    assert age.min() >= 0 and np.median(age) > 100 * 86_400


@pytest.mark.parametrize("domain", ALL)
def test_same_seed_same_world_other_seed_other_world(domain: str) -> None:
    first, again, other = (generate(domain, 60, 50, seed=s) for s in (3, 3, 4))
    for name in ("interactions", "items", "users", "edges", "impressions"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name), check_exact=True)
    assert np.array_equal(first.truth.scores, again.truth.scores)
    assert not first.interactions.equals(other.interactions)
    assert list(first.items["title"]) != list(other.items["title"])


@pytest.mark.parametrize("domain", ALL)
def test_popularity_has_a_long_tail_and_cold_items_exist(
    worlds: dict[str, World], domain: str
) -> None:
    world = worlds[domain]
    _, item = codes(world, world.interactions)
    counts = np.bincount(item, minlength=600)
    assert 0.4 < gini(counts) < 0.75
    assert (counts == 0).sum() >= 1
    latest = world.items["published"].to_numpy() > np.quantile(world.items["published"], 0.95)
    assert counts[latest].mean() < 0.3 * counts[~latest].mean()


@pytest.mark.parametrize("domain", ALL)
def test_ids_and_row_order_tell_nothing_of_popularity(
    worlds: dict[str, World], domain: str
) -> None:
    world = worlds[domain]
    _, item = codes(world, world.interactions)
    counts = np.bincount(item, minlength=600)
    ranks = pd.Series(counts).rank().corr(pd.Series(np.arange(600)))
    assert abs(ranks) < 4 / np.sqrt(600)
    assert world.items["item_id"].is_monotonic_increasing


@pytest.mark.parametrize("domain", ["video", "shop", "social", "music"])
def test_truth_beats_neighbours_beat_popularity_beats_random(
    worlds: dict[str, World], domain: str
) -> None:
    known, later = held_out(worlds[domain])
    truth = worlds[domain].truth
    random = ndcg(np.random.default_rng(0).random(known.shape), known, later)
    popular = ndcg(np.broadcast_to(known.sum(axis=0), known.shape), known, later)
    neighbours = ndcg(item_knn(known), known, later)
    demand = ndcg(truth.demand, known, later)
    assert random < 0.5 * popular < popular < neighbours / 1.2 < neighbours < demand / 1.5
    assert popular < ndcg(truth.scores, known, later) < demand


def test_in_news_only_text_and_truth_help(worlds: dict[str, World]) -> None:
    known, later = held_out(worlds["news"])
    random = ndcg(np.random.default_rng(0).random(known.shape), known, later)
    popular = ndcg(np.broadcast_to(known.sum(axis=0), known.shape), known, later)
    assert popular < 1.5 * random  # what was popular is old by now
    assert ndcg(worlds["news"].truth.demand, known, later) > 4 * random


@pytest.mark.parametrize("domain", ALL)
def test_text_carries_taste(worlds: dict[str, World], domain: str) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    world = worlds[domain]
    known, later = held_out(world)
    text = world.items["title"] + " " + world.items["text"]
    words = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(text).toarray()
    content = ndcg((known.astype(float) @ words) @ words.T, known, later)
    shuffled = words[np.random.default_rng(0).permutation(600)]
    without = ndcg((known.astype(float) @ shuffled) @ shuffled.T, known, later)
    assert content > 1.5 * without


def test_text_strength_moves_what_words_tell() -> None:
    told = {}
    for strength in (0.0, 1.0):
        world = generate("video", seed=2, text_strength=strength, drift=0.0)
        truth = world.truth
        themes = pd.get_dummies(truth.item_traits["theme"]).to_numpy(float)
        likes = truth.scores - truth.scores.mean(axis=0)
        by_theme = likes @ themes / themes.sum(axis=0)
        told[strength] = 1 - ((likes - by_theme @ themes.T) ** 2).mean() / (likes**2).mean()
    assert told[0.0] < 0.2 < 0.5 < told[1.0]  # not 0: a creator's style goes with its themes


@pytest.mark.parametrize("domain", ALL)
def test_text_reads_as_written(worlds: dict[str, World], domain: str) -> None:
    items = worlds[domain].items
    assert items["title"].is_unique and items["text"].is_unique
    everything = items["title"] + " / " + items["text"]
    assert not everything.str.contains(r"[{}|_]|  |\.\.|\bNone\b|\bnan\b").any()
    assert not everything.str.contains(r"\b[Aa] (?:[ai]|e(?!u)|o(?!ne)|hour|honest)").any()
    assert not everything.str.contains(r"\b[Aa]n [bcdfgjklmnpqrstvwxyz]").any()
    sentences = items["text"].str.split(r"(?<=[.!?]) ").explode()
    assert sentences.str.match(r"[A-Z0-9]").all() and sentences.str.contains(r"[.!?]$").all()
    assert items["text"].str.split().str.len().between(12, 90).all()


def test_a_theme_has_many_wordings(worlds: dict[str, World]) -> None:
    from recnb.world.language import bank_of, split

    assert len(bank_of("video").themes) >= 12
    for domain in ALL:
        for theme in bank_of(domain).themes:
            things = split(theme.things)
            assert len(things) >= 11 and len(set(things)) == len(things), theme.name
    truth = worlds["video"].truth.item_traits
    text = worlds["video"].items["text"][truth["theme"] == "heist"].str.lower()
    assert 0 < text.str.contains("heist|robber").mean() < 0.5  # the subject is mostly not named


@pytest.mark.parametrize("domain", ALL)
def test_probabilities_are_kept(worlds: dict[str, World], domain: str) -> None:
    """Observed counts against the known probabilities, in deciles, within binomial bounds."""
    shown = worlds[domain].impressions
    clicked = shown[shown["click"] == 1]
    taken = shown[shown["conversion"] == 1]
    for rows, name in ((shown, "click"), (clicked, "conversion"), (taken, "satisfaction")):
        p = rows[f"{name}_probability"].to_numpy()
        bins = pd.qcut(p, 10, labels=False, duplicates="drop")
        hits = np.bincount(bins, rows[name])
        mean, variance = np.bincount(bins, p), np.bincount(bins, p * (1 - p))
        statistic = ((hits - mean) ** 2 / variance).sum()
        assert statistic < chi2.ppf(0.9999, len(hits)), name
    assert (shown["conversion"] <= shown["click"]).all()
    assert (shown["satisfaction"] <= shown["conversion"]).all()


@pytest.mark.parametrize("domain", ALL)
def test_propensities_are_kept(worlds: dict[str, World], domain: str) -> None:
    world = worlds[domain]
    shown, truth = world.impressions, world.truth
    assert shown["propensity"].between(0, 1, inclusive="right").all()
    # How often a pair was seen at all, by decile of the known probability.
    seen = np.zeros(truth.propensity.shape)
    seen[codes(world, shown)] = 1
    bins = pd.qcut(truth.propensity.ravel(), 10, labels=False, duplicates="drop")
    p = truth.propensity.ravel()
    mean = np.bincount(bins, p)
    variance = np.bincount(bins, p * (1 - p)) + 1e-12
    # Cards of one visit compete, so counts vary less than independent ones: bounds are wide enough.
    assert (np.abs(np.bincount(bins, seen.ravel()) - mean) < 4.5 * np.sqrt(variance) + 1).all()


def test_inverse_propensity_recovers_an_even_policy() -> None:
    """The mean of w * click is the click rate had the shelf been shown evenly (no new items)."""
    world = generate("video", n_users=400, n_items=60, new_share=0, cold_share=0, drift=0, seed=5)
    shown = world.impressions
    user, _ = codes(world, shown)
    look = examination(world.settings.cards)[shown["position"] - 1]
    weight = 1 / (60 * shown["propensity"].to_numpy())
    estimate = weight * shown["click"].to_numpy()
    # The truth, user by user and card by card: mean over the shelf of look times click.
    true = look * world.truth.click.mean(axis=1)[user]
    gap = (estimate - true).mean()
    error = (estimate - true).std() / np.sqrt(len(shown))
    assert abs(gap) < 4 * error
    naive = (shown["click"] - true).mean()
    assert naive > 10 * error  # the policy shows what is liked: the plain mean is far off
    assert abs(weight.mean() - 1) < 0.05


def test_truth_is_consistent(worlds: dict[str, World]) -> None:
    for world in worlds.values():
        truth = world.truth
        assert np.allclose(truth.demand.sum(axis=1), 1) and np.allclose(truth.policy.sum(axis=1), 1)
        for name in ("click", "conversion", "satisfaction", "propensity"):
            value = getattr(truth, name)
            assert value.shape == truth.scores.shape and (value >= 0).all() and (value <= 1).all()
        assert truth.rating.min() >= 1 and truth.rating.max() <= 5
        assert truth.item_vectors.shape == (600, len(truth.dimensions))
    # Scores follow from tastes: without drift they are the product plus one number an item.
    world = generate("video", 80, 60, drift=0.0)
    rest = world.truth.scores - world.truth.user_early @ world.truth.item_vectors.T
    assert np.allclose(rest, rest[0])


def test_expected_rating_is_the_mean_of_drawn_stars() -> None:
    rng = np.random.default_rng(0)
    for pleasure in (1.2, 2.5, 3.9, 5.3):
        drawn = stars(np.full(40_000, pleasure), rng)
        expected = float(expected_rating(np.array([pleasure]))[0])
        assert abs(drawn.mean() - expected) < 5 * max(drawn.std(), 0.01) / 200


def test_ratings_follow_taste(worlds: dict[str, World]) -> None:
    world = worlds["video"]
    user, item = codes(world, world.interactions)
    rating = world.interactions["rating"].to_numpy()
    assert np.corrcoef(rating, world.truth.rating[user, item])[0, 1] > 0.4
    assert abs(rating.mean() - 3.6) < 0.3


def test_friends_share_tastes_and_tastes_drift(worlds: dict[str, World]) -> None:
    for world in worlds.values():
        early = world.truth.user_early
        unit = early / np.linalg.norm(early, axis=1, keepdims=True)
        edges = world.edges
        src, dst = (pd.Index(world.truth.user_ids).get_indexer(edges[c]) for c in ("src", "dst"))
        friends = (unit[src] * unit[dst]).sum(axis=1).mean()
        strangers = (unit @ unit.T).mean()
        assert friends > strangers + 0.2
        assert (src < dst).all() and not edges.duplicated().any()
        assert 4 < 2 * len(edges) / 1000 < 10
    calm, moving = (generate("video", 200, 100, drift=d, seed=1) for d in (0.0, 1.0))
    early = moving.truth.user_early @ moving.truth.item_vectors.T
    assert abs(np.corrcoef(early.ravel(), moving.truth.scores.ravel())[0, 1]) < 0.3
    early = calm.truth.user_early @ calm.truth.item_vectors.T
    assert np.corrcoef(early.ravel(), calm.truth.scores.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("domain", ALL)
def test_timestamps_are_distinct_enough(worlds: dict[str, World], domain: str) -> None:
    rows = worlds[domain].interactions
    assert rows.duplicated(["user_id", "timestamp"]).mean() < 0.01
    last = rows["timestamp"] == rows.groupby("user_id")["timestamp"].transform("max")
    assert (last.groupby(rows["user_id"]).sum() > 1).mean() < 0.02


def test_exposure_bias_makes_popularity_steeper() -> None:
    tails = []
    for bias in (0.0, 1.5):
        world = generate("video", 300, 200, exposure_bias=bias, seed=1)
        tails.append(gini(np.bincount(codes(world, world.interactions)[1], minlength=200)))
    assert tails[1] > tails[0] + 0.1


def test_attributes_form_a_graph(worlds: dict[str, World]) -> None:
    for world in worlds.values():
        graph = world.graph()
        assert list(graph.columns) == ["src", "relation", "dst"]
        assert {"category"} < set(graph["relation"])
        assert len(graph) == 600 * graph["relation"].nunique()
    makers = worlds["video"].items.groupby("creator").size()
    assert makers.max() >= 10 and 40 <= len(makers) <= 75
    # A creator keeps to few themes: many fewer than as many random items would have.
    themes = worlds["video"].truth.item_traits["theme"]
    per_creator = themes.groupby(worlds["video"].items["creator"]).nunique()
    assert per_creator.max() <= 3


@pytest.mark.parametrize(
    ("domain", "arguments", "words"),
    [
        ("cars", {}, "unknown domain 'cars'"),
        ("video", {"speed": 2}, "unknown setting 'speed'"),
        ("video", {"drift": 1.5}, "drift = 1.5"),
        ("video", {"drift": float("nan")}, "drift = nan"),
        ("video", {"exposure_bias": -1}, "exposure_bias = -1"),
        ("video", {"new_share": 0.8, "cold_share": 0.5}, "exceeds 1"),
        ("video", {"cards": 0}, "cards = 0"),
        ("video", {"n_users": 5}, "n_users = 5"),
        ("video", {"n_items": 30.5}, "n_items = 30.5"),
    ],
)
def test_wrong_arguments_say_what_to_mend(domain: str, arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        generate(domain, **arguments)
    assert ";" in str(caught.value) and "\n" not in str(caught.value)


def test_extreme_settings_still_hold() -> None:
    for changes in (
        {"cold_share": 1.0, "new_share": 0.0},
        {"new_share": 1.0, "cold_share": 0.0},
        {"periods": 1, "days": 1},
        {"exploration": 1.0, "text_strength": 0.0, "late_users": 1.0},
    ):
        for domain in ("news", "shop"):
            world = generate(domain, 40, 30, seed=1, **changes)
            assert np.isfinite(world.truth.propensity).all()
            assert np.isfinite(world.truth.scores).all() and len(world.interactions)


@pytest.mark.parametrize("domain", ALL)
def test_a_world_takes_under_five_seconds(domain: str) -> None:
    begin = time.process_time()
    generate(domain, seed=1)
    assert time.process_time() - begin < 5


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        WorldSettings().drift = 0.1  # type: ignore[misc]
