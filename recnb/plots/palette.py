"""How a method looks: one fixed colour, marker and line style across the course.

Colours follow the palette of Okabe and Ito (Color Universal Design, 2008), which people with any
colour vision can tell apart. A family shares a hue; marker and line style tell its members apart
in grey. A filled marker reads text with a language model, a hollow one does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from recnb.evaluation.language import uses_language_model

GREY, BLUE, SKY, GREEN = "#5a5a5a", "#0072b2", "#2f93cc", "#00795a"
VERMILION, ORANGE, PURPLE, BLACK = "#d55e00", "#bd7a00", "#b0578d", "#1a1a1a"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")
LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Style:
    """Colour, marker, line style, and whether the marker is filled."""

    colour: str
    marker: str
    line: str = "-"
    filled: bool = False

    def marks(self, size: float = 7) -> dict[str, Any]:
        """Keywords of `Axes.plot` for the marker."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "markersize": size,
            "markeredgewidth": 1.6,
            "markerfacecolor": self.colour if self.filled else "white",
        }


_FIXED = {
    "random": (GREY, "X", ":"),
    "popularity": (GREY, "s", "--"),
    "recent_popularity": (GREY, "D", "-."),
    "itemknn": (SKY, "o", "-"),
    "userknn": (SKY, "v", "--"),
    "ease": (BLUE, "D", "-"),
    "als": (BLUE, "^", "--"),
    "bpr": (BLUE, "P", "-."),
    "mf": (SKY, "s", "-."),
    "svdpp": (SKY, "p", ":"),
    "bfm": (BLUE, "h", ":"),
    "baseline": (GREY, "v", ":"),
    "knnbaseline": (SKY, "^", "-."),
    "tfidf": (GREEN, "<", "-"),
    "attributes": (GREEN, ">", "--"),
    "text_frozen": (ORANGE, "o", "--"),
    "text_weighted_sum": (ORANGE, "v", "-."),
    "text_dot": (VERMILION, "s", "-"),
    "text_mlp": (VERMILION, "^", "--"),
    "lm_prompt": (PURPLE, "X", "--"),
    "lm_likelihood": (PURPLE, "P", "-"),
    "pair": (PURPLE, "D", "-."),
    "tagger": (PURPLE, "h", ":"),
    "fusion": (BLACK, "p", "-"),
}


def style(name: str) -> Style:
    """The look of a method.

    Names without a fixed look (a method after ``@``, a blend, a model of one's own) get one from a hash
    of the name: the same in every figure, on every machine.

    Examples
    --------
    >>> style("ease")
    Style(colour='#0072b2', marker='D', line='-', filled=False)
    >>> style("text_dot@lora").colour == style("text_dot").colour
    True
    >>> style("my model") == style("my model")
    True
    """
    filled = uses_language_model(name)
    if name in _FIXED:
        return Style(*_FIXED[name], filled)
    number = int.from_bytes(sha256(name.encode()).digest()[:4], "big")
    marker, line = MARKERS[number % len(MARKERS)], LINES[number // 64 % len(LINES)]
    plain = name.partition("@")[0]
    if plain in _FIXED:
        own = _FIXED[plain]
        others = [m for m in MARKERS if m != own[1]]
        return Style(own[0], others[number % len(others)], line, filled)
    with_text, without = (VERMILION, ORANGE, PURPLE, BLACK), (BLUE, SKY, GREEN, BLACK)
    hues = with_text if filled else without
    return Style(hues[number // 4096 % len(hues)], marker, line, filled)
