"""Personal data in text: found where it stands, and prices, years and order numbers left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recnb.behaviour import find_personal, mask
from recnb.behaviour.masking import luhn
from recnb.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail ann.lee+shop@mail.example.co.uk.", "mail <email>."),
        ("<a@b.org>, A_B@c-d.com", "<<email>>, <email>"),
        ("call (415) 555-2671!", "call <phone>!"),
        ("415.555.2671 or 4155552671", "<phone> or <phone>"),
        ("+49 30 901820 in Berlin", "<phone> in Berlin"),
        ("my card 4111 1111 1111 1111", "my card <card>"),
        ("5500-0000-0000-0004 and 378282246310005", "<card> and <card>"),
        ("a@b.org, 4111111111111111, 415 555 2671", "<email>, <card>, <phone>"),
    ],
)
def test_found(text, expected) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Paid $1,299.00 instead of 1.499,00 EUR",
        "from 1999 to 2019, 2008-12-25 10:20:30, 12/25/2008",
        "ISBN 0306406152 and ISBN-13: 978-0-306-40615-7, 9780306406157",
        "order 415 555 2671, Order no. 4155552671, tracking number: 4155552671",
        "UPC 012345678905, model #4155552671",
        "4111 1111 1111 1112",  # fails the check of Luhn
        "0000 0000 0000 0000",
        "12345678901234567890123",  # too long for a card
        "pi is 3.14159265358979",
        "follow @ann, 5 stars @ home, a@b",
        "12 oz, 40 lb, 24 count, 30-50% off, 1080p, 192.168.100.200",
        "",
    ],
)
def test_left_alone(text) -> None:
    assert mask(text) == text


def test_region_decides_about_national_numbers() -> None:
    assert mask("030 901820", region="DE") == "<phone>"
    assert mask("030 901820", region=None) == "030 901820"
    assert mask("+49 30 901820", region=None) == "<phone>"


def test_places() -> None:
    text = "x a@b.org y"
    ((start, end, kind),) = find_personal(text)
    assert text[start:end] == "a@b.org" and kind == "email"


@pytest.mark.parametrize("call", [lambda: mask(None), lambda: mask("4155552671", region="XX")])
def test_wrong_input_is_refused(call) -> None:
    with pytest.raises(InputError):
        call()


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="ab @.+-0123456789()<>", max_size=60))
def test_masking_again_changes_nothing_and_no_address_survives(text) -> None:
    once = mask(f"{text} ann@example.org {text}")
    assert mask(once) == once and "ann@example.org" not in once


@given(st.text(alphabet="0123456789", min_size=1, max_size=18))
def test_luhn_accepts_exactly_one_check_digit(digits) -> None:
    assert sum(luhn(digits + d) for d in "0123456789") == 1


def test_long_hostile_text_is_quick() -> None:
    import time

    start = time.perf_counter()
    mask("a." * 20_000 + "@" + "1-" * 100)
    assert time.perf_counter() - start < 2
