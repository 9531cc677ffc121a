"""The whole course: order, progress, summary and page; what is finished is not run again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from recnb.course import NotebookError, Progress, run_course
from recnb.course.running import batch
from recnb.errors import InputError

Make = Callable[..., Path]
COUNT = "open('../runs.txt', 'a').write('x')"  # beside notebooks/, whatever the output folder
RECORD = "from recnb.course import record\nrecord({'users': N_USERS}, seed=SEED)"


@pytest.fixture(autouse=True)
def same_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may edit the package while the tests run; that alone would be another run."""
    monkeypatch.setattr(batch, "package_digest", lambda: "one")


def test_the_package_is_part_of_a_runs_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert len(batch.package_digest()) == 16 and batch.package_digest() != "one"


@pytest.fixture
def two(make: Make) -> Path:
    make(COUNT, RECORD, name="00_first.ipynb")
    make(COUNT, name="01_second.ipynb", profiles="smoke: {SEED: 3}\n")
    return make("1 / 0", name="notes.ipynb").parents[1]  # no lesson: it has no number


def runs(root: Path) -> int:
    file = root / "runs.txt"
    return len(file.read_text()) if file.exists() else 0


def test_notebooks_run_in_order_once_and_again_only_when_something_changed(
    two: Path, tmp_path: Path
) -> None:
    steps: list[Progress] = []
    out = tmp_path / "out"
    result = run_course(None, "smoke", output_dir=out, root=two, jobs=1, progress=steps.append)
    states = [(s.notebook[:2], s.state) for s in steps if s.state != "cell"]
    assert states == [(n, s) for n in ("00", "01") for s in ("started", "finished")]
    assert [n.status for n in result.notebooks] == ["finished"] * 2
    assert [n.parameters for n in result.notebooks] == [{"N_USERS": 5}, {"SEED": 3}]
    summary = json.loads(result.summary.read_text())
    rows = summary["notebooks"][0]["records"][0]["rows"]
    assert rows == [{"metric": "users", "value": 5, "seed": 0}]
    page = result.page.read_text()
    assert 'href="00_first/notebook.html"' in page and "users" in page
    for notebook in result.notebooks:  # how long each took
        assert f'<td class="number">{notebook.seconds:.1f}</td>' in page
    assert (out / "00_first" / "notebook.html").stat().st_size > 1000
    assert runs(two) == 2

    again = run_course(None, "smoke", output_dir=out, root=two)
    assert [n.status for n in again.notebooks] == ["reused"] * 2
    assert runs(two) == 2
    assert again.notebooks[0].records == result.notebooks[0].records

    forced = run_course(["01"], "smoke", output_dir=out, root=two, force=True)
    assert [n.status for n in forced.notebooks] == ["finished"]
    assert runs(two) == 3


