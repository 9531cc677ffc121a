"""The hand that draws: a sheet without axes, boxes with words, arrows between them.

Coordinates are inches from the lower left corner, so that 10 pt text fits a box the same way in every drawing.
What learns is filled, what is frozen is white with a dashed edge; the words say the same, for readers in grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recnb.plots.canvas import DPI, ONE_PANEL
from recnb.plots.palette import BLACK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 10  # points


@dataclass(frozen=True)
class Box:
    """A box that is drawn: centre and size in inches; its sides are where arrows begin and end."""

    x: float
    y: float
    width: float
    height: float

    @property
    def top(self) -> tuple[float, float]:
        """The middle of the upper side."""
        return self.x, self.y + self.height / 2

    @property
    def bottom(self) -> tuple[float, float]:
        """The middle of the lower side."""
        return self.x, self.y - self.height / 2

    @property
    def left(self) -> tuple[float, float]:
        """The middle of the left side."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> tuple[float, float]:
        """The middle of the right side."""
        return self.x + self.width / 2, self.y


def sketch(width: float = ONE_PANEL[0], height: float = 3.0, ax: Axes | None = None) -> Axes:
    """Return a sheet to draw on, one unit an inch, without ticks and spines.

    Parameters
    ----------
    width, height : float
        Inches: 6 for one panel, 10 for two.
    ax : Axes, optional
        Drawn on where given.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(width, height), dpi=DPI)
        ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.set_axis_off()
    return ax


def box(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    *,
    width: float = 1.5,
    height: float = 0.5,
    colour: str = BLACK,
    learns: bool = False,
    frozen: bool = False,
) -> Box:
    """Draw a box of words around a centre.

    Parameters
    ----------
    x, y, width, height : float
        Inches.
    text : str
        Lines parted by a line break; about eleven letters an inch.
    colour : str
        Of the edge; of the ground, lightly, where it learns.
    learns, frozen : bool
        Filled, or dashed.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    ground = to_rgba(colour, 0.18) if learns else "white"
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            linewidth=1.4,
            linestyle="--" if frozen else "-",
            edgecolor=colour,
            facecolor=ground,
        )
    )
    ax.text(x, y, text, ha="center", va="center", fontsize=SIZE, color=BLACK, linespacing=1.25)
    return Box(x, y, width, height)


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    text: str = "",
    *,
    colour: str = BLACK,
) -> None:
    """Draw an arrow, with words beside its middle.

    Parameters
    ----------
    start, end : (float, float)
        Points in inches, such as ``a.top`` and ``b.bottom`` of two boxes.
    """
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.2, "shrinkA": 2, "shrinkB": 2}
    ax.annotate("", end, start, arrowprops=style)
    if text:
        middle = ((start[0] + end[0]) / 2 + 0.08, (start[1] + end[1]) / 2)
        ax.text(*middle, text, ha="left", va="center", fontsize=SIZE, color=BLACK)
