"""Will this person like this item? From how many labelled examples does a language model know better than a share?

    RECNB_DATA=folder python benchmarks/few_shots.py [--sets tallrec,ml-100k,bookcrossing] [--arms share,text]
        [--shots 4,16,64,256,all] [--draws 5] [--minutes 60]

Three sets of rows, each a history of ten items that were liked or not, and one target. `tallrec`: the published rows of
TALLRec on MovieLens-100K, rebuilt (1,000 test rows of 16 people). `ml-100k`: the same ratings cut by people, 240 of
whom are tested on their last five ratings; nobody stands in two parts. `bookcrossing`: explicit ratings of
Book-Crossing, 8 and above is liked, 240 people; it has no times, so a hash orders a person's books.

Arms, the cheap ones first. Without training: the share of liked items in the history, popularity, the like-rate of
the item, like-rate and share together (the last three read all other people's ratings). From shots: logistic
regression on what a frozen encoder or a frozen decoder makes of history and target; on like-rate, popularity and
share, without (`rates`) and with (`rates_text`) the encoder's likenesses, and both with what earlier raters of two
items made of them (`neighbours`, `neighbours_text`): these four read all other people's ratings;
the two tower and the pair model, which predict ratings of 0 and 1 from the same shots, and the tagger, which marks
liked ones among drawn ones. A decoder of 135M parameters that answers yes or no: without examples (`zero`), less what
it answers without a history (`zero_less_prior`), with the shots in its prompt (`in_context`), tuned on them by LoRA
(`lora`); and each of these beside the share of liked items, by a logistic regression of two numbers fitted on the
validation rows (`…+share`).

Shots are drawn from the training rows, a draw a seed. `--test-rows` thins the test rows by a hash, for arms that take
seconds a row: each record says its rows, and its differences are on these. Every finished (set, arm, shots, draw) is
kept in `.benchmarks/few_shots` and not computed again; results go to `results/few_shots.json` after each. AUC is
pooled over rows, the mean over draws; intervals resample people, the draws staying together. `auc_within_user` is the
mean over people with both answers: who likes more films than others says nothing there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from recnb.data import Dataset
from recnb.data.catalog import find
from recnb.data.text import Text
from recnb.evaluation.fewshot import (
    few_shot_rows,
    ratings_in_file_order,
    rows_by_user,
    untrained_scores,
)
from recnb.files import write_json
from recnb.hashing import hash_ids, mix
from recnb.metrics import bootstrap, clustered
from recnb.models.common.histories import Told
from recnb.models.language.prompt import Prompts
from recnb.models.language.questions import Question
from recnb.models.language.templates import open_template
from recnb.versions import versions

SHOTS = ("4", "16", "64", "256", "all")
PEOPLE = (100, 240)  # of valid and test
VALID_ROWS = 100  # that choose an epoch and the weight of a sum
IN_CONTEXT = ("4", "16")  # more do not fit
SHRUNK = 20.0  # people who rated both items before half of their likeness counts
AT_ONCE = 50  # people whose rows are described at a time
LORA_LAYERS = 10  # the highest ones: steps need no gradients of the other 20
DRAWS = 1000  # of the bootstrap
KEPT = Path(".benchmarks") / "few_shots"
OUTPUT = Path("results") / "few_shots.json"


def lines_of(rows: pd.DataFrame) -> list[Any]:
    """Rows with their columns as attributes."""
    return list(rows.itertuples())


@dataclass(frozen=True, eq=False)
class FewShots:
    """Rows, and what the items are called.

    Attributes
    ----------
    name, thing : str
    rows, ratings : DataFrame
    liked_above : float
    titles : Series
        By item id.
    """

    name: str
    thing: str
    rows: pd.DataFrame
    ratings: pd.DataFrame
    liked_above: float
    titles: pd.Series

    def part(self, name: str) -> pd.DataFrame:
        return self.rows[self.rows["part"] == name].reset_index(drop=True)

    @cached_property
    def codes(self) -> dict[str, int]:
        return {item: code for code, item in enumerate(self.titles.index)}

    @cached_property
    def neighbours(self) -> pd.DataFrame:
        """What :func:`neighbours` says of each row, by user and item."""
        keys = [self.rows["user_id"], self.rows["item_id"]]
        return pd.DataFrame(neighbours(self, self.rows), index=keys)

    def questions(self, rows: pd.DataFrame) -> list[Question]:
        """Rows as a judge is asked."""
        out = []
        for k, row in enumerate(lines_of(rows)):
            told = Told(
                tuple(self.codes[i] for i in row.history), tuple(bool(x) for x in row.history_liked)
            )
            item, liked = np.array([self.codes[row.item_id]]), np.array([bool(row.liked)])
            out.append(Question(k, told, item, liked))
        return out

    def shots(self, n: str, draw: int) -> pd.DataFrame:
        """So many training rows at random."""
        train = self.part("train")
        if n == "all":
            return train
        chosen = np.random.default_rng([draw, int(n)]).permutation(len(train))[: int(n)]
        return train.iloc[chosen].reset_index(drop=True)


def read(name: str, test_rows: int | None) -> FewShots:
    """A set of rows, thinned to so many test rows."""
    folder = find("bookcrossing-small" if name == "bookcrossing" else "ml-100k")
    if folder is None:
        print(f"{name} is not here: set RECNB_DATA, or fetch it with recnb data fetch")
        sys.exit(2)
    items = pd.read_parquet(folder / "items.parquet").set_index("item_id")
    if name == "bookcrossing":
        ratings = pd.read_parquet(folder / "interactions.parquet")
        ratings = ratings[ratings["rating"].notna()].drop_duplicates(["user_id", "item_id"])
        ids = [hash_ids(ratings[c].astype(str)) for c in ("user_id", "item_id")]
        # Times that say: other people's ratings first, a person's own by a hash.
        ratings = ratings.assign(timestamp=(mix(*ids, seed=1) >> np.uint64(24)).astype(np.int64))
        rows = rows_by_user(ratings, liked_above=7.0, users=PEOPLE)
        judged = set(rows.loc[rows["part"] != "train", "user_id"])
        ratings.loc[~ratings["user_id"].isin(judged), "timestamp"] = -1
        thing, liked_above, text = "book", 7.0, Text("title", "author", labels=False, max_words=24)
    else:
        ratings = ratings_in_file_order(folder)
        rows = few_shot_rows(ratings) if name == "tallrec" else rows_by_user(ratings, users=PEOPLE)
        thing, liked_above, text = "film", 3.0, Text("title", "year", max_words=24)
    titles = pd.Series([t.rstrip(".") for t in text(items)], index=items.index.astype(str))
    if test_rows:
        test = np.flatnonzero(rows["part"] == "test")
        keys = hash_ids(rows["user_id"].astype(str) + "|" + rows["item_id"].astype(str))
        gone = test[np.argsort(mix(keys[test], seed=5))][test_rows:]
        rows = rows.drop(index=rows.index[gone]).reset_index(drop=True)
    return FewShots(name, thing, rows, ratings, liked_above, titles)


# ---------------------------------------------------------------- arms: scores of valid and of test rows


def untrained(rule: str) -> Callable[..., np.ndarray]:
    def scores(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
        asked = rows.assign(part="test")
        both = pd.concat([asked, s.rows[s.rows["part"] != "train"].assign(part="valid")])
        return untrained_scores(both, s.ratings, s.liked_above)[rule].to_numpy()

    return scores


def vectors_of(s: FewShots, encoder: str | None) -> np.ndarray:
    """Of all titles, centred, length 1."""
    from recnb.encoders import TextEncoder

    opened = TextEncoder() if encoder is None else TextEncoder(encoder)
    vectors = opened.encode(s.titles.tolist())
    vectors = vectors - vectors.mean(axis=0)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)


def features(s: FewShots, vectors: np.ndarray, rows: pd.DataFrame, wide: bool) -> np.ndarray:
    """Likeness of the target to what was liked and disliked, the share of liked; `wide`: each coordinate too."""
    out = []
    for q in s.questions(rows):
        liked = np.array(q.told.liked)
        history, target = vectors[list(q.told.items)], vectors[q.items[0]]
        likeness = history @ target
        means = [likeness[liked == x].mean() if (liked == x).any() else 0.0 for x in (True, False)]
        row = [liked.mean(), *means, likeness.max()]
        if wide:
            profile = (history * np.where(liked, 1.0, -1.0)[:, None]).mean(axis=0)
            row += [*(profile * target * len(target)), *target]
        out.append(row)
    return np.array(out)


def regression(encoder: str | None) -> Callable[..., np.ndarray]:
    def scores(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
        key = f"_vectors_{encoder}"
        vectors = s.__dict__.setdefault(key, vectors_of(s, encoder))
        train, valid = s.shots(shots, draw), s.part("valid")
        best, out = -np.inf, np.zeros(len(rows))
        if train["liked"].nunique() < 2:
            return out
        for wide in (False, True):
            scale = StandardScaler().fit(features(s, vectors, train, wide))
            x, v, t = (scale.transform(features(s, vectors, r, wide)) for r in (train, valid, rows))
            for c in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
                model = LogisticRegression(C=c, max_iter=500).fit(x, train["liked"])
                value = roc_auc_score(valid["liked"], model.decision_function(v))
                if value > best:
                    best, out = value, model.decision_function(t)
        return out

    return scores


def rates(s: FewShots, rows: pd.DataFrame) -> np.ndarray:
    """Log-odds of the history's share and of the item's like-rate, and the log of its popularity."""
    people = rows["user_id"].unique()
    if len(people) > AT_ONCE:  # popularity is that among the others: some must be left
        out = np.empty((len(rows), 3))
        for some in np.array_split(people, -(-len(people) // AT_ONCE)):
            mine = rows["user_id"].isin(some).to_numpy()
            out[mine] = rates(s, rows[mine])
        return out
    asked = rows.assign(part="test")
    both = pd.concat([asked, s.rows[s.rows["part"] != "train"].assign(part="valid")])
    found = untrained_scores(both, without_own(s.ratings, rows), s.liked_above)
    rate = found["like_rate"].clip(1e-3, 1 - 1e-3)
    of_item = np.log(rate / (1 - rate))
    share = found["both"] - of_item  # `both` is the sum of the two log-odds
    return np.column_stack([share, of_item, np.log1p(found["popularity"])])


def without_own(ratings: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Ratings among which no row's own answer stands as an earlier one, as it does where times are made up."""
    asked = pd.Series(rows["timestamp"].to_numpy(), [rows["user_id"], rows["item_id"]])
    pairs = pd.MultiIndex.from_frame(ratings[["user_id", "item_id"]])
    told = asked.reindex(pairs).to_numpy()
    return ratings.assign(timestamp=np.fmax(ratings["timestamp"].to_numpy(float), told))


