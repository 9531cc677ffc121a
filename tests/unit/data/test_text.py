"""Sentences of items and histories."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from recnb import InputError
from recnb.data import Dataset, Text
from recnb.data.text import clean, history_sentences, rating_word


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("  two\n\twords ", "two words"),
        ("&lt;b&gt;bold&lt;/b&gt; &amp;amp; more", "bold & more"),  # escaped twice
        ('<a href="x.html">link</a><br/>end<!-- note -->', "link end"),
        ("<p>One</p><p>Two</p>", "One Two"),
        ("a < b and c > d", "a < b and c > d"),  # no tag
        ("I <3 you > me", "I <3 you > me"),
        ("x\x00y\x07z\x9f", "x y z"),
        ("zero\u200bwidth\ufeff mark", "zero width mark"),
        ("caf\u00e9 \u4e2d\u6587 \U0001f600", "caf\u00e9 \u4e2d\u6587 \U0001f600"),
        ("", ""),
    ],
)
def test_clean(raw, said):
    assert clean(raw) == said
    assert clean(clean(raw)) == clean(raw)


def table(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.Index([f"i{i}" for i in range(n)], name="item_id"))


TEMPLATES = [
    (Text(), {"title": ["Heat"]}, ["Heat."]),
    (Text(), {"title": ["What?"], "text": ["Yes!"]}, ["What? Yes!"]),
    (Text(), {"title": ["\u7535\u5f71"], "text": ["\u597d\u3002"]}, ["\u7535\u5f71. \u597d\u3002"]),
    (Text(), {"title": ["Heat"], "year": [1995.0]}, ["Heat (1995)."]),
    (Text(), {"title": ["Heat"], "year": np.float32([1995])}, ["Heat (1995)."]),
    (Text(), {"title": ["Heat", "Jaws"], "year": [1995, None]}, ["Heat (1995).", "Jaws."]),
    (Text(), {"title": ["", "Jaws"], "year": [1995, 1975]}, ["1995.", "Jaws (1975)."]),
    (Text("title", "genres"), {"title": ["Heat"], "genres": [["Crime", "Drama"]]},
     ["Heat. Genres: Crime, Drama."]),
    (Text("title", "genres"), {"title": ["Heat"], "genres": [np.array(["Crime"])]},
     ["Heat. Genres: Crime."]),
    (Text("title", "genres"), {"title": ["Heat"], "genres": [None]}, ["Heat."]),
    (Text("title", "genres"), {"title": ["Heat"], "genres": [[]]}, ["Heat."]),
    (Text("title", "main_cast"), {"title": ["Heat"], "main_cast": ["Pacino"]},
     ["Heat. Main cast: Pacino."]),
    (Text("title", "genres", "year"), {"title": ["Heat"], "genres": ["Crime"], "year": [1995]},
     ["Heat. Genres: Crime. Year: 1995."]),
    (Text("brand", "title", labels=False), {"title": ["Pen"], "brand": ["Bic"]}, ["Bic. Pen."]),
    (Text("title"), {"title": [""]}, [""]),
    (Text("title", "price"), {"title": ["Pen"], "price": [1.5]}, ["Pen. Price: 1.5."]),
    (Text("title", "text", max_words=3), {"title": ["One two"], "text": ["three four"]},
     ["One two. three"]),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(TEMPLATES)))
def test_template(case):
    text, columns, said = TEMPLATES[case]
    assert text(table(**columns)) == said


def test_usual_columns_less_those_that_the_text_holds():
    columns = {
        "title": ["Heat", "Jaws"],
        "genres": ["Crime", "Horror"],
        "brand": ["", None],
        "text": ["A crime story.", "Horror at sea."],
        "price": [1, 2],
    }
    assert Text().chosen(table(**columns)) == ["title", "text"]
    columns["text"] = ["A story.", "At sea."]
    assert Text().chosen(table(**columns)) == ["title", "genres", "text"]
    # a text that repeats the title says nothing more
    columns["text"] = columns["title"]
    assert Text()(table(**columns)) == ["Heat. Genres: Crime.", "Jaws. Genres: Horror."]


def test_missing_columns():
    with pytest.raises(
        InputError, match=r"column 'plot': the items have no column 'plot' \(found: t"
    ):
        Text("plot")(table(title=["x"]))
    with pytest.raises(InputError, match="the items have no text; add a title or text column"):
        Text()(table(price=[1]))


def test_template_survives_json_and_compares_by_value():
    text = Text("title", "year", max_words=7, labels=False)
    assert Text.from_json(text.to_json()) == text and hash(Text.from_json(text.to_json())) == hash(
        text
    )
    assert text != Text("title", "year") and repr(text) != repr(Text("title", "year"))
    assert repr(text) == "Text('title', 'year', max_words=7, labels=False)"


def watched(ratings=(5, 4, 3, 2, 1), titles=None, feedback="explicit", **columns):
    n = len(ratings)
    rows = pd.DataFrame(
        {"user_id": "a", "item_id": range(n), "rating": pd.array(ratings, "Float64"),
         "timestamp": range(n), **columns}
    )  # fmt: skip
    rows.loc[n] = {**rows.iloc[0].to_dict(), "user_id": "b", "timestamp": 99}
    titles = titles or [f"Film {i}" for i in range(n)]
    items = pd.DataFrame({"item_id": range(n), "title": titles})
    users = pd.DataFrame({"user_id": ["nobody", "b", "a"]})
    scale = (1, 5) if feedback == "explicit" else None
    return Dataset.from_frames(rows, items, users, feedback=feedback, scale=scale)


def test_history_is_recent_first_with_ratings_in_words():
    said = history_sentences(watched())
    assert said[0] == ""  # a user without rows
    assert said[1] == "loved Film 0"
    assert (
        said[2] == "hated Film 4; disliked Film 3; found so-so Film 2; liked Film 1; loved Film 0"
    )
    assert history_sentences(watched(), np.array([2, 1]), n=2) == [
        "hated Film 4; disliked Film 3",
        "loved Film 0",
    ]
    assert history_sentences(watched((5, None)), np.array([2])) == ["Film 1; loved Film 0"]
    implicit = history_sentences(watched(feedback="implicit"), np.array([2]), n=2)
    assert implicit == ["Film 4; Film 3"]


@pytest.mark.parametrize("bound", [1, 2, 3, 6, 7, 8, 13, 100])
def test_history_keeps_its_bound_and_drops_the_oldest(bound):
    def count(text):
        return len(re.findall(r"\w+|[^\w\s]", text))

    ds = watched((5,) * 30)
    (said,) = history_sentences(ds, np.array([2]), n=30, max_tokens=bound)
    assert 0 < count(said) <= bound
    whole = [f"loved Film {i}" for i in range(29, -1, -1)]
    assert "; ".join(whole).startswith(said)
    if bound >= 3:  # as many whole items as fit: 3 tokens each, and one between two
        assert said.split("; ") == whole[: (bound + 1) // 4]


def test_history_counts_with_the_tokenizer_given():
    ds = watched((5,) * 30)
    (said,) = history_sentences(ds, np.array([2]), n=30, max_tokens=25, count=len)
    assert said == "loved Film 29"
    (said,) = history_sentences(ds, np.array([2]), text=Text("title", max_words=1))
    assert said.startswith("loved Film; loved Film")


@pytest.mark.parametrize(
    ("rating", "scale", "word"),
    [
        (0.5, (0.5, 5), "hated"),
        (5, (0.5, 5), "loved"),
        (8, (1, 10), "liked"),
        (10, (1, 10), "loved"),
        (0, (0, 1), "hated"),
        (1, (0, 1), "loved"),
        (np.nan, (1, 5), ""),
        (3, None, ""),
    ],
)
def test_rating_words(rating, scale, word):
    assert rating_word(rating, scale) == word
