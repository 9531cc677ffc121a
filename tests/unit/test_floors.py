"""The house stands: imports only point down, and `import recnb` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import recnb

ROOT = Path(recnb.__file__).parent
# From the ground up. Parts of one floor do not know each other, but for the pairs of BESIDE.
FLOORS = (
    {"errors", "optional", "files", "hashing", "hooks", "progress", "versions"},
    {"metrics", "data"},
    {"world", "behaviour", "recommender"},
    {"encoders", "evaluation"},
    {"training", "tuning", "effect"},
    {"models"},
    {"plots", "report"},
    {"study"},
    {"serving", "course"},
    {"cli"},
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
# The report draws.
BESIDE = {("report", "plots")}
# In `models` a family knows what all share, and no other family; these join them.
JOINING = {"registry", "blends", "rerank", "__init__"}
MOST_FILES, MOST_LINES, MOST_LINES_OF_A_CLASS = 14, 450, 300


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
    return HOMES.get(part, "")


def home_of(name: str) -> str:
    """The part of the house that a first name (`recnb.load`) comes from."""
    value = getattr(recnb, name)
    module = getattr(value, "__module__", None) or value.__name__
    return module.split(".")[1]


HOMES = {name: home_of(name) for name in recnb.__all__ if name != "__version__"}


def breaches(path: Path) -> list[str]:
    here = path.relative_to(ROOT).as_posix()
    own = here.split("/")[0].removesuffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = imports(tree, module_of(path), path.name == "__init__.py")
    found += named_at_run_time(tree)
    out = []
    for line, name in found:
        part = part_of(name)
        if part == own == "models" and crosses(here, name):
            out.append(f"recnb/{here}:{line} imports {name}")
        if (
            not part
            or part == own
            or (own, part) in BESIDE
            or (LEVEL[own] == 0 and part == "errors")
        ):
            continue  # another package, `recnb.__version__`, or the own part
        if LEVEL[part] >= LEVEL[own]:
            out.append(f"recnb/{here}:{line} imports {name}")
    return out


def crosses(here: str, name: str) -> bool:
    """Whether a family of models imports another family, or what joins them."""
    family = here.split("/")[1].removesuffix(".py")
    other = name.split(".")[2] if name.count(".") >= 2 else "__init__"
    return family not in JOINING and other not in {family, "common"}


FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def test_every_part_has_a_floor():
    parts = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in FILES}
    assert parts <= set(LEVEL), f"no floor for {sorted(parts - set(LEVEL))}"


def test_imports_only_point_down():
    found = [breach for path in FILES for breach in breaches(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("models/classical/linear.py", "from recnb.models.content.words import TfIdf"),
        ("models/classical/linear.py", "from recnb.models import registry"),
        ("models/common/liked.py", "from recnb.models.classical.linear import EASE"),
        ("data/catalog.py", "from recnb.world import generate"),
        ("data/dataset.py", "from recnb.models import EASE"),
        ("data/dataset.py", "from recnb.metrics import ndcg"),
        ("errors.py", "import recnb.data.checks.cells"),
        ("evaluation/judge.py", "def f():\n    from recnb.models.classical.linear import EASE"),
        ("evaluation/judge.py", "from recnb import search"),
        ("evaluation/judge.py", "from .. import models"),
        ("evaluation/judge.py", "from ..models.classical.linear import EASE"),
        ("evaluation/judge.py", "import_module('recnb.report')"),
        ("models/classical/linear.py", "from recnb.study import search"),
        ("encoders/text.py", "from recnb.evaluation import evaluate"),
        ("recommender/lists.py", "from recnb.evaluation import evaluate"),
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
        ("evaluation/result.py", "from recnb import hooks"),
        ("recommender/topk.py", "from recnb.recommender.lists import Lists"),
        ("models/blends.py", "from recnb.models.classical.linear import EASE"),
        ("models/classical/linear.py", "from recnb.models.common.liked import taste"),
        ("optional.py", "from recnb.errors import InputError"),
        ("report/write.py", "from recnb.plots import plot_values"),
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
    with pytest.raises(AttributeError, match="No recnb attribute nothing"):
        _ = recnb.nothing
    assert set(HOMES) <= set(dir(recnb))


# Data tables: as long as what they say.
TABLES = ("world/phrases/*", "data/readers/grocery_words.py")


def sizes(root: Path) -> dict[str, tuple[int, int]]:
    """(size, bound) of every folder in files, of every module and class in lines; data tables are left out."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        folder = name[: -len(path.name)]
        found[folder] = (found.get(folder, (0, 0))[0] + 1, MOST_FILES)
        if any(fnmatch(name, table) for table in TABLES):
            continue
        text = path.read_text(encoding="utf-8")
        found[name] = (len(text.splitlines()), MOST_LINES)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                length = node.end_lineno - node.lineno + 1
                found[f"{name}:{node.name}"] = (length, MOST_LINES_OF_A_CLASS)
    return found


def test_folders_modules_and_classes_stay_small():
    above = {name: size for name, (size, bound) in sizes(ROOT).items() if size > bound}
    assert not above, f"cut them: {above}"


def test_a_size_above_its_bound_is_caught(tmp_path):
    (tmp_path / "part").mkdir()
    for k in range(MOST_FILES + 1):
        (tmp_path / "part" / f"m{k}.py").write_text("")
    (tmp_path / "long.py").write_text("x = 1\n" * (MOST_LINES + 1))
    (tmp_path / "big.py").write_text("class A:\n" + "    x = 1\n" * MOST_LINES_OF_A_CLASS)
    above = [name for name, (size, bound) in sizes(tmp_path).items() if size > bound]
    assert above == ["big.py:A", "long.py", "part/"]
