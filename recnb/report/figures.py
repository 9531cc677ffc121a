"""Figures as inline SVG: the same bytes every time, text as text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 6.0  # inches; at 11 pt it stays readable on a phone
_STYLE: dict[str, Any] = {
    "font.size": 11,
    "font.family": "sans-serif",
    "axes.titlesize": 11,
    "axes.labelpad": 6,
    "svg.fonttype": "none",
    "svg.hashsalt": "recnb",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Figure:
    """An SVG, the sentence beneath it (also its text alternative), and its id."""

    id: str
    svg: Markup
    caption: str


def figure(id: str, draw: Callable[[Axes], object], caption: str, height: float = 4.0) -> Figure:
    """Draw on new axes and return the picture.

    Parameters
    ----------
    id : str
        Unique in the report: it is put before every id within the picture.
    draw : callable
        Draws on the axes it is given.
    caption : str
        What to see.
    height : float
        Inches.
    """
    import warnings

    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(), warnings.catch_warnings():
        # The reader's browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # type: ignore[arg-type]
        canvas = Canvas(figsize=(WIDTH, height))
        draw(canvas.subplots())
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return Figure(id, _inline(file.getvalue(), id), caption)


def _inline(text: str, id: str) -> Markup:
    """The svg element alone, its ids made unique, named by the caption beneath."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\bid="', f'id="{id}-', text)
    text = re.sub(r'href="#', f'href="#{id}-', text)
    text = text.replace("url(#", f"url(#{id}-").replace("xlink:href", "href")
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r' (d|x|y|transform)="[^"]*"', _rounded, text)
    text = re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" role="img" aria-labelledby="{id}-caption">',
        text,
        count=1,
    )
    return Markup(re.sub(r"\n\s*", "\n", text).strip())


def _rounded(found: re.Match[str]) -> str:
    """Coordinates to hundredths of a point, which is enough; the words of a figure are not touched."""
    return re.sub(r"(\d+\.\d{2})\d+", r"\1", found[0])
