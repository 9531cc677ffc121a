"""The findings of the README and of the site: one line each, every number looked up in `results/`.

python -m tools.site.readme      # writes them into README.md and README.zh-CN.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import jinja2
import yaml

from tools.site import recorded
from tools.site.leaderboard import leaderboard
from tools.site.recorded import ROOT

TEMPLATES = {"README.md": "findings.md.j2", "README.zh-CN.md": "findings.zh.md.j2"}
_BLOCK = r"(?<=<!-- {}: made by tools/site/readme.py -->\n).*?(?=<!-- end -->)"


def environment() -> jinja2.Environment:
    """What a page with looked-up numbers may call."""
    out = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    known = ("content", "row", "table", "f", "signed", "pct", "interval", "p_value", "corrected")
    out.globals.update({name: getattr(recorded, name) for name in known})
    out.globals["leaderboard"] = leaderboard
    return out


def findings(template: str, link: str) -> str:
    """The lines of a template; `link` is where a result lies, with `{}` for its name."""
    page = environment()
    page.globals["at"] = link.format
    return page.from_string((ROOT / "docs" / template).read_text(encoding="utf-8")).render()


# Heads of the table, the unit of reading time, and the chapters by the first digit of their notebooks.
TABLE = {
    "README.md": (
        ("chapter", "notebooks: each asks one question"),
        "min",
        {
            "0": "Data, people, baselines",
            "1": "Reading text, training, cost",
            "2": "Tuning the encoder",
            "3": "Pictures and sounds",
            "4": "Judging, and the effect",
            "5": "Judges, sequences, wishes",
            "6": "Serving",
        },
    ),
    "README.zh-CN.md": (
        ("章节", "笔记本：每本回答一个问题"),
        "分钟",
        {
            "0": "数据、用户、基线",
            "1": "读文本、训练、代价",
            "2": "微调编码器",
            "3": "图片与声音",
            "4": "评判与效果",
            "5": "评判者、序列、愿望",
            "6": "部署",
        },
    ),
}


def notebooks(name: str) -> str:
    """The table of notebooks in a README: a row a chapter; number, the question of the title, minutes of reading.

    Raises
    ------
    LookupError
        A notebook without a Chinese question.
    """
    path = yaml.safe_load((ROOT / "notebooks" / "path.yaml").read_text(encoding="utf-8"))
    head, unit, chapters = TABLE[name]
    rows: dict[str, list[str]] = {}
    for file in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        first = "".join(json.loads(file.read_text(encoding="utf-8"))["cells"][0]["source"])
        number, _, question = first.splitlines()[0].removeprefix("# ").partition(". ")
        if name != "README.md":
            if "zh" not in path[number]:
                raise LookupError(f"notebooks/path.yaml: notebook {number} has no question as zh")
            question = path[number]["zh"]
        line = f"[{number}](notebooks/{file.name}) {question} ({path[number]['minutes']} {unit})"
        rows.setdefault(chapters[number[0]], []).append(line)
    lines = [f"| {' | '.join(head)} |", "|---|---|"]
    lines += [f"| {chapter} | {'<br>'.join(cells)} |" for chapter, cells in rows.items()]
    return "\n".join(lines) + "\n"


def made(name: str) -> dict[str, str]:
    """The blocks of a README by their names."""
    lines = findings(TEMPLATES[name], "results/{}.json")
    return {"findings": lines, "notebooks": notebooks(name)}


def filled(text: str, blocks: Mapping[str, str]) -> str:
    """A README with its blocks made anew.

    Raises
    ------
    LookupError
        It has no place for one.
    """
    for name, lines in blocks.items():
        block = re.compile(_BLOCK.format(name), re.S)
        if not block.search(text):
            raise LookupError(f"no block '<!-- {name}: … -->' to '<!-- end -->'")
        text = block.sub(lambda _, lines=lines: lines, text, count=1)  # type: ignore[misc]
    return text


def main() -> None:
    """Write the blocks into both READMEs."""
    for name in TEMPLATES:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8"), made(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
