"""Pages of the site that are made: results, readings, models, metrics, commands, course."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

from tools.site import recorded
from tools.site.readme import environment, findings
from tools.site.recorded import RESULTS, ROOT

DOCS = ROOT / "docs"
MADE = ("results", "course", "generated")  # folders under docs/ that a build fills
_SHOWN = 40  # rows of a table that stand open
_LONG = 60  # characters of a cell


def make_all() -> None:
    """Fill the made folders anew."""
    for name in MADE:
        shutil.rmtree(DOCS / name, ignore_errors=True)
        (DOCS / name).mkdir()
    lines_of_findings()
    results()
    models()
    metrics()
    commands()
    data()
    notebooks()


def render(text: str) -> str:
    """A text with numbers that are looked up in `results/`, see :func:`tools.site.readme.environment`."""
    return environment().from_string(text).render()


def lines_of_findings() -> None:
    """The findings of the README, their links to the pages of the site."""
    text = findings("findings.md.j2", "results/{}.md")
    (DOCS / "generated" / "findings.md").write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- results


def results() -> None:
    """A page for each file of `results/`, and their index."""
    names = sorted(path.stem for path in RESULTS.glob("*.json"))
    for name in names:
        (DOCS / "results" / f"{name}.md").write_text("\n".join(_result(name)), encoding="utf-8")
    lines = ["# Results", "", render((DOCS / "readings" / "index.md").read_text("utf-8")), ""]
    lines += ["| page | what | date |", "|---|---|---|"]
    for name in names:
        held = recorded.content(name)
        lines.append(f"| [{_title(name)}]({name}.md) | {_what(held)} | {held.get('date', '')} |")
    toc = ["", "```{toctree}", ":hidden:", "", *names, "```", ""]
    (DOCS / "results" / "index.md").write_text("\n".join([*lines, *toc]), encoding="utf-8")


def _result(name: str) -> Iterator[str]:
    held = recorded.content(name)
    yield f"# {_title(name)}"
    yield ""
    reading = DOCS / "readings" / f"{name}.md"
    if reading.is_file():
        yield render(reading.read_text("utf-8"))
        yield ""
    yield f"Everything below is made from `results/{name}.json`."
    yield ""
    for key, value in held.items():
        if not _tabular(value) and not isinstance(value, (dict, list)):
            yield f"- *{key.replace('_', ' ')}*: {_cell(value)}"
    for key in ("seeds", "versions", "settings"):
        value = held.get(key)
        if value and not _tabular(value):
            yield f"- *{key}*: {_cell(value, 2000)}"
    yield ""
    for place, rows in _tables(held):
        yield f"## {place.replace('_', ' ').capitalize()}"
        yield ""
        long = len(rows) > _SHOWN
        if long:
            yield f"```{{dropdown}} {len(rows)} rows"
        yield from _markdown(rows)
        if long:
            yield "```"
        yield ""


def _tables(held: Any, place: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if _tabular(held):
        flat = [{k: v for k, v in row.items() if not _tabular(v)} for row in held]
        yield place, flat
        for at, row in enumerate(held):
            for key, value in row.items():
                if _tabular(value):
                    label = row.get("data") or row.get("protocol") or row.get("model") or at + 1
                    yield f"{place}, {label}: {key}", value
    elif isinstance(held, dict):
        for key, value in held.items():
            if key not in ("versions", "settings"):
                yield from _tables(value, f"{place}, {key}" if place else key)


def _tabular(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _markdown(rows: list[dict[str, Any]]) -> Iterator[str]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    yield "| " + " | ".join(c.replace("_", " ") for c in columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(_cell(row.get(c)) for c in columns) + " |"
    yield ""


def _cell(value: Any, most: int = _LONG) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return recorded.f(value) if abs(value) < 10 else f"{value:,.1f}"
    if isinstance(value, dict) and value and all(isinstance(v, float) for v in value.values()):
        return " · ".join(map(_cell, value.values()))  # a value for each split or seed, in order
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
        value = value if len(value) <= most else value[: most - 1] + "…"
        return f"`{value}`".replace("|", "\\|")
    return re.sub(r"([|<>*_$`])", r"\\\1", " ".join(str(value).split()))


def _title(name: str) -> str:
    return name.replace("_", " ").replace("benchmark ", "speed: ").capitalize()


def _what(held: dict[str, Any]) -> str:
    data = held.get("data")
    return _cell(
        held.get("what") or held.get("benchmark") or (data if isinstance(data, str) else "")
    )


# ---------------------------------------------------------------- code


def models() -> None:
    """The table of models, from the registry."""
    from recnb.models import registry

    lines = ["| name | what | reads | class |", "|---|---|---|---|"]
    for name in registry.names():
        cls = registry.lookup(name)
        told = registry.about(name)
        ways = (f"{way.name.removeprefix(name)}: {way.reads}" for way in told.ways)
        reads = _cell("; ".join([str(told.reads), *ways]))
        lines.append(
            f"| `{name}` | {_cell(registry.describe(name))} | {reads} | `{cls.__name__}` |"
        )
    (DOCS / "generated" / "models.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def metrics() -> None:
    """The table of metrics, from the one table that the judge uses."""
    from recnb.metrics import METRICS

    lines = ["| name | what | needs |", "|---|---|---|"]
    for name, metric in METRICS.items():
        first = inspect.getdoc(metric.function) or name
        lines.append(f"| `{name}` | {_cell(first.splitlines()[0])} | {metric.needs} |")
    (DOCS / "generated" / "metrics.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def commands() -> None:
    """The help of each command, as it is printed."""
    import typer

    from recnb.cli.main import app

    command: Any = typer.main.get_command(app)
    lines: list[str] = []
    for path, one in _walk(command, ()):
        lines += [f"## recnb {' '.join(path)}".rstrip(), "", *_help(one, path), ""]
    (DOCS / "generated" / "commands.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in getattr(command, "commands", {}).items():
        if getattr(one, "commands", None):
            yield from _walk(one, (*path, name))
        else:
            yield (*path, name), one


def _help(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    text = re.sub(r"\[/?(bold|dim|italic)\]", "", command.help or "")
    yield _cell(text.split("\n\n")[0], 2000)
    yield ""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [
        p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts
    ]
    names = " ".join((p.metavar or p.name or "").upper() for p in arguments)
    yield "```\n" + f"recnb {' '.join(path)} {names} [OPTIONS]".replace("  ", " ") + "\n```"
    yield ""
    if options:
        yield "| option | default | does |"
        yield "|---|---|---|"
    for option in options:
        default = (
            option.default
            if option.default not in (None, (), []) and not callable(option.default)
            else ""
        )
        flags = ", ".join(f"`{o}`" for o in (*option.opts, *option.secondary_opts))
        shown = "" if default is False or "Sentinel" in repr(default) else str(default)
        yield f"| {flags} | {_cell(shown)} | {_cell(getattr(option, 'help', '') or '')} |"


# ---------------------------------------------------------------- course


def notebooks() -> None:
    """The notebooks as they are stored; links that leave their folder point to the repository."""
    repository = _repository()
    names = []
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        nb = json.loads(path.read_text(encoding="utf-8"))
        for cell in nb["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = _linked("".join(cell["source"]), repository)
        (DOCS / "course" / path.name).write_text(json.dumps(nb), encoding="utf-8")
        names.append(path.stem)
    intro = (DOCS / "course.md").read_text(encoding="utf-8")
    toc = ["", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""]
    (DOCS / "course" / "index.md").write_text(intro + "\n".join(toc), encoding="utf-8")


def data() -> None:
    """The datasheets."""
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    (DOCS / "generated" / "data.md").write_text(_linked(text, _repository()), encoding="utf-8")


def _linked(text: str, repository: str) -> str:
    """Markdown of the repository as the site shows it: links that leave the folder, anchors as Jupyter makes them."""
    text = re.sub(r"\]\(\.\./([^)\s]+)\)", lambda found: f"]({_page(found[1], repository)})", text)
    return re.sub(r"\]\(#([^)\s]+)\)", lambda found: f"](#{_slug(found[1])})", text)


def _page(path: str, repository: str) -> str:
    """Where a file of the repository stands, seen from a folder of the site: its page there, or the repository.

    Examples
    --------
    >>> _page("results/across.json", "R"), _page("docs/guides/tuning.md", "R"), _page("data/README.md", "R")
    ('../results/across.md', '../guides/tuning.md', 'R/blob/main/data/README.md')
    """
    if result := re.fullmatch(r"results/(\w+)\.json", path):
        return f"../results/{result[1]}.md"
    if page := re.fullmatch(r"docs/((?:guides/)?[\w-]+\.md)", path):
        return f"../{page[1]}"
    return f"{repository}/blob/main/{path}"


def _slug(anchor: str) -> str:
    """Jupyter's anchor of a heading as that of the site.

    Examples
    --------
    >>> _slug("4.-The-models,-one-table")
    '4-the-models-one-table'
    """
    return re.sub(r"[^\w -]", "", anchor.replace("-", " ").lower()).strip().replace(" ", "-")


def _repository() -> str:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"]
