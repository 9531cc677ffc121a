"""The pieces that are the same in every notebook: the bootstrap cell and the badge."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path


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

BOOTSTRAP = f"""\
# On Colab this installs recnb. Anywhere else it does nothing.
import subprocess
import sys
from importlib.metadata import version

if "google.colab" in sys.modules:
    with open("keep.txt", "w") as file:  # what Colab brings stays as it is
        file.writelines(f"{{name}}=={{version(name)}}\\n" for name in ("numpy", "torch", "pandas"))
    source = "git+{REPOSITORY}@v{VERSION}"
    wanted = f"recnb[classical,text,notebooks] @ {{source}}"
    command = [sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted]
    subprocess.run(command, check=True)"""


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
