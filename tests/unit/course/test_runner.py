"""The runner: parameters checked first, limits that hold, the copy of a failed run kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from recnb.course import NotebookError, NotebookStopped, NotebookTimeout, run_notebook
from recnb.errors import InputError

Make = Callable[..., Path]
RECORD = "from recnb.course import record\nrecord({'users': N_USERS, 'share': SHARE}, seed=SEED)"
DEAF = """\
import re, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
re.match("(a+)+$", "a" * 60 + "b")
"""


def printed(executed: Path) -> str:
    nb = nbformat.read(executed, as_version=4)
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def test_a_run_has_its_own_folder_and_its_records(make: Make, tmp_path: Path) -> None:
    show = "import os, sys\nprint(os.getcwd(), OUTPUT_DIR, sys.executable, sep='\\n')\n"
    show += (
        "from ipykernel.connect import get_connection_info\nprint('ipc' in get_connection_info())"
    )
    path = make(show, "open(OUTPUT_DIR + '/made.txt', 'w').close()", RECORD)
    before = path.read_bytes()
    run = run_notebook(path, {"SEED": 7, "SHARE": 1}, "smoke", tmp_path / "a {b}")
    assert run.folder == tmp_path / "a {b}" / "00_small"
    assert run.parameters == {"N_USERS": 5, "SEED": 7, "SHARE": 1.0}
    (found,) = run.records
    assert [(row["metric"], row["value"], row["seed"]) for row in found["rows"]] == [
        ("users", 5, 7),
        ("share", 1.0, 7),
    ]
    assert list(found["rows"][0]) == ["metric", "value", "seed"]  # not as the file sorts them
    assert {"seconds", "device", "peak_memory_mb"} <= set(found["run"])
    assert json.loads((run.folder / "records.json").read_text()) == list(run.records)
    assert (run.folder / "files" / "made.txt").exists()
    cwd, _, interpreter, by_files = printed(run.executed).splitlines()
    assert by_files == str(os.name != "nt"), "a port may be taken before the kernel binds it"
    assert Path(cwd) == path.parent
    assert interpreter == sys.executable
    assert path.read_bytes() == before
    assert [p.name for p in run.folder.parent.iterdir()] == ["00_small"]


def test_no_kernel_needs_to_be_registered(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registered python3 kernel of another interpreter is not taken."""
    wrong = tmp_path / "jupyter" / "kernels" / "python3"
    wrong.mkdir(parents=True)
    spec = {"argv": ["/no/such/python"], "display_name": "wrong", "language": "python"}
    (wrong / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    run = run_notebook(make("print('ran')"), output_dir=tmp_path / "out")
    assert "ran" in printed(run.executed)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SEDE": 1}, "parameter 'SEDE' is not declared; it declares SEED, DEVICE, OUTPUT_DIR"),
        ({"SEED": "one"}, "SEED = 'one' is of type str; pass a value of type int"),
        ({"SEED": True}, "SEED = True is of type bool"),
        ({"SEED": 1.5}, "SEED = 1.5 is of type float"),
        ({"SHARE": "much"}, "SHARE = 'much' is of type str"),
    ],
)
def test_wrong_parameters_are_told_before_anything_runs(
    given: dict[str, object], said: str, make: Make, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"00_small\.ipynb") as caught:
        run_notebook(make("print(1)"), given, output_dir=tmp_path / "out")
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_profile_that_sets_an_undeclared_parameter_is_told(make: Make, tmp_path: Path) -> None:
    path = make("print(1)", profiles="smoke: {EPOCHS: 1}")
    with pytest.raises(InputError, match="parameter 'EPOCHS' is not declared"):
        run_notebook(path, profile="smoke", output_dir=tmp_path)
    with pytest.raises(InputError, match="unknown profile 'tiny'"):
        run_notebook(path, profile="tiny", output_dir=tmp_path)


