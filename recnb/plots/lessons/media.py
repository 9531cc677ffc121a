"""Pictures and sounds of items, and what was read of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.data.media import Media, open_image
from recnb.errors import InputError
from recnb.plots.canvas import DPI, axes, quiet
from recnb.plots.palette import BLACK, BLUE, GREEN, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

READERS = {  # colour, marker
    "trained": (VERMILION, "s"),
    "averages": (BLUE, "o"),
    "raw": (GREEN, "D"),
    "not trained": (GREY, "^"),
    "another item's": ("#999999", "x"),
}


def plot_pictures(
    media: Media,
    rows: Mapping[str, Sequence[str]],
    marked: Collection[str] = (),
    ends: tuple[str, str] = ("", ""),
) -> np.ndarray:
    """Sheet of pictures: a named row of items each, such as a history and two models' lists.

    Parameters
    ----------
    media : Media
        Pictures; an item without one is an empty frame.
    rows : mapping of str to sequence of str
        Item ids of each row, from the left.
    marked : collection of str
        Items with a green frame: hits.
    ends : (str, str)
        Words under the first and the last column.

    Returns
    -------
    ndarray of Axes, shape (n_rows, n_columns)

    Raises
    ------
    InputError
        The media hold no pictures, or there is no row.
    """
    import matplotlib.pyplot as plt

    if media.kind != "image" or not rows:
        raise InputError(
            f"{len(rows)} rows of {media.kind} to draw", mend="give pictures and at least one row"
        )
    height, width = len(rows), max(map(len, rows.values()))
    figure, grid = plt.subplots(
        height, width, figsize=(1.7 + 0.83 * width, 0.35 + 0.86 * height), dpi=DPI, squeeze=False
    )
    for line, (name, items) in zip(grid, rows.items(), strict=True):
        for ax in line:
            ax.set(xticks=[], yticks=[])
            ax.set_axis_off()
        for ax, item, place in zip(line, items, media.rows(items), strict=False):
            ax.set_axis_on()
            if place < 0:
                ax.text(
                    0.5, 0.5, "none", transform=ax.transAxes, ha="center", va="center", color=GREY
                )
                continue
            ax.imshow(open_image(media.files[place]))
            for side in ax.spines.values():
                side.set(color=GREEN, linewidth=3.5) if item in marked else side.set_visible(False)
        line[0].text(-0.12, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=10)  # fmt: skip
    for ax, word in ((grid[-1, 0], ends[0]), (grid[-1, -1], ends[1])):
        ax.text(0.5, -0.2, word, transform=ax.transAxes, ha="center", fontsize=10)
    inches = figure.get_size_inches()[0]
    figure.subplots_adjust(1.6 / inches, 0.09 if any(ends) else 0.02, 0.995, 0.98, 0.06, 0.08)
    return np.asarray(grid)


def plot_spectrograms(
    spectra: Any, names: Sequence[str], media: Media | None = None, items: Sequence[str] = ()
) -> np.ndarray:
    """Draw spectrograms side by side, each item's picture above it where media are given.

    Parameters
    ----------
    spectra : array-like of shape (n, bands, frames)
        Loudness in units of 20 dB, 0 the loudest.
    names : sequence of str
        Titles of the n sounds.
    media : Media, optional
        Pictures.
    items : sequence of str
        Whose pictures.

    Returns
    -------
    ndarray of Axes, shape (1 or 2, n)
    """
    import matplotlib.pyplot as plt

    n = len(names)
    tall = 2 if media is not None else 1
    figure, panels = plt.subplots(
        tall, n, figsize=(min(10, 0.6 + 2.4 * n), 2.6 if tall == 1 else 4.2), dpi=DPI,
        squeeze=False, layout="constrained", height_ratios=[1.5, 1][-tall:],
    )  # fmt: skip
    shown = None
    for at, name in enumerate(names):
        ax = panels[-1, at]
        shown = ax.imshow(
            np.asarray(spectra[at]) * 20, origin="lower", aspect="auto", vmin=-80, vmax=0, cmap="magma"
        )  # fmt: skip
        ax.set(xlabel="Frame of 32 ms", yticks=[] if at else [0, 30, 60])
        top = panels[0, at]
        top.set_title(name, loc="left", fontsize=10)
        if media is not None:
            place = media.rows([items[at]])[0]
            top.imshow(open_image(media.files[place]))
            top.set(xticks=[], yticks=[])
    panels[-1, 0].set_ylabel("Mel band")
    if shown is not None:
        figure.colorbar(shown, ax=panels[-1, :], label="dB", pad=0.01)
    return np.asarray(panels)


def plot_recovered(table: pd.DataFrame, ax: Axes | None = None, legend: bool = True) -> Axes:
    """How much of each hidden trait the readers of one source recover, with intervals.

    Parameters
    ----------
    table : DataFrame with `features, trait, value, low, high, n_items`
        Rows of one source and its own traits; `features` are readers, see `READERS`.
    ax : Axes, optional
    legend : bool
    """
    ax = axes(ax, 4.4)
    traits = list(dict.fromkeys(table["trait"]))
    readers = [name for name in READERS if name in set(table["features"])]
    for shift, reader in zip(np.linspace(-0.3, 0.3, len(readers)), readers, strict=True):
        rows = table[table["features"] == reader].set_index("trait").loc[traits]
        colour, marker = READERS[reader]
        at = np.arange(len(traits)) + shift
        ax.hlines(at, rows["low"], rows["high"], color=colour, linewidth=1.6)
        ax.plot(rows["value"], at, marker, color=colour, markersize=5.5, label=reader)
    ax.axvline(0, color=BLACK, linewidth=1.2, zorder=1.4)
    ax.set_yticks(range(len(traits)), traits)
    ax.set_ylim(len(traits) - 0.5, -0.6)
    ax.set_xlim(-0.2, 1.05)
    ax.set_xlabel("R² of the trait on new items")
    ax.set_title(f"{table['n_items'].iloc[0]} new items", loc="left", fontsize=10)
    if legend:
        ax.legend(frameon=False, fontsize=10, loc="center left", bbox_to_anchor=(1, 0.5))
    quiet(ax)
    return ax