def neighbours(s: FewShots, rows: pd.DataFrame) -> np.ndarray:
    """What people who rated the target and an item of the history made of the two, summed over the history.

    A rating is liked (1) or not (0), less the item's mean. The likeness of two items is the cosine of these over the
    people who rated both, shrunk by their number. Only ratings before the question's time are read, none of its person.
    """
    users_of = pd.Index(s.ratings["user_id"].unique())
    above = s.ratings["rating"] > s.liked_above
    mean = above.mean()
    table = pd.DataFrame(
        {
            "item": s.ratings["item_id"],
            "user": users_of.get_indexer(s.ratings["user_id"]),
            "time": s.ratings["timestamp"],
            "liked": above.astype(float),
        }
    )
    arrays = {
        item: tuple(t[["user", "time", "liked"]].to_numpy().T) for item, t in table.groupby("item")
    }

    def known(item: str, row: Any) -> tuple[np.ndarray, np.ndarray, float]:
        users, times, liked = arrays[item]
        kept = (times < row.timestamp) & (users != users_of.get_loc(row.user_id))
        rate = (liked[kept].sum() + 5 * mean) / (kept.sum() + 5)
        return users[kept], liked[kept] - rate, rate

    out = np.zeros((len(rows), 2))
    for k, row in enumerate(lines_of(rows)):
        people, of_target, _ = known(row.item_id, row)
        likeness, told = np.zeros(len(row.history)), np.zeros(len(row.history))
        for n, (item, liked) in enumerate(zip(row.history, row.history_liked)):
            others, of_other, rate = known(item, row)
            _, one, two = np.intersect1d(people, others, assume_unique=True, return_indices=True)
            x, y = of_target[one], of_other[two]
            lengths = np.sqrt((x @ x) * (y @ y))
            likeness[n] = x @ y / max(lengths, 1e-9) * len(x) / (len(x) + SHRUNK)
            told[n] = liked - rate
        out[k] = likeness @ told, likeness @ told / (0.5 + np.abs(likeness).sum())
    return out


