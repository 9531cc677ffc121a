"""Words with a number each."""

from __future__ import annotations

import pytest

from recnb.course import coloured
from recnb.errors import InputError


def test_words_above_and_below_zero_have_two_colours_and_the_largest_is_the_strongest() -> None:
    page = coloured(["<P>"], [["red", "grapes", "&"]], [[2.0, -1.0, 0.5]])._repr_html_()
    assert "&lt;P&gt;" in page and "&amp;" in page  # nothing is read as markup
    strengths = [float(part.split(")")[0].rsplit(",", 1)[1]) for part in page.split("rgba(")[1:]]
    assert strengths[0] == 2 * strengths[1] > 2 * strengths[2]
    hues = [part.split(",", 1)[0] for part in page.split("rgba(")[1:]]
    assert hues[0] == hues[2] != hues[1]


def test_values_that_do_not_fit_the_words_raise() -> None:
    with pytest.raises(InputError, match="as many values"):
        coloured(["a"], [["b", "c"]], [[1.0]])
    assert coloured(["a"], [["b"]], [[0.0]])._repr_html_()  # no number at all
