"""The house stands: imports only point down, and `import recnb` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import recnb

ROOT = Path(recnb.__file__).parent
# From the ground up. Parts of one floor do not know each other, but for the recommender's three files and
# the study, whose report draws.
FLOORS = (
    {"errors"},
    {"data", "metrics"},
    {"recommender", "topk", "lists"},
    {"encoders", "evaluation"},
    {"training"},
    {"models"},
    {"study", "plots"},
    {"serving", "course"},
    {"cli"},
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
TOGETHER = {"recommender", "topk", "lists"}
BESIDE = {("study", "plots")}
# The report stands on a higher floor and is found at run time.
AT_RUN_TIME = {("evaluation/result.py", "recnb.study.report")}


def module_of(path: Path) -> str:
    return ".".join(("recnb", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


def imports(tree: ast.AST, module: str, is_package: bool) -> list[tuple[int, str]]:
    """(line, imported name) of every import, those in functions too; relative ones made absolute."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".")
                here = here[: len(here) - node.level + is_package]
                base = ".".join([*here, base] if base else here)
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def named_at_run_time(tree: ast.AST) -> list[tuple[int, str]]:
    """Arguments of import_module and __import__, where they are written out."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ("import_module", "__import__"):
                found.append((node.lineno, str(node.args[0].value)))
    return found


def part_of(name: str) -> str | None:
    """The part of the house that a dotted name lies in; None for names of other packages."""
    head, _, rest = name.partition(".")
    if head != "recnb":
        return None
    part = rest.split(".")[0]
    if part in LEVEL:
        return part
    return recnb._HOMES[part].split(".")[1] if part in recnb._HOMES else ""


def breaches(path: Path) -> list[str]:
    here = path.relative_to(ROOT).as_posix()
    own = here.split("/")[0].removesuffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = imports(tree, module_of(path), path.name == "__init__.py")
    found += [
        (line, name) for line, name in named_at_run_time(tree) if (here, name) not in AT_RUN_TIME
    ]
    out = []
    for line, name in found:
        part = part_of(name)
        if not part or part == own or {part, own} <= TOGETHER or (own, part) in BESIDE:
            continue  # another package, `recnb.__version__`, or the own part
        if LEVEL[part] >= LEVEL[own]:
            out.append(f"recnb/{here}:{line} imports {name}")
    return out


FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def test_every_part_has_a_floor():
    parts = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in FILES}
    assert parts <= set(LEVEL), f"no floor for {sorted(parts - set(LEVEL))}"


def test_imports_only_point_down():
    found = [breach for path in FILES for breach in breaches(path)]
    assert not found, "\n".join(found)


def test_the_exception_is_still_one():
    for here, name in AT_RUN_TIME:
        tree = ast.parse((ROOT / here).read_text(encoding="utf-8"))
        assert name in [found for _, found in named_at_run_time(tree)], f"{here} no longer needs it"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("data/dataset.py", "from recnb.models import EASE"),
        ("data/dataset.py", "from recnb.metrics import ndcg"),
        ("errors.py", "import recnb.data.tables"),
        ("evaluation/judge.py", "def f():\n    from recnb.models.linear import EASE"),
        ("evaluation/judge.py", "from recnb import search"),
        ("evaluation/judge.py", "from .. import models"),
        ("evaluation/judge.py", "from ..models.linear import EASE"),
        ("evaluation/judge.py", "import_module('recnb.study.report')"),
        ("models/linear.py", "from recnb.study import search"),
        ("encoders/text.py", "from recnb.evaluation import evaluate"),
        ("lists.py", "from recnb.evaluation import evaluate"),
        ("plots/values.py", "from recnb.study import search"),
        ("study/run.py", "import recnb.cli.main as main"),
    ],
)
def test_a_breach_is_caught(path, line, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self, **kw: line)
    assert len(breaches(ROOT / path)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("evaluation/judge.py", "from recnb import InputError, top_k, __version__"),
        ("evaluation/result.py", "import_module('recnb.study.report')"),
        ("topk.py", "from recnb.lists import Lists"),
        ("models/linear.py", "from . import registry"),
        ("study/report/write.py", "from recnb.plots import plot_values"),
        ("cli/main.py", "import recnb.study, numpy"),
    ],
)
def test_what_is_allowed_passes(path, line, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self, **kw: line)
    assert not breaches(ROOT / path)


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


HEAVY = (
    "torch",
    "transformers",
    "matplotlib",
    "seaborn",
    "optuna",
    "implicit",
    "myfm",
    "papermill",
)


def test_import_is_light():
    """Seconds of the import alone; the best of three, since the machine may be busy."""
    code = (
        "import time, sys; start = time.perf_counter(); import recnb; "
        "print(time.perf_counter() - start, *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    runs = [fresh(code).split() for _ in range(3)]
    assert min(float(seconds) for seconds, *_ in runs) < 0.5
    loaded = set(runs[0][1:])
    assert not loaded & {*HEAVY, "pandas", "numpy", "scipy", "sklearn", "pyarrow"}


@pytest.mark.parametrize(
    "names", ["load, top_k, read_lists, load_model, InputError, Recommender", "evaluate"]
)
def test_the_first_names_load_nothing_heavy(names):
    code = (
        f"import sys; from recnb import {names}; print(*{{m.split('.')[0] for m in sys.modules}})"
    )
    assert not set(fresh(code).split()) & set(HEAVY)


def test_models_load_nothing_heavy():
    """Names, abilities and settings of all models are known without their engines."""
    code = "import sys; import recnb.models; print(*{m.split('.')[0] for m in sys.modules})"
    assert not set(fresh(code).split()) & set(HEAVY)


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = recnb.nothing
    assert set(recnb._HOMES) <= set(dir(recnb))
    for name, home in recnb._HOMES.items():
        assert (ROOT / Path(*home.split(".")[1:])).with_suffix(".py").is_file() or (
            ROOT / Path(*home.split(".")[1:]) / "__init__.py"
        ).is_file(), f"{name} has no home"