def test_a_failing_cell_keeps_the_copy_and_the_earlier_run(make: Make, tmp_path: Path) -> None:
    good = run_notebook(make("print('good')"), output_dir=tmp_path / "out")
    path = make("print('before')", "raise KeyError('gone')", "print('after')")
    with pytest.raises(NotebookError, match=r"00_small\.ipynb, code cell 3: KeyError") as caught:
        run_notebook(path, output_dir=tmp_path / "out")
    assert str(caught.value.executed) in str(caught.value)
    assert printed(caught.value.executed) == "before\n"
    assert printed(good.executed) == "good\n"
    again = run_notebook(make("print('mended')"), output_dir=tmp_path / "out")
    assert printed(again.executed) == "mended\n"
    assert not caught.value.executed.exists()


def test_a_cell_over_its_limit_is_ended(make: Make, tmp_path: Path) -> None:
    path = make("import time\ntime.sleep(600)", "print('after')")
    started = time.monotonic()
    with pytest.raises(NotebookTimeout, match=r"a cell ran over its limit of 0\.5 s") as caught:
        run_notebook(path, output_dir=tmp_path, cell_timeout=0.5)
    assert time.monotonic() - started < 15
    assert caught.value.cell == 2
    assert "after" not in printed(caught.value.executed)


def test_a_notebook_over_its_limit_is_ended(make: Make, tmp_path: Path) -> None:
    """No cell is over the limit of cells; together they are over that of the notebook."""
    path = make(*["import time\ntime.sleep(1)"] * 20)
    with pytest.raises(NotebookTimeout, match="the notebook ran over its limit of 3 s"):
        run_notebook(path, output_dir=tmp_path, cell_timeout=60, notebook_timeout=3)


def test_a_loop_in_c_that_hears_no_interrupt_is_killed(make: Make, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(NotebookTimeout, match="a cell ran over its limit"):
        run_notebook(make(DEAF), output_dir=tmp_path, cell_timeout=0.5, grace=0.5)
    assert time.monotonic() - started < 20


def test_children_of_a_cell_end_with_it(make: Make, tmp_path: Path) -> None:
    source = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\nimport signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nchild.wait()"
    )
    with pytest.raises(NotebookTimeout) as caught:
        run_notebook(make(source), output_dir=tmp_path, cell_timeout=1, grace=0.2)
    pid = int(printed(caught.value.executed))
    for _ in range(100):
        if not _running(pid):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the child outlived its notebook")


def _running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_dead_kernel_is_told(make: Make, tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="code cell 2: its kernel died"):
        run_notebook(make("import os\nos._exit(9)"), output_dir=tmp_path)


def test_a_run_is_stopped_from_outside(make: Make, tmp_path: Path) -> None:
    stop, seen = threading.Event(), []

    def on_cell(cell: int, cells: int) -> None:
        seen.append((cell, cells))
        if cell == 3:  # the parameters, those injected, the sleep
            stop.set()

    with pytest.raises(NotebookStopped):
        path = make("import time\ntime.sleep(600)")
        run_notebook(path, output_dir=tmp_path, stop=stop, on_cell=on_cell)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_killed_run_leaves_the_earlier_one_and_can_be_repeated(
    make: Make, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "00_small").mkdir(parents=True)
    earlier = out / "00_small" / "records.json"
    earlier.write_text("[]")
    path = make("import time\nopen(OUTPUT_DIR + '/here', 'w').close()\ntime.sleep(600)")
    code = f"from recnb.course import run_notebook; run_notebook({str(path)!r}, {{}}, None, {str(out)!r})"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if list(out.glob(".00_small.running-*/files/here")):
                break
            time.sleep(0.05)
        else:
            pytest.fail("the run did not start")
    finally:
        process.kill()
        process.wait()
    assert earlier.read_text() == "[]"
    run_notebook(make("print('again')"), output_dir=out)
    assert printed(out / "00_small" / "executed.ipynb") == "again\n"
    assert [p.name for p in out.iterdir()] == ["00_small"]