def test_other_source_parameters_or_package_are_another_run(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reused(path: Path, **settings: object) -> bool:
        result = run_course([0], "smoke", settings, output_dir=tmp_path, root=path.parents[1])
        return result.notebooks[0].status == "reused"

    def not_run(path: Path, parameters: object, **limits: object) -> None:
        raise NotebookError("run again", path, tmp_path / "none.ipynb", None)

    path = make("print(1)")
    assert not reused(path)
    monkeypatch.setattr(batch, "run_notebook", not_run)
    monkeypatch.setattr(batch, "write_html", lambda executed: executed)
    assert reused(path)
    assert not reused(path, SEED=1)
    assert not reused(make("print(2)"))
    assert reused(make("print(1)"))
    monkeypatch.setattr(batch, "package_digest", lambda: "another")
    assert not reused(make("print(1)"))


def test_a_failure_does_not_stop_the_others(two: Path, tmp_path: Path, make: Make) -> None:
    make("1 / 0", name="00_first.ipynb")
    result = run_course(output_dir=tmp_path / "out", root=two, jobs=2)
    assert [n.status for n in result.notebooks] == ["failed", "finished"]
    (failed,) = result.failed
    assert "ZeroDivisionError" in failed.problem
    assert (tmp_path / "out" / failed.executed).exists()
    assert "ZeroDivisionError" in result.page.read_text()
    make("print('mended')", name="00_first.ipynb")
    result = run_course(output_dir=tmp_path / "out", root=two)
    assert [n.status for n in result.notebooks] == ["finished", "reused"]


@pytest.mark.parametrize("starts", [True, False])
def test_many_notebooks_run_in_kernels_that_start_warm(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: bool
) -> None:
    asked: list[object] = []

    @contextlib.contextmanager
    def warm(folder: Path, env: dict[str, str]) -> Iterator[list[str]]:
        if not starts:
            raise RuntimeError
        yield ["a kernel"]
        asked.append("ended")

    def ran(path: Path, parameters: object, *, command: object, output_dir: Path, **limits: object):
        asked.append(command)
        raise NotebookError("enough", path, output_dir / "none.ipynb", None)

    monkeypatch.setattr(batch, "warm_kernels", warm)
    monkeypatch.setattr(batch, "run_notebook", ran)
    monkeypatch.setattr(batch, "write_html", lambda executed: executed)
    monkeypatch.setattr(batch, "POSSIBLE", True)
    run_course(output_dir=tmp_path / "few", root=two)
    assert asked == [None, None]
    monkeypatch.setattr(batch, "MANY", 1)
    run_course(output_dir=tmp_path / "many", root=two)
    assert asked[2:] == ([["a kernel"], ["a kernel"], "ended"] if starts else [None, None])


@pytest.mark.parametrize(
    ("profile", "cores", "free_gb", "jobs"),
    [("cpu", 2, 24, 2), ("cpu", 2, 4, 1), ("cpu", 1, 1, 1), ("cpu", 64, 256, 4), ("gpu", 8, 64, 1)],
)
def test_as_many_at_a_time_as_cores_and_memory_allow(
    profile: str, cores: int, free_gb: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(available=free_gb * 1024**3)
    monkeypatch.setattr(batch.psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(batch, "_cores", lambda: cores)
    assert batch.default_jobs(profile) == jobs


def test_two_at_a_time_have_one_thread_each(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_cores", lambda: 2)
    wait = (
        "import os, time\nfrom pathlib import Path\n"
        "Path('..', NAME).touch()\n"
        "while len(list(Path('..').glob('here-*'))) < 2: time.sleep(0.05)\n"
        "from recnb.course import record\n"
        "record({'threads': int(os.environ['OMP_NUM_THREADS'])})"
    )
    make(wait.replace("NAME", "'here-0'"), name="00_first.ipynb")
    root = make(wait.replace("NAME", "'here-1'"), name="01_second.ipynb").parents[1]
    (root / "notebooks" / "profiles" / "01.yaml").write_text("cpu: {}\n")
    result = run_course(output_dir=tmp_path / "out", root=root, jobs=2, notebook_timeout=120)
    values = [n.records[0]["rows"][0]["value"] for n in result.notebooks]
    assert values == [1, 1]  # each waited for the other, so they ran together


def test_titles_are_escaped_in_the_page(make: Make, tmp_path: Path) -> None:
    path = make("record({'a<b': 1})".join(["from recnb.course import record\n", ""]))
    page = run_course([0], output_dir=tmp_path / "out", root=path.parents[1]).page.read_text()
    assert "a<b" not in page and "a&lt;b" in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"numbers": ["07"]}, "there is no notebook 07; there are: 00, 01"),
        ({"overrides": {"EPOCHS": 1}}, "parameter 'EPOCHS' is not declared"),
        ({"overrides": ["SEED=one"]}, "SEED = 'one' is of type str"),
        ({"overrides": ["SEED"]}, "setting 'SEED' has no '='"),
        ({"profile": "huge"}, "unknown profile 'huge'"),
        ({"jobs": 0}, "jobs is 0"),
    ],
)
def test_wrong_requests_are_told_before_anything_runs(
    asked: dict[str, object], said: str, two: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        run_course(output_dir=tmp_path / "out", root=two, **asked)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert runs(two) == 0


def test_settings_of_the_command_line_get_the_declared_types(two: Path, tmp_path: Path) -> None:
    settings = ["SEED=5", "SHARE=1e-1", "DEVICE=cpu"]
    result = run_course([0], "smoke", settings, output_dir=tmp_path / "out", root=two)
    expected = {"N_USERS": 5, "SEED": 5, "SHARE": 0.1, "DEVICE": "cpu"}
    assert result.notebooks[0].parameters == expected


def test_ctrl_c_ends_the_kernels(two: Path, tmp_path: Path, make: Make) -> None:
    make("import time\ntime.sleep(600)", name="00_first.ipynb")

    def interrupt(step: Progress) -> None:
        if step.state == "cell" and step.cell == step.cells:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_course([0], output_dir=tmp_path / "out", root=two, progress=interrupt)
    assert not (tmp_path / "out" / "00_first").exists()
