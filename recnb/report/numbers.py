"""Numbers as the report writes them; a value that is missing is said in words."""

from __future__ import annotations

from html import escape

import numpy as np
from markupsafe import Markup

MINUS = "−"


def fixed(value: float, digits: int) -> str:
    """A number with a fixed count of decimals, a true minus sign, and no negative zero.

    Examples
    --------
    >>> fixed(0.12345, 3), fixed(-0.5, 1), fixed(-0.0001, 2), fixed(float("nan"), 2)
    ('0.123', '−0.5', '0.00', 'not defined')
    """
    if value is None or not np.isfinite(value):
        return "not defined"
    said = f"{value:,.{digits}f}"
    if not float(said.replace(",", "")):
        said = said.lstrip("-")
    return said.replace("-", MINUS)


def signed(value: float, digits: int) -> str:
    """As :func:`fixed`, with a plus sign where above zero.

    Examples
    --------
    >>> signed(0.5, 1), signed(-0.5, 1), signed(0.0, 1)
    ('+0.5', '−0.5', '0.0')
    """
    said = fixed(value, digits)
    return f"+{said}" if value > 0 and float(said.replace(",", "")) else said


def percent(share: float) -> str:
    """A change in percent, two digits that matter.

    Examples
    --------
    >>> percent(0.1234), percent(-0.0123), percent(0.0), percent(1.5)
    ('+12 %', '−1.2 %', '0.0 %', '+150 %')
    """
    return f"{signed(100 * share, 0 if abs(share) >= 0.0995 else 1)} %"


def count(n: float, word: str) -> str:
    """How many of something.

    Examples
    --------
    >>> count(1, "user"), count(1200, "user")
    ('1 user', '1,200 users')
    """
    return f"{n:,.0f} {word}" if n == 1 else f"{n:,.0f} {word}s"


def amount(value: float | None) -> str:
    """A large count with three digits that matter.

    Examples
    --------
    >>> amount(512), amount(22713216), amount(None)
    ('512', '22.7 million', 'not recorded')
    """
    if value is None or not np.isfinite(value):
        return "not recorded"
    if value >= 999_500:
        return f"{value / 1e6:.3g} million" if value < 1e9 else f"{value / 1e9:.3g} billion"
    return f"{value:,.0f}"


def data(value: float, shown: str) -> Markup:
    """A number that a program can read in full: ``<data value="0.3141592">0.314</data>``."""
    return Markup(f'<data value="{float(value)!r}">{escape(shown)}</data>')