def rated(with_text: bool, with_neighbours: bool = False) -> Callable[..., np.ndarray]:
    """A regression on what other people's ratings say, with or without the text's likenesses."""

    def scores(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
        train, valid = s.shots(shots, draw), s.part("valid")
        if train["liked"].nunique() < 2:
            return np.zeros(len(rows))
        parts = [rates(s, r) for r in (train, valid, rows)]
        if with_neighbours:
            more = [
                s.neighbours.loc[pd.MultiIndex.from_frame(r[["user_id", "item_id"]])].to_numpy()
                for r in (train, valid, rows)
            ]
            parts = [np.column_stack(two) for two in zip(parts, more)]
        if with_text:
            vectors = s.__dict__.setdefault("_vectors_None", vectors_of(s, None))
            more = [features(s, vectors, r, False)[:, 1:] for r in (train, valid, rows)]
            parts = [np.column_stack(two) for two in zip(parts, more)]
        scale = StandardScaler().fit(parts[0])
        x, v, t = map(scale.transform, parts)
        best, out = -np.inf, np.zeros(len(rows))
        for c in (1e-3, 1e-2, 1e-1, 1.0):
            model = LogisticRegression(C=c, max_iter=500).fit(x, train["liked"])
            value = roc_auc_score(valid["liked"], model.decision_function(v))
            if value > best:
                best, out = value, model.decision_function(t)
        return out

    return scores


def judge_of(s: FewShots, template: str = "plain", dtype: str = "bfloat16") -> Prompts:
    from recnb.encoders.decoder import Decoder

    held = Decoder(dtype=dtype)  # the network behind it is shared
    s.__dict__.setdefault(f"_{dtype}", held.network)
    return Prompts(held, open_template(template, "answer"), s.titles.tolist(), s.thing)


def odds(prompts: Prompts, questions: list[Question], before: str = "") -> np.ndarray:
    """Log-odds of yes; `before` is put in front of every prompt."""
    told, items = [q.told for q in questions], [q.items for q in questions]
    prefixes, suffixes = prompts.about_items(told, items)
    found = prompts.decoder.label_log_probabilities(
        [before + p for p in prefixes], suffixes, prompts.template.answers
    )
    return np.array([v[0, 0] - v[0, 1] for v in found])


def zero(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
    return odds(judge_of(s), s.questions(rows))


def zero_groups(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
    return odds(judge_of(s, "groups"), s.questions(rows))


def zero_less_prior(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
    asked = s.questions(rows)
    with_history = kept_scores(s, "zero", shots, draw, rows)
    codes, place = np.unique([q.items[0] for q in asked], return_inverse=True)
    alone = odds(
        judge_of(s), [Question(0, Told(), np.array([c]), q.liked) for c, q in zip(codes, asked)]
    )
    return with_history - alone[place]


def in_context(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
    prompts = judge_of(s)
    yes, no = prompts.template.answers
    examples = ""
    train = s.shots(shots, draw)
    for (prefix, (suffix,)), liked in zip(
        zip(*prompts.about_items(*zip(*((q.told, q.items) for q in s.questions(train))))),
        train["liked"],
    ):
        examples += f"{prefix}{suffix}{yes if liked else no}<|im_end|>\n"
    room = prompts.decoder.context - int(prompts.decoder.count_tokens([examples])[0])
    if room < 400:
        raise SystemExit(f"{shots} examples leave {room} tokens for a question")
    return odds(prompts, s.questions(rows), examples)


def lora(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
    from recnb.models.language.tuned.network import fit_answers, with_network
    from recnb.models.language.tuned.recipe import Recipe

    prompts = judge_of(s, dtype="float32")
    recipe = Recipe(
        method="lora", n_layers=LORA_LAYERS, n_epochs=3, patience=1, pairs_per_step=16, seed=draw
    )
    valid = s.questions(s.part("valid").iloc[: VALID_ROWS // 2])
    questions = s.questions(s.shots(shots, draw))
    network, _ = fit_answers(prompts, questions, valid, recipe, s.name)
    tuned = judge_of(s, dtype="float32")
    tuned.decoder = with_network(prompts.decoder, network.network)
    return odds(tuned, s.questions(rows))


def as_datasets(s: FewShots, shots: pd.DataFrame, asked: pd.DataFrame) -> tuple[Dataset, Dataset]:
    """Shots as people with a history and its target; and the histories of those who are asked, over the same people."""

    def lines(
        rows: pd.DataFrame, mark: str, with_target: bool
    ) -> list[tuple[str, str, float, int]]:
        out = []
        for k, row in enumerate(lines_of(rows)):
            told = (
                list(zip(row.history, row.history_liked)) + [(row.item_id, row.liked)] * with_target
            )
            out += [(f"{mark}{k}", item, float(liked), t) for t, (item, liked) in enumerate(told)]
        return out

    people = [f"s{k}" for k in range(len(shots))] + [f"t{k}" for k in range(len(asked))]
    items = pd.DataFrame({"item_id": s.titles.index, "title": s.titles.to_numpy()})
    names = ["user_id", "item_id", "rating", "position"]
    train, history = (
        Dataset.from_frames(
            pd.DataFrame(rows, columns=names),
            items,
            pd.DataFrame({"user_id": people}),
            feedback="explicit",
            scale=(0, 1),
        )
        for rows in (lines(shots, "s", True), lines(asked, "t", False))
    )
    return train, history


def recommender(name: str, **settings: Any) -> Callable[..., np.ndarray]:
    """A model of the package that predicts whether the target is liked."""

    def scores(s: FewShots, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
        from recnb.models import make
        from recnb.recommender.candidates import score_candidates

        drawn = s.shots(shots, draw)
        train, history = as_datasets(s, drawn, rows)
        most = {"users_per_epoch": min(400, len(drawn))} if name in ("pair", "tagger") else {}
        model = make(name, seed=draw, **settings, **most).fit(train)
        users = len(drawn) + np.arange(len(rows))
        items = np.array([[s.codes[item]] for item in rows["item_id"]])
        return score_candidates(model, users, items, history)[:, 0]

    return scores


NO_SHOTS = ("history_share", "popularity", "like_rate", "both")
ZERO = ("zero", "zero_groups", "zero_less_prior")
ARMS: dict[str, Callable[..., np.ndarray]] = {
    **{rule: untrained(rule) for rule in NO_SHOTS},
    "text": regression(None),
    "zero": zero,
    "zero_less_prior": zero_less_prior,
    "zero_groups": zero_groups,
    "decoder_states": regression("smollm2-135m-instruct"),
    "rates": rated(with_text=False),
    "rates_text": rated(with_text=True),
    "neighbours": rated(with_text=False, with_neighbours=True),
    "neighbours_text": rated(with_text=True, with_neighbours=True),
    "two_tower": recommender("text_dot", loss="mse"),
    "pair": recommender("pair", target="rating", n_targets=1),
    "tagger": recommender("tagger", n_targets=1),
    "in_context": in_context,
    "lora": lora,
}
ALONE = (*ZERO, "in_context")  # each row says the same whatever stands beside it
PIECE = 25  # rows of a piece
CLOCK = {"end": np.inf}
SUMS = (
    "zero",
    "zero_less_prior",
    "zero_groups",
    "text",
    "two_tower",
    "pair",
    "lora",
)  # judged beside the share as well


class OutOfTime(Exception):
    """No piece is begun any more."""


def kept_scores(s: FewShots, arm: str, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
    """Scores of rows, from the folder where they are there; of a prompt alone in pieces."""
    if arm not in ALONE:
        return one_piece(s, arm, shots, draw, rows)
    parts = [rows.iloc[k : k + PIECE] for k in range(0, len(rows), PIECE)]
    pieces = [one_piece(s, arm, shots, draw, p.reset_index(drop=True)) for p in parts]
    return np.concatenate(pieces)


def one_piece(s: FewShots, arm: str, shots: str, draw: int, rows: pd.DataFrame) -> np.ndarray:
    """Scores of some rows, computed where they are not kept yet."""
    digest = f"{mix(hash_ids(rows['user_id'] + '|' + rows['item_id'])).sum():x}"
    file = KEPT / s.name / f"{arm}-{shots}-{draw}-{digest}.json"
    if file.is_file():
        return np.array(json.loads(file.read_text(encoding="utf-8"))["scores"])
    if time.monotonic() > CLOCK["end"]:
        raise OutOfTime
    start = time.perf_counter()
    scores = ARMS[arm](s, shots, draw, rows)
    seconds = time.perf_counter() - start
    print(f"  {s.name} {arm} {shots} {draw}: {len(rows)} rows, {seconds:.0f} s", flush=True)
    write_json(file, {"scores": np.asarray(scores, float).tolist(), "seconds": seconds})
    return np.asarray(scores, float)


def beside_share(s: FewShots, arm: str, shots: str, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Test scores of an arm alone, and of its sum with the share, fitted on validation rows."""
    valid, test = s.part("valid").iloc[:VALID_ROWS], s.part("test")
    if arm not in SUMS:
        scores = kept_scores(s, arm, shots, draw, test)
        return scores, scores
    # one call: what is tuned is tuned once
    both = kept_scores(s, arm, shots, draw, pd.concat([valid, test], ignore_index=True))
    share = np.array([np.mean(h) for h in [*valid["history_liked"], *test["history_liked"]]])
    x = np.column_stack([both, share])
    x = StandardScaler().fit(x[: len(valid)]).transform(x)
    model = LogisticRegression(C=1.0).fit(x[: len(valid)], valid["liked"])
    return both[len(valid) :], model.decision_function(x[len(valid) :])


# ---------------------------------------------------------------- judging


def weighted_auc(true: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], float]:
    """AUC as a function of the rows' weights; sorted once."""
    order = np.argsort(score, kind="stable")
    up, starts = true[order], np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)

    def value(w: np.ndarray) -> float:
        weights = w[order]
        ones = np.add.reduceat(weights * up, starts)
        zeros = np.add.reduceat(weights * (1 - up), starts)
        pairs = ones.sum() * zeros.sum()
        return float(ones @ (np.cumsum(zeros) - zeros / 2) / pairs) if pairs else float("nan")

    return value


def mean_of(values: list[Callable[[np.ndarray], float]]) -> Callable[[np.ndarray], float]:
    """The mean over draws, of the same weights."""
    return lambda w: float(np.mean([value(w) for value in values]))


def less(one: Callable[..., float], other: Callable[..., float]) -> Callable[[np.ndarray], float]:
    """A paired difference."""
    return lambda w: one(w) - other(w)


def judged(
    s: FewShots,
    scores: dict[str, list[np.ndarray]],
    base: dict[str, np.ndarray],
    shots: str,
) -> list[dict[str, Any]]:
    """AUC of each arm, the mean over its draws, and its difference to the arms without training."""
    test = s.part("test")
    liked, user = test["liked"].to_numpy(float), test["user_id"].to_numpy()
    one, out = np.ones(len(test)), []
    for arm, draws in scores.items():
        each = [weighted_auc(liked, x) for x in draws]
        own = mean_of(each)
        head = {"set": s.name, "model": arm, "shots": shots, "n_users": len(set(user))}
        head |= {"n_rows": len(test), "draws": len(draws)}
        low, high = clustered(own, user, draws=DRAWS)
        values = {"value": own(one), "low": low, "high": high, "of_draws": [f(one) for f in each]}
        out.append({**head, "metric": "auc", **values})
        people = pd.Series(liked).groupby(user).transform("mean").between(0, 1, inclusive="neither")
        inner = [
            np.mean([roc_auc_score(liked[user == u], x[user == u]) for x in draws])
            for u in np.unique(user[people])
        ]
        low, high = bootstrap(np.array(inner), draws=DRAWS)
        values = {"value": float(np.mean(inner)), "low": low, "high": high}
        out.append({**head, "metric": "auc_within_user", **values, "n_users": len(inner)})
        for to in ("history_share", "both"):
            if arm != to and to in base:
                gain = less(own, weighted_auc(liked, base[to]))
                low, high = clustered(gain, user, draws=DRAWS)
                more = {"value": gain(one), "low": low, "high": high}
                out.append({**head, "metric": "auc_difference", "to": to, **more})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sets", default="tallrec,ml-100k,bookcrossing")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--shots", default=",".join(SHOTS))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--test-rows", type=int, default=None)
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin no piece after so many"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT)
    told = parser.parse_args()
    CLOCK["end"] = time.monotonic() + 60 * told.minutes
    arms, sets = told.arms.split(","), [read(n, told.test_rows) for n in told.sets.split(",")]
    records: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    if told.output.is_file():
        for r in json.loads(told.output.read_text(encoding="utf-8"))["records"]:
            records.setdefault((r["set"], r["shots"], r["model"]), []).append(r)

    def keep(s: FewShots, scores: dict[str, list[np.ndarray]], shots: str) -> None:
        for r in (found := judged(s, scores, base[s.name], shots)):
            records[r["set"], r["shots"], r["model"]] = []
        for r in found:
            records[r["set"], r["shots"], r["model"]].append(r)
            if r["metric"] == "auc":
                value = f"{r['value']:.4f} {r['low']:.3f}-{r['high']:.3f}"
                print(f"{s.name} {r['model']} {shots}: {value}", flush=True)
        write(told.output, sets, [r for key in sorted(records) for r in records[key]])

    base = {
        s.name: {arm: kept_scores(s, arm, "none", 0, s.part("test")) for arm in NO_SHOTS}
        for s in sets
    }
    for s in sets:
        if (s.name, "none", "both") not in records:
            keep(s, {arm: [scores] for arm, scores in base[s.name].items()}, "none")
    asked = [arm for arm in ARMS if arm in arms and arm not in NO_SHOTS]
    for arm, shots, s in ((a, n, s) for a in asked for n in shots_of(a, told.shots) for s in sets):
        draws = 1 if shots in ("none", "all") else told.draws
        try:
            pairs = [beside_share(s, arm, shots, draw) for draw in range(draws)]
        except OutOfTime:
            print(f"left: {s.name} {arm} {shots}", flush=True)
            continue
        scores = {arm: [p[0] for p in pairs]}
        if arm in SUMS:
            scores[f"{arm}+share"] = [p[1] for p in pairs]
        keep(s, scores, shots)


def shots_of(arm: str, asked: str) -> list[str]:
    """The numbers of shots that say something of an arm."""
    if arm in ZERO:
        return ["none"]
    return [n for n in asked.split(",") if arm != "in_context" or n in IN_CONTEXT]


def write(output: Path, sets: list[FewShots], records: list[dict[str, Any]]) -> None:
    """The results so far."""
    held = {}
    if output.is_file():
        held = json.loads(output.read_text(encoding="utf-8")).get("sets", {})
    about = {
        s.name: held.get(s.name)
        or {
            "rows": s.rows["part"].value_counts().to_dict(),
            "users": {p: int(s.part(p)["user_id"].nunique()) for p in ("train", "valid", "test")},
            "liked": float(s.part("test")["liked"].mean()),
        }
        for s in sets
    }
    write_json(
        output,
        {
            "benchmark": "few shots: will this person like this item",
            "data": "MovieLens-100K (twice), Book-Crossing",
            "sets": held | about,
            "language_models": {
                "text": "all-MiniLM-L6-v2, 22M, frozen",
                "others": "SmolLM2-135M-Instruct; tuned in float32, asked as it is in bfloat16",
            },
            "interval": f"95 % percentile bootstrap over the test users, {DRAWS:,} draws; draws of shots together",
            "device": "cpu",
            "versions": versions(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "records": records,
        },
    )


if __name__ == "__main__":
    main()
