"""Pages about effects: nothing is hidden behind a scroll bar on a laptop's screen."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from recnb.effect.experiment import Experiment, Reading, analyse
from recnb.report.effect.experiment import write_experiment

_LOOK = (
    "<script>addEventListener('load', () => { document.title = 'hidden: ' + "
    "[...document.querySelectorAll('.wide, pre')].filter(e => e.scrollWidth > e.clientWidth).length })"
    "</script></body>"
)


def test_tables_of_an_experiment_fit_a_screen(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    rng = np.random.default_rng(0)
    n = 1200
    rows = pd.DataFrame(
        {
            "user_id": np.arange(n),
            "arm": np.where(np.arange(n) % 2, "new", "control"),
            "orders": rng.poisson(2, n),
            "shown": rng.poisson(900, n) + 1,
            "before_orders": rng.poisson(2, n),
        }
    )
    reading = Reading(("ctr", "orders"), {"ctr": ("orders", "shown")}, planned_users=20_000)
    command = "recnb experiment results.csv --ratio ctr=orders/shown " + "--metrics ctr,orders " * 9
    path = write_experiment(
        analyse(Experiment.from_frame(rows), reading), tmp_path / "a.html", command
    )
    path.write_text(path.read_text().replace("</body>", _LOOK))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,2000"]
    done = subprocess.run(
        [browser, *flags, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert "<title>hidden: 0</title>" in done.stdout
    assert path.read_text().count("at every look") >= 2
