"""The process that answers: `python -m recnb.serving.http.worker SETTINGS`, on a socket that its parent holds.

A start, or a new start after a kill, is waited for. So the artefacts are hashed beside the imports, what only other
packages import is not executed, and the encoders are read when the first lists can be answered.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recnb.errors import InputError
from recnb.optional import put_off
from recnb.serving import manifest

if TYPE_CHECKING:
    from recnb.serving.http.service import Settings

# Others import these at their top; only new items and filters use one of them, pandas. Half of all imports.
LATER = ("scipy.stats", "numpy.f2py", "numpy.testing", "pandas", "pyarrow.compute")
SWITCH_SECONDS = 0.0005  # after which a thread must give way; 5 ms by default


def main(told: dict[str, Any]) -> None:
    """Serve until a signal; ends with 2 where the input is wrong."""
    # Scoring beside a busy event loop waits for the interpreter after each of its array operations.
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.disable()  # until the service stands: what is imported stays
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("recnb").setLevel(logging.INFO)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folders = [Path(folder) for folder in told["settings"]["folders"]]
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="check") as beside:
            checks = {folder: beside.submit(manifest.checked, folder) for folder in folders}
            put_off(*LATER)
            # plugins of pydantic are looked for in every package that is installed
            os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
            from recnb.serving.http.app import create_app
            from recnb.serving.http.server import serve

            gc.freeze()  # never looked at again; artefacts come later, and may go
            app = create_app(_settings(told["settings"]), checks)
        serve(app, told)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _settings(told: dict[str, Any]) -> Settings:
    from recnb.serving.http.service import Settings

    folders = tuple(Path(folder) for folder in told["folders"])
    state = None if told["state"] is None else Path(told["state"])
    return Settings(**{**told, "folders": folders, "state": state, "late": True})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
