"""The service as a process of its own, started from Python: for a lesson, a test, or a look."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pandas as pd

_SECONDS = 120.0  # to start


class Running:
    """``recnb serve`` on a free port of this machine, for a ``with`` block.

    Parameters
    ----------
    *folders : path
        Artefacts; the first is the default.
    state : path, optional
        Folder of keys, logs and added items; default a temporary one.
    **options
        Of the command: ``explore=0.2`` is ``--explore 0.2``.

    Attributes
    ----------
    url : str
    state : Path
    start_seconds : float
        From the start of the process to its first answer.
    """

    def __init__(
        self, *folders: str | Path, state: str | Path | None = None, **options: Any
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory()
        self.state = Path(state or self._temporary.name)
        self._command = [sys.executable, "-m", "recnb.cli.main", "serve", *map(str, folders)]
        self._command += ["--port", "0", "--open", "--state", str(self.state)]
        for name, value in options.items():
            self._command += [f"--{name.replace('_', '-')}", str(value)]

    def __enter__(self) -> Running:
        self._log = Path(self._temporary.name) / "serve.log"
        started = time.perf_counter()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        while time.perf_counter() - started < _SECONDS and self._process.poll() is None:
            found = re.search(r" on (https?://\S+)", self._log.read_text())
            if found:
                self.url = found[1]
                told = self.get("/ready")
                self.start_seconds = time.perf_counter() - started
                while told["loading"]:  # encoders are read after the first answers
                    time.sleep(0.05)
                    told = self.get("/ready")
                return self
            time.sleep(0.02)
        self.__exit__()
        raise RuntimeError(f"the service did not start: {self._log.read_text()[-400:]}")

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60)

    def get(self, path: str, **parameters: Any) -> Any:
        """The json that a GET answers."""
        return self._asked(path + "?" + urllib.parse.urlencode(parameters, doseq=True), None)

    def post(self, path: str, **body: Any) -> Any:
        """The json that a POST of these fields answers; None where it answers nothing."""
        return self._asked(path, body)

    def metrics(self) -> pd.DataFrame:
        """What the service measures of itself: `name`, `labels`, `value`, a row each."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        rows = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE)
        table = pd.DataFrame(rows, columns=["name", "labels", "value"])
        return table.assign(value=table["value"].astype(float))

    def _asked(self, path: str, body: dict[str, Any] | None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/{path.lstrip('/')}", content, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            return json.loads(error.read())
        return json.loads(text) if text else None
