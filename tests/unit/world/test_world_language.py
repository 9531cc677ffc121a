"""Grammar of the generated texts."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.world.language import bank_of, names, polish, title_case, write
from recnb.world.settings import DOMAINS


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ("a old man", "An old man"),
        ("it is an banana", "It is a banana"),
        ("a honest hour", "An honest hour"),
        ("a university, an union, a uniform", "A university, a union, a uniform"),
        ("an one-way flight", "A one-way flight"),
        ("a unlikely pair", "An unlikely pair"),
        ("a useful thing. a eerie one", "A useful thing. An eerie one"),
        ("an European", "A European"),
        ("an hundred years", "A hundred years"),
    ],
)
def test_polish(raw: str, mended: str) -> None:
    assert polish(raw) == mended


def test_title_case_keeps_small_words_and_names() -> None:
    assert title_case("the secret of the DJ") == "The Secret of the DJ"


@pytest.mark.parametrize("domain", DOMAINS)
def test_titles_stay_distinct_in_large_catalogues(domain: str) -> None:
    bank = bank_of(domain)
    rng = np.random.default_rng(0)
    traits = np.zeros((1500, 5), dtype=int)
    traits[:, 1] = 1
    titles, texts = write(bank, traits, rng)
    assert len(set(titles)) == 1500 and len(texts) == 1500


@pytest.mark.parametrize("domain", DOMAINS)
def test_names_are_distinct_beyond_the_bank(domain: str) -> None:
    made = names(bank_of(domain), 3000, np.random.default_rng(0))
    assert len(set(made)) == 3000
