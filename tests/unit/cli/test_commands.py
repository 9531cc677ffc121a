"""The command line as a person uses it: real processes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest

from recnb import load, load_model, top_k
from recnb.evaluation import Evaluation

COMMAND = [sys.executable, "-c", "from recnb.cli.main import main; main()"]
FAST = "random,popularity,itemknn"


def recnb(*args: object, cwd: Path, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=240, **more
    )


def test_the_help_names_every_model() -> None:
    from recnb.cli.evaluate import evaluate
    from recnb.models import names

    told = get_type_hints(evaluate, include_extras=True)["models"].__metadata__[0].help
    first = told.partition(";")[0].partition(" of ")[2]
    assert first.split(", ") == [name for name in names() if name in first.split(", ")]
    assert set(names()) == set(first.split(", "))


SLOW = """\
import os, time
import numpy as np
from recnb import Recommender

class Slow(Recommender):
    def fit(self, train, valid=None):
        open("fitting", "w").close()
        time.sleep(float(os.environ.get("SLEEP", 60)))
        self.n_ = train.n_items
        return self

    def score(self, users, history=None):
        return np.tile(np.arange(self.n_, dtype="float32"), (len(users), 1))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("work")
    done = recnb("init", "mine", cwd=work)
    assert done.returncode == 0, done.stderr
    (work / "slow.py").write_text(SLOW)
    return work


