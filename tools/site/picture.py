"""The picture of the README: what a language model adds to counted words on new items, a line for each data set.

python -m tools.site.picture      # writes docs/_static/answer.svg from results/text_transfer.json
"""

from __future__ import annotations

import hashlib
import io
import json
import re

from recnb import files
from tools.site.recorded import ROOT, table

FILE = ROOT / "docs" / "_static" / "answer.svg"
MODEL, PARTS = "text_joint", ("tfidf", "text_frozen")


def rows() -> list[dict]:
    """New items: the model that reads words and meaning, less the better of the two; most rows an item first."""
    values = {
        (r["set"], r["model"]): r["value"]
        for r in table("text_transfer")
        if r["split"] == "cold_item"
    }
    out = []
    for r in table("text_transfer", "differences"):
        better = max(PARTS, key=lambda part, name=r["set"]: values[name, part])  # type: ignore[misc]
        if (r["split"], r["model"], r["to"]) == ("cold_item", MODEL, better):
            out.append({**r, "base": values[r["set"], better]})
    return sorted(out, key=lambda r: -r["rows_per_item"])


def digest() -> str:
    """What the picture was drawn from."""
    return hashlib.sha256(json.dumps(rows(), sort_keys=True).encode()).hexdigest()[:16]


def drawn_from() -> str | None:
    """The digest in the stored picture."""
    found = re.search(r"drawn from ([0-9a-f]{16})", FILE.read_text(encoding="utf-8"))
    return found[1] if found else None


def draw() -> str:
    """The picture as svg."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    held = rows()
    with plt.rc_context({"svg.hashsalt": "recnb", "svg.fonttype": "none", "font.size": 10}):
        figure, ax = plt.subplots(figsize=(7.5, 0.32 * len(held) + 1.4), dpi=100)
        for at, r in enumerate(held):
            low, value, high = (100 * r[k] / r["base"] for k in ("low", "difference", "high"))
            shown = low > 0 or high < 0
            colour = "#0072b2" if shown else "#888888"
            ax.plot([low, high], [at, at], color=colour, linewidth=2, solid_capstyle="butt")
            fill = colour if shown else "white"
            ax.plot(value, at, "o", markerfacecolor=fill, markeredgecolor=colour)
        names = [
            f"{r['set']} ({r['rows_per_item']:.0f} rows an item, n {r['n_users']:,})" for r in held
        ]
        ax.set_yticks(range(len(held)), names)
        ax.axvline(0, color="black", linewidth=1)
        ax.set_xlabel(
            "% of NDCG@10: reading words and meaning together,\nless the better of the two alone"
        )
        ax.set_title("New items: what does a language model\nadd to counted words?")
        for side in ("top", "right", "left"):
            ax.spines[side].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
        figure.tight_layout()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return out.getvalue().replace("<svg ", f"<!-- drawn from {digest()} -->\n<svg ", 1)


if __name__ == "__main__":
    files.write_text(FILE, draw())
