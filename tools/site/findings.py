"""The findings of the README and of the site: one line each, every number looked up in `results/`.

python -m tools.site.findings      # writes them into README.md and README.zh-CN.md
"""

from __future__ import annotations

import re
from pathlib import Path

import jinja2

from tools.site import recorded
from tools.site.recorded import ROOT

TEMPLATES = {"README.md": "findings.md.j2", "README.zh-CN.md": "findings.zh.md.j2"}
_BLOCK = re.compile(
    r"(?<=<!-- findings: made by tools/site/findings.py -->\n).*?(?=<!-- end -->)", re.S
)


def environment() -> jinja2.Environment:
    """What a page with looked-up numbers may call."""
    made = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    known = ("content", "row", "table", "f", "signed", "pct", "interval")
    made.globals.update({name: getattr(recorded, name) for name in known})
    return made


def findings(template: str, link: str) -> str:
    """The lines of a template; `link` is where a result lies, with `{}` for its name."""
    made = environment()
    made.globals["at"] = link.format
    return made.from_string((ROOT / "docs" / template).read_text(encoding="utf-8")).render()


def filled(text: str, lines: str) -> str:
    """A README with its findings made anew.

    Raises
    ------
    LookupError
        It has no place for them.
    """
    if not _BLOCK.search(text):
        raise LookupError("no block '<!-- findings … -->' to '<!-- end -->'")
    return _BLOCK.sub(lambda _: lines, text)


def main() -> None:
    """Write the findings into both READMEs."""
    for name, template in TEMPLATES.items():
        path = Path(ROOT / name)
        text = filled(path.read_text(encoding="utf-8"), findings(template, "results/{}.json"))
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