@pytest.fixture(scope="module")
def judged(folder: Path) -> Path:
    done = recnb(
        *("evaluate", "mine", "--models", FAST, "-k", "5,10", "--output", "out", "--save-models"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_init_writes_what_evaluate_reads(folder: Path):
    ds = load(folder / "mine")
    assert (ds.feedback, ds.scale) == ("explicit", (1.0, 5.0))
    again = recnb("init", "mine", cwd=folder)
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_evaluate_writes_the_files_of_the_contract(judged: Path):
    names = {p.name for p in judged.iterdir()}
    assert names >= {
        *("report.html", "results.json", "comparisons.json", "groups.json", "models.json"),
        *("audit.json", "run.json", "per_user.parquet", "split.parquet", "recommendations.parquet"),
    }
    fields = {
        "results.json": "model seed metric k candidates value low high n_users",
        "comparisons.json": "model to metric k candidates difference low high p p_holm n_users",
        "audit.json": "code severity value n evidence mend",
    }
    for name, wanted in fields.items():
        records = json.loads((judged / name).read_text())
        assert records
        assert set(records[0]) == set(wanted.split()), name
    models = json.loads((judged / "models.json").read_text())
    costs = "fit_seconds score_seconds peak_memory_mb trainable_parameters total_parameters device"
    assert {m["model"] for m in models} == set(FAST.split(","))
    assert set(costs.split()) <= set(models[0])
    run = json.loads((judged / "run.json").read_text())
    assert {"command", "versions", "dataset", "split", "schema"} <= set(run)
    lists = pd.read_parquet(judged / "recommendations.parquet")
    assert set(lists) == {"model", "seed", "candidates", "user_id", "rank", "item_id", "score"}
    assert lists["rank"].min() == 1
    assert set(pd.read_parquet(judged / "split.parquet")) >= {
        "user_id",
        "item_id",
        "part",
        "timestamp",
    }


def test_the_report_is_one_file_that_names_every_model(judged: Path):
    page = (judged / "report.html").read_text()
    assert all(name in page for name in FAST.split(","))
    assert "untuned" in page
    assert 'src="http' not in page and "<script src" not in page


def test_saved_models_give_the_same_lists(folder: Path, judged: Path):
    ds = load(folder / "mine")
    model = load_model(judged / "models" / "itemknn-0")
    assert model.item_ids_.tolist() == ds.item_ids.tolist()
    parts = pd.read_parquet(judged / "split.parquet")
    known = parts[parts["part"] != "test"]
    u, i = (
        f.index.get_indexer(known[c]) for f, c in ((ds.users, "user_id"), (ds.items, "item_id"))
    )
    from scipy.sparse import csr_matrix

    barred = csr_matrix((np.ones(len(u)), (u, i)), shape=(ds.n_users, ds.n_items))
    lists = pd.read_parquet(judged / "recommendations.parquet")
    mine = lists[(lists["model"] == "itemknn")].pivot(
        index="user_id", columns="rank", values="item_id"
    )
    users = ds.users.index.get_indexer(mine.index)
    again = top_k(model, users, 10, exclude=barred)
    assert (ds.item_ids[again] == mine.to_numpy()).all()


def test_a_repeat_computes_nothing_again(folder: Path, judged: Path):
    before = json.loads((judged / "results.json").read_text())
    done = recnb(
        *("evaluate", "mine", "--models", FAST, "-k", "5,10", "--output", "out", "--save-models"),
        cwd=folder,
    )
    assert done.returncode == 0
    for name in FAST.split(","):
        assert f"{name}, seed 0" in done.stderr
    assert json.loads((judged / "results.json").read_text()) == before


def test_lists_of_another_library_and_a_model_of_ones_own(folder: Path, judged: Path):
    lists = pd.read_parquet(judged / "recommendations.parquet")
    lists[lists["model"] == "itemknn"][["user_id", "item_id", "rank"]].to_csv(
        folder / "theirs.csv", index=False
    )
    (folder / "my_model.py").write_text(
        "import numpy as np\n"
        "from recnb import Recommender\n"
        "class Longest(Recommender):\n"
        "    def fit(self, train, valid=None):\n"
        "        self.length_ = train.items['title'].str.len().to_numpy(dtype='float32')\n"
        "        return self\n"
        "    def score(self, users, history=None):\n"
        "        return np.tile(self.length_, (len(users), 1))\n"
    )
    done = recnb(
        *(
            "evaluate",
            "mine",
            "--models",
            f"{FAST},longest=my_model:Longest,als[n_factors=2]",
            "--output",
            "out2",
        ),
        *("--lists", "theirs=theirs.csv"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    ev = Evaluation.load(folder / "out2")
    table = ev.table().query("metric == 'ndcg' and k == 10").set_index("model")["value"]
    assert table["theirs"] == pytest.approx(table["itemknn"], abs=1e-12)
    assert "longest" in table
    assert "als[n_factors=2]" in table and "als[n_f" in done.stdout  # folded, and no markup


def test_a_killed_run_leaves_the_earlier_output_whole_and_goes_on(folder: Path):
    args = ("evaluate", "mine", "--models", "popularity", "--output", "out3")
    assert recnb(*args, cwd=folder).returncode == 0
    before = {p.name: p.read_bytes() for p in (folder / "out3").iterdir() if p.is_file()}
    args = ("evaluate", "mine", "--models", "itemknn,slow=slow:Slow", "--output", "out3")
    env = {**os.environ, "PYTHONPATH": str(folder)}
    running = subprocess.Popen([*COMMAND, *args], cwd=folder, env=env, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if (folder / "fitting").exists():
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    running.wait()
    after = {p.name: p.read_bytes() for p in (folder / "out3").iterdir() if p.is_file()}
    assert after == before
    done = recnb(*args, cwd=folder, env={**env, "SLEEP": "0"})
    assert done.returncode == 0, done.stderr
    assert "itemknn, seed 0" in done.stderr
    assert set(Evaluation.load(folder / "out3").models) == {"itemknn", "slow"}


def test_ctrl_c_ends_in_one_line_and_code_1(folder: Path):
    args = ("evaluate", "mine", "--models", "slow=slow:Slow", "--output", "out4", "--quiet")
    (folder / "fitting").unlink(missing_ok=True)
    env = {**os.environ, "PYTHONPATH": str(folder)}
    running = subprocess.Popen(
        [*COMMAND, *args],
        cwd=folder,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that started the tests in its background has its children ignore the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for _ in range(600):
        if (folder / "fitting").exists():
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert said.strip().splitlines()[-1].startswith("stopped")
    assert not (folder / "out4" / "report.html").exists()


def test_splits_and_options(folder: Path):
    done = recnb(
        *(
            "evaluate",
            "mine",
            "--models",
            "random,popularity",
            "--split",
            "cold_item",
            "--seeds",
            "0,1",
        ),
        *("--metrics", "ndcg,auc", "--relevant-from", "3", "--output", "out5", "-q"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    ev = Evaluation.load(folder / "out5")
    assert ev.seeds("random") == [0, 1] and ev.seeds("popularity") == [0]
    assert {key[2] for key in ev.keys} == {"shelf", "catalogue"}
    assert ev.settings["dataset"]["relevant_from"] == 3


def test_trials_choose_on_valid_and_are_kept(folder: Path):
    args = (
        "evaluate",
        "mine",
        "--models",
        "popularity,itemknn",
        "--trials",
        "3",
        "--output",
        "out6",
    )
    done = recnb(*args, cwd=folder)
    assert done.returncode == 0, done.stderr
    run = json.loads((folder / "out6" / "run.json").read_text())
    assert run["search"]["trials"] == 3
    assert "itemknn" in run["search"]["models"]
    codes = {f["code"] for f in json.loads((folder / "out6" / "audit.json").read_text())}
    assert "untuned" not in codes


def test_two_stages_by_name(folder: Path):
    args = ("evaluate", "mine", "-k", "3", "--output", "out7", "-q", "--models")
    done = recnb(*args, "popularity,ease,popularity>[n=5]ease", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "quiet"
    command = json.loads((folder / "out7" / "run.json").read_text())["command"]
    pasted = f"recnb() {{ printf '%s\\n' \"$@\"; }}; {command}"
    words = subprocess.run(["bash", "-c", pasted], capture_output=True, text=True, cwd=folder)
    assert words.stdout.splitlines() == [*args, "popularity,ease,popularity>[n=5]ease"]
    ev = Evaluation.load(folder / "out7")
    assert set(ev.ceilings["model"]) == {"popularity>[n=5]ease"} and (ev.ceilings["n"] == 5).all()
    (record,) = (r for r in ev.records if r.kind == "Rerank")
    assert record.settings["n"] == 5 and 0 <= record.settings["weight"] <= 1
    assert record.costs["first_stage_ms"] > 0
    wrong = recnb(*args, "ease>", cwd=folder)
    assert wrong.returncode == 2 and "in quotes" in wrong.stderr.strip().splitlines()[-1]


def test_audit_prints_and_writes_findings(folder: Path):
    done = recnb("audit", "mine", "--split", "random", "--output", "audit", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    codes = {f["code"] for f in json.loads((folder / "audit" / "audit.json").read_text())}
    assert "future_leak" in codes and "future_leak" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--help",), "demo"),
        (("evaluate", "--help"), "Examples"),
        (("evaluate", "--help"), "'fusion[modalities=text+image]'"),
        (("data", "list"), "grocery"),
        (("data", "describe", "mine"), "density"),
        (("check",), "numpy"),
        (("check",), "decoder smollm2-135m-instruct: OK"),
        (("models",), "all-MiniLM-L6-v2, parameters: 22.7 million"),
        (("models", "ease+text_dot@lora"), "'method': 'lora'"),
        (("--version",), "0."),
    ],
)
def test_commands_that_only_say_something(folder: Path, args: tuple[str, ...], said: str):
    done = recnb(*args, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_models_as_json_names_all(folder: Path):
    from recnb.models import names

    told = json.loads(recnb("models", "--json", cwd=folder).stdout)
    assert [one["name"] for one in told] == names()
    (hybrid,) = (one for one in told if one["name"] == "hybrid")
    assert hybrid["reads"]["language_models"][0]["parameters"] == 22_713_216
    assert hybrid["settings"]["item_id"] is True and "new items" in hybrid["can"]
    assert recnb("models", "nothing", cwd=folder).returncode == 2


@pytest.mark.parametrize("command", [("evaluate", "mine", "--models", "random"), ("audit", "mine")])
def test_an_output_that_cannot_be_made_is_wrong_input(folder: Path, command: tuple[str, ...]):
    (folder / "a-file").write_text("x")
    done = recnb(*command, "--output", "a-file/report", cwd=folder)
    assert done.returncode == 2 and "--output" in done.stderr and "a-file" in done.stderr
    assert len(done.stderr.strip().splitlines()[-1]) < 300


def test_the_demo_needs_no_torch(folder: Path):
    blocked = folder / "no_torch"
    blocked.mkdir()
    for name in ("torch", "transformers"):
        (blocked / f"{name}.py").write_text("raise ImportError('not here')\n")
    done = recnb(
        *("demo", "--output", "demo", "-q"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(blocked)},
    )
    assert done.returncode == 0, done.stderr
    assert "ease" in done.stdout
    assert (folder / "demo" / "report.html").stat().st_size > 50_000
