"""Personal data in text: e-mail addresses, phone numbers and card numbers found and replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recnb.errors import InputError
from recnb.optional import need

# Bounded runs: a hostile text costs linear time.
_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
)
_CARD = re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w-]|\.\d)")
_NAMED_NUMBER = re.compile(
    r"(?:isbn(?:-1[03])?|issn|asin|ean|upc|sku|order|item|model|part|serial|invoice|tracking|ref(?:erence)?)"
    r"\s*(?:no\.?|number|nr\.?|id|code)?\s*(?:is|was)?\s*[:#]?\s*$",
    re.IGNORECASE,
)


def mask(text: str, region: str | None = "US") -> str:
    """The text with personal data replaced by `<email>`, `<card>` and `<phone>`.

    Parameters
    ----------
    text : str
    region : str or None
        ISO 3166 code of the country whose national phone numbers are known; None finds only numbers that begin
        with + and the country.

    Returns
    -------
    str
        Masking a masked text changes nothing.

    Raises
    ------
    InputError
        No string, an unknown region, or `phonenumberslite` is not installed.

    Notes
    -----
    Phone numbers are found by Google's libphonenumber and must exist as a number of their country; one that is named
    as something else right before it ("order 415 555 2671") is left. Card numbers have 13 to 19 digits, begin with
    2 to 6 and pass the check of Luhn. What no pattern can find stays: names, addresses, "ann at home dot org".
    A masked text is therefore not anonymous.

    References
    ----------
    ISO/IEC 7812-1:2017, annex B (Luhn). RFC 5321, section 4.5.3.1 (lengths of an address).

    Examples
    --------
    >>> mask("Write to ann.lee+shop@mail.example.org or call +1 415-555-2671.")
    'Write to <email> or call <phone>.'
    >>> mask("Paid 1,299.00 in 2019 with 4111 1111 1111 1111, ISBN 978-0-306-40615-7.")
    'Paid 1,299.00 in 2019 with <card>, ISBN 978-0-306-40615-7.'
    """
    out, done = [], 0
    for start, end, kind in find_personal(text, region):
        out += [text[done:start], f"<{kind}>"]
        done = end
    return "".join([*out, text[done:]])


def find_personal(text: str, region: str | None = "US") -> list[tuple[int, int, str]]:
    """Where personal data stand: (start, end, kind) with kind "email", "card" or "phone", in order.

    Parameters and errors as :func:`mask`.

    Examples
    --------
    >>> find_personal("me@example.com")
    [(0, 14, 'email')]
    """
    if not isinstance(text, str):
        raise InputError(f"{type(text).__name__} is no text", mend="pass one string at a time")
    found: list[tuple[int, int, str]] = []
    for start, end, kind in _candidates(text, region):  # e-mail before card before phone
        if all(end <= a or start >= b for a, b, _ in found):
            found.append((start, end, kind))
    return sorted(found)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of Luhn: doubled every second one from the right, sum % 10 = 0.

    Examples
    --------
    79927398713: 7+9+9+4+7+6+9+7+7+2+3 = 70.

    >>> luhn("79927398713"), luhn("79927398710")
    (True, False)
    """
    numbers = [int(d) for d in reversed(digits)]
    doubled = [sum(divmod(2 * d, 10)) for d in numbers[1::2]]
    return (sum(numbers[::2]) + sum(doubled)) % 10 == 0


def _candidates(text: str, region: str | None) -> Iterator[tuple[int, int, str]]:
    for match in _EMAIL.finditer(text):
        yield *match.span(), "email"
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if luhn(digits) and len(set(digits)) > 1:
            yield *match.span(), "card"
    yield from _phones(text, region)


def _phones(text: str, region: str | None) -> Iterator[tuple[int, int, str]]:
    phonenumbers = need("phonenumbers", "masking")
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise InputError(f"no region {region!r}", mend="give a code such as 'US' or 'DE', or None")
    if sum(map(str.isdigit, text)) < 7:
        return  # most texts: nothing to parse
    for match in phonenumbers.PhoneNumberMatcher(
        text, region, leniency=phonenumbers.Leniency.VALID
    ):
        before, said = text[: match.start], match.raw_string
        if _NAMED_NUMBER.search(before[-40:]) and not said.startswith("+"):
            continue
        if re.search(r"[$€£¥]\s*$", before):
            continue
        yield match.start, match.end, "phone"
