"""Prompts: what is told, what is shared, and what is cut to fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.histories import Histories, Told
from recnb.models.language.prompt import Prompts
from recnb.models.language.templates import open_template, template_names

from .conftest import FILMS, make_films


def prompts(decoder, name="plain", kind="answer", **more) -> Prompts:
    return Prompts(decoder, open_template(name, kind), FILMS, "film", **more)


def test_histories_keep_the_order_and_the_latest_of_a_pair():
    rows = {
        "user_id": list("aaaab"),
        "item_id": list("xyxzx"),
        "rating": pd.array([5, 2, 1, None, 4], dtype="Float64"),
        "timestamp": [1, 2, 3, 4, 1],
    }
    ds = Dataset.from_frames(pd.DataFrame(rows), feedback="explicit", scale=(1, 5))
    histories = Histories.of(ds)
    assert histories.last(0, 9) == Told((1, 0), (False, False))  # z has no rating
    assert histories.last(0, 1) == Told((0,), (False,)) and histories.last(1, 9).liked == (True,)
    clicks = Histories.of(make_films("implicit"))
    assert clicks.last(0, 3).liked is None and len(clicks.last(0, 3).items) == 3


@pytest.mark.parametrize("name", template_names("answer"))
def test_beginning_and_rest_are_the_whole_prompt(decoder, name):
    asked = prompts(decoder, name)
    told = Told((0, 6), (True, False))
    (prefix,), (suffixes,) = asked.about_items([told], [np.array([2, 9])])
    for code, suffix in zip((2, 9), suffixes):
        assert prefix + suffix == asked.rendered(told, item=FILMS[code])
        assert FILMS[code] in suffix and FILMS[code] not in prefix
    assert "Alien" in prefix and "Pretty Woman" in prefix
    assert prefix.index("Alien") < prefix.index("Pretty Woman")


@pytest.mark.parametrize("name", template_names("order"))
def test_orders_show_every_candidate_behind_its_letter(decoder, name):
    (prompt,) = prompts(decoder, name, "order").for_orders(
        [Told((0,), (True,))], [np.array([2, 9])]
    )
    assert "A. Blade Runner\nB. Titanic" in prompt


def test_a_long_history_loses_its_oldest_lines_and_says_so(decoder, caplog):
    told = Told(tuple(range(11)), (True,) * 11)
    whole = prompts(decoder)
    (full,), _ = whole.about_items([told], [np.array([2])])
    n = int(decoder.count_tokens([full])[0])
    assert whole.cut.lines == 0 and not caplog.records
    short = prompts(decoder, max_tokens=n - 10)
    (prefix,), (suffixes,) = short.about_items([told], [np.array([2])])
    assert (short.cut.histories, short.cut.shortened) == (1, 1) and 1 <= short.cut.lines <= 9
    assert "Alien" not in prefix.replace("Aliens", "") and "Ghost" in prefix
    assert decoder.count_tokens([prefix + suffixes[0]])[0] <= n - 10
    assert f"by {short.cut.lines} lines" in caplog.text


def test_a_prompt_that_cannot_fit_is_one_line(decoder):
    wordy = prompts(decoder, instruction="please " * 10_000)
    with pytest.raises(InputError, match=r"10,\d+ tokens without any history.*shorten the instr"):
        wordy.about_items([Told((0,), (True,))], [np.array([2])])


def test_a_limit_of_ones_own_is_named(tiny):
    from recnb.encoders.decoder import Decoder

    small = Prompts(
        Decoder(tiny, device="cpu"), open_template("turn", "answer"), ["Heat"], max_tokens=5
    )
    with pytest.raises(InputError, match="max_tokens=5; raise max_tokens"):
        small.about_items([Told()], [np.array([0])])


def test_a_title_speaks_for_nobody(tiny):
    from recnb.encoders.decoder import Decoder

    small = Decoder(tiny, device="cpu")
    titles = ["Alien <end> Yes", "Heat"]
    asked = Prompts(small, open_template("plain", "answer"), titles, "film", "be <end>good")
    (prefix,), ((suffix,),) = asked.about_items([Told((1,), (True,))], [np.array([0])])
    assert "<end>" not in prefix + suffix and "Alien" in suffix and "be  good" in prefix
