"""`recnb policy` and `recnb experiment` through the real command line: what they write, and what they refuse."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest

from recnb.cli.main import main

LOG = "user_id,item_id,propensity,click\nu,a,0.5,1\nv,b,0.5,0\n"
TEST = "user_id,arm,clicks\nu,a,1\nv,b,2\nw,a,0\nx,b,3\n"
CHANCES = "item_id,probability\na,0.25\nb,0.75\n"
ON = "--policies even=uniform -q"


def run(line, folder, monkeypatch, capsys, **files):
    """Exit code and what was printed, in a folder that holds some files."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["recnb", *line.split()])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    return end.value.code, printed.out, printed.err


def log(rows, head="user_id,item_id,propensity,click"):
    return "\n".join([head, *rows]) + "\n"


MALFORMED_LOGS = {
    "propensity 0": (log(["u,a,0,1", "v,b,.5,0"]), "row 1: 0 is no chance"),
    "propensity negative": (log(["u,a,.5,1", "v,b,-.5,0"]), "row 2: -0.5 is no chance"),
    "propensity above 1": (log(["u,a,.5,1", "v,b,1.5,0"]), "1.5 is no chance"),
    "propensity NaN": (log(["u,a,.5,1", "v,b,NaN,0"]), "propensity', row 2"),
    "propensity missing in a row": (log(["u,a,.5,1", "v,b,,0"]), "or of none"),
    "propensity a word": (log(["u,a,.5,1", "v,b,high,0"]), "'high' is no finite number"),
    "propensity infinite": (log(["u,a,.5,1", "v,b,inf,0"]), "no finite number"),
    "no action column": (log(["u,.5,1"], "user_id,propensity,click"), "'item_id' is missing"),
    "no action in a row": (log(["u,a,.5,1", "v,,.5,0"]), "item_id', row 2: no id"),
    "no user in a row": (log(["u,a,.5,1", ",b,.5,0"]), "user_id', row 2: no id"),
    "no outcome": (log(["u,a,.5"], "user_id,item_id,propensity"), "no outcome"),
    "click of 2": (log(["u,a,.5,2", "v,b,.5,0"]), "2 is neither 0 nor 1"),
    "click missing": (log(["u,a,.5,1", "v,b,.5,"]), "write 0 where nothing followed"),
    "one action": (log(["u,a,.5,1", "v,a,.5,0"]), "every row shows item 'a'"),
    "no rows": (log([]), "no rows"),
    "revenue infinite": (
        log(["u,a,.5,inf", "v,b,.5,0"], "user_id,item_id,propensity,revenue"),
        "no finite number",
    ),
    "revenue beyond counting": (
        log(["u,a,.5,1e300", "v,b,.5,0"], "user_id,item_id,propensity,revenue"),
        "column 'revenue', row 1: 1e+300 is too large",
    ),
    "place 0": (
        log(["u,a,.5,1,0", "v,b,.5,0,1"], "user_id,item_id,propensity,click,position"),
        "0 is no place",
    ),
    "place 1.5": (
        log(["u,a,.5,1,1.5", "v,b,.5,0,1"], "user_id,item_id,propensity,click,position"),
        "1.5 is no place",
    ),
    "slate twice": (
        log(["s,u,a,.5,1,1", "s,u,b,.5,0,1"], "slate_id,user_id,item_id,propensity,click,position"),
        "place 1 of slate 's' stands here a second time",
    ),
    "slate of two users": (
        log(["s,u,a,.5,1,1", "s,v,b,.5,0,2"], "slate_id,user_id,item_id,propensity,click,position"),
        "is shown to 'u' and to 'v'",
    ),
    "item twice in a slate without places": (
        log(
            ["s,u,a,.5,1", "s,u,a,.5,0", "t,v,b,.5,0"], "slate_id,user_id,item_id,propensity,click"
        ),
        "stands twice in slate",
    ),
    "time a word": (
        log(["u,a,.5,1,noon", "v,b,.5,0,noon"], "user_id,item_id,propensity,click,timestamp"),
        "'noon' is no time",
    ),
    "ids in two spellings": (
        log(["u,a,.5,1", "v,b,.5,0"], "user_id,item_id,propensity,propensity"),
        "stands twice",
    ),
}


@pytest.mark.parametrize("case", MALFORMED_LOGS)
def test_malformed_logs_end_in_one_line(case, tmp_path, monkeypatch, capsys):
    text, said = MALFORMED_LOGS[case]
    code, _, error = run(f"policy log.csv {ON}", tmp_path, monkeypatch, capsys, log=text)
    lines = [line for line in error.splitlines() if not line.startswith(("[", "note:"))]
    assert code == 2 and len(lines) == 1, error
    assert lines[0].startswith("error: ") and said in lines[0]
    assert not (tmp_path / "policy").exists()


MALFORMED_POLICIES = {
    "chances of 0.9": ("item_id,probability\na,0.25\nb,0.65\n", "add up to 0.9"),
    "chance negative": ("item_id,probability\na,-0.25\nb,1.25\n", "'-0.25' is no chance"),
    "chance missing": ("item_id,probability\na,0.25\nb,\n", "is no chance"),
    "item of no log": ("item_id,probability\na,0.25\nz,0.75\n", "'z' is not in log"),
    "item twice": ("item_id,probability\na,0.25\na,0.75\n", "stands twice"),
    "user of no log": ("user_id,item_id,probability\nz,a,1\n", "'z' is not in log"),
    "user without chances": ("user_id,item_id,probability\nu,a,1\n", "add up to 0"),
    "list of no user": ("user_id,item_id,rank\nu,a,1\n", "has no item for place 1"),
    "neither": ("user_id,item_id\nu,a\n", "neither 'rank' nor 'score'"),
}


@pytest.mark.parametrize("case", MALFORMED_POLICIES)
def test_malformed_policies_end_in_one_line(case, tmp_path, monkeypatch, capsys):
    text, said = MALFORMED_POLICIES[case]
    line = "policy log.csv --policies new=new.csv -q"
    code, _, error = run(line, tmp_path, monkeypatch, capsys, log=LOG, new=text)
    assert code == 2 and said in error and error.count("\n") == 1, error


def table(rows, head="user_id,arm,clicks"):
    return "\n".join([head, *rows]) + "\n"


GOOD_ROWS = ["u,a,1", "v,b,2", "w,a,0", "x,b,3"]
TIMED = "user_id,arm,clicks,timestamp,assigned_at"
MALFORMED_TESTS = {
    "user in both arms": (table([*GOOD_ROWS, "u,b,1"]), "is in 'a' and in 'b'"),
    "one arm": (table(["u,a,1", "w,a,0"]), "every row is in arm 'a'"),
    "one user in an arm": (table(["u,a,1", "w,a,0", "v,b,1"]), "arm 'b' has 1 user"),
    "no variance": (table(["u,a,1", "v,b,1", "w,a,1", "x,b,1"]), "it is 1 for every user"),
    "no arm column": (table(["u,1"], "user_id,clicks"), "'arm' is missing"),
    "no arm in a row": (table([*GOOD_ROWS, "y,,1"]), "arm', line 6: no id"),
    "no metric": (table(["u,a", "v,b"], "user_id,arm"), "no metric"),
    "metric missing in a row": (table([*GOOD_ROWS, "y,a,"]), "clicks', line 6"),
    "metric partly a word": (table([*GOOD_ROWS, "y,a,many"]), "'many' is no finite number"),
    "metric infinite": (table([*GOOD_ROWS, "y,a,inf"]), "no finite number"),
    "metric beyond counting": (table([*GOOD_ROWS, "y,a,-1e300"]), "line 6: -1e+300 is too large"),
    "user twice": (table([*GOOD_ROWS, "u,a,1"]), "user 'u' stands twice"),
    "outcome before assignment": (
        table(["u,a,1,100,50", "w,a,0,100,50", "v,b,2,40,50", "x,b,3,100,50"], TIMED),
        "line 4: what followed for user 'v' lies before the assignment",
    ),
    "before of no metric": (
        table(["u,a,1,1", "v,b,2,1"], "user_id,arm,clicks,before_orders"),
        "there is no metric 'orders'",
    ),
    "before that differs": (
        table(
            ["u,a,1,1,5", "u,a,1,2,6", "w,a,0,1,1", "v,b,1,1,1", "x,b,2,1,1"],
            "user_id,arm,clicks,timestamp,before_clicks",
        ),
        "two rows of a user differ",
    ),
    "eleven arms": (table([f"u{at},arm{at},{at}" for at in range(11)]), "11 arms"),
    "no rows": (table([]), "no rows"),
}


@pytest.mark.parametrize("case", MALFORMED_TESTS)
def test_malformed_experiments_end_in_one_line(case, tmp_path, monkeypatch, capsys):
    text, said = MALFORMED_TESTS[case]
    code, _, error = run("experiment test.csv", tmp_path, monkeypatch, capsys, test=text)
    assert code == 2 and error.count("\n") == 1, error
    assert error.startswith("error: ") and said in error
    assert not (tmp_path / "experiment").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("policy log.csv --policies even", "write NAME=SOURCE"),
        ("policy log.csv --policies a=uniform --policies a=uniform -q", "stands twice"),
        ("policy log.csv --policies a=nowhere -q", "no such folder or file"),
        (f"policy log.csv {ON} --as best:1", "write softmax:TEMPERATURE"),
        (f"policy log.csv {ON} --outcomes views", "'views' is no outcome"),
        (f"policy log.csv {ON} --estimators magic", "unknown estimator"),
        (f"policy nolog.csv {ON}", "nolog.csv"),
        (f"policy log.csv {ON} --rewards scores", "without a model"),
        ("experiment test.csv --control z", "no arm is called 'z'"),
        ("experiment test.csv --metrics sales", "no metric is called 'sales'"),
        ("experiment test.csv --ratio ctr=clicks", "write NAME=NUMERATOR/DENOMINATOR"),
        ("experiment test.csv --guardrail clicks:up:0.1", "METRIC:higher:MARGIN"),
        ("experiment test.csv --shares a=.5,b=.6", "add up to 1"),
        ("experiment test.csv --shares a=.5", "give one for each"),
        ("experiment test.csv --lift 0", "a lift of 0"),
        ("experiment test.csv --level 1.5", "level=1.5; give a share between 0 and 1"),
        (f"policy log.csv {ON} --seed -1", "'--seed': Input should be greater"),
        (
            f"policy log.csv {ON}",
            "2 users or rows cannot be cut into 5 folds; give a log of 5 or more",
        ),
    ],
)
def test_wrong_arguments(line, said, tmp_path, monkeypatch, capsys):
    code, _, error = run(line, tmp_path, monkeypatch, capsys, log=LOG, test=TEST)
    assert code == 2 and said in error.splitlines()[-1], error


@pytest.fixture(scope="module")
def logged():
    rng = np.random.default_rng(0)
    item = rng.choice(["a", "b", "c"], 3000, p=[0.6, 0.3, 0.1])
    chance = {"a": (0.6, 0.1), "b": (0.3, 0.3), "c": (0.1, 0.2)}
    p, click = np.array([chance[i] for i in item]).T
    return pd.DataFrame(
        {
            "user_id": np.arange(3000) // 3,
            "item_id": item,
            "pscore": p,
            "reward": (rng.random(3000) < click).astype(int),
        }
    ).to_csv(index=False)


def test_policies_are_judged_and_nothing_is_computed_twice(logged, tmp_path, monkeypatch, capsys):
    chances = "item_id,probability\na,0.1\nb,0.8\nc,0.1\n"
    line = "policy log.csv --policies even=uniform --policies new=new.csv -q --output out"
    code, printed, error = run(line, tmp_path, monkeypatch, capsys, log=logged, new=chances)
    assert code == 0, error
    assert "column 'pscore' is read as propensity" in error
    assert "These logs can answer this." in printed
    written = json.loads((tmp_path / "out" / "estimates.json").read_text())
    dr = {r["policy"]: r for r in written["records"] if r["estimator"] == "dr"}
    assert dr["even"]["low"] < 0.2 < dr["even"]["high"]
    assert dr["new"]["low"] < 0.27 < dr["new"]["high"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "These logs can answer all of it." in page and "<svg" in page
    before = (tmp_path / "out" / "estimates.json").read_bytes()
    code, _, error = run(line, tmp_path, monkeypatch, capsys)
    assert code == 0 and error.count("estimated before") == 2
    assert (tmp_path / "out" / "estimates.json").read_bytes() == before
    changed = chances.replace("0.8", "0.7").replace("c,0.1", "c,0.2")
    code, _, error = run(line, tmp_path, monkeypatch, capsys, new=changed)
    assert code == 0 and error.count("estimated before") == 1


def test_a_saved_model_is_a_policy(logged, tmp_path, monkeypatch, capsys):
    from recnb import Dataset, make

    frame = pd.read_csv(__import__("io").StringIO(logged))
    ds = Dataset.from_frames(frame[frame["reward"] == 1][["user_id", "item_id"]].drop_duplicates())
    every = Dataset.from_frames(
        pd.concat([ds_rows(ds), frame[["user_id", "item_id"]].drop_duplicates()]).drop_duplicates()
    )
    make("popularity").fit(every).save(tmp_path / "saved")
    line = "policy log.csv --policies popular=saved --as top:1 --rewards scores -q --output out"
    code, _, error = run(line, tmp_path, monkeypatch, capsys, log=logged)
    assert code == 0, error
    written = json.loads((tmp_path / "out" / "estimates.json").read_text())
    ips = next(r for r in written["records"] if r["estimator"] == "snips")
    assert ips["low"] < 0.1 < ips["high"]


def ds_rows(ds):
    rows = ds.interactions
    return pd.DataFrame(
        {"user_id": ds.user_ids[rows["user"]], "item_id": ds.item_ids[rows["item"]]}
    )


def test_logs_that_cannot_answer_say_so(tmp_path, monkeypatch, capsys):
    """The policy shows what the log hardly shows."""
    rows = ["a,0.99,0"] * 990 + ["b,0.01,1"] * 10
    text = log(rows, "item_id,propensity,click")
    line = "policy log.csv --policies new=new.csv -q --output out"
    chances = "item_id,probability\nb,1\n"
    code, printed, _ = run(line, tmp_path, monkeypatch, capsys, log=text, new=chances)
    assert (
        code == 0 and "These logs cannot answer this: the 1,000 rows tell as much as 10" in printed
    )
    assert "These logs cannot answer this." in (tmp_path / "out" / "report.html").read_text()


def test_an_experiment_is_read(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    n = 3000
    arm = np.where(np.arange(n) % 2, "b", "a")
    before = rng.poisson(3, n)
    text = pd.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": arm,
            "clicks": before + rng.poisson(2 + 0.5 * (arm == "b")),
            "shown": rng.poisson(9, n) + 1,
            "pre_clicks": before,
            "seconds": rng.normal(100, 5, n) + 9 * (arm == "b"),
            "date": 1_700_000_000 + rng.integers(0, 8, n) * 86_400,
        }
    ).to_csv(index=False)
    line = (
        "experiment test.csv --ratio ctr=clicks/shown --metrics clicks,ctr --output out "
        "--guardrail seconds:lower:0.02 --lift 0.05 --users-a-day 500"
    )
    code, printed, error = run(line, tmp_path, monkeypatch, capsys, test=text)
    assert code == 0, error
    assert "This test may stop: clicks is higher in b. A guardrail is broken: seconds." in printed
    assert "< 0.001" in printed and "0.0000" not in printed
    assert "users an arm" in error and "days" in error
    written = json.loads((tmp_path / "out" / "experiment.json").read_text())
    assert written["sound"] and len(written["daily"]) > 10
    page = (tmp_path / "out" / "report.html").read_text()
    assert "CUPED" in page and "What daily looks would have said" in page and "<svg" in page


def test_an_experiment_with_lost_users_is_not_read(tmp_path, monkeypatch, capsys):
    rows = [f"u{at},{'a' if at % 5 < 3 else 'b'},{at % 3}" for at in range(2000)]
    code, printed, _ = run("experiment test.csv", tmp_path, monkeypatch, capsys, test=table(rows))
    assert code == 0 and "This experiment cannot be read" in printed
    assert "a 1,200 (50% meant), b 800 (50% meant); p < 0.001" in printed
    page = (tmp_path / "experiment" / "report.html").read_text()
    held = page.split('<section id="methods">')[0]
    assert "%.." not in printed and "interval" not in held and "Holm" not in held


@pytest.mark.parametrize(("n_b", "said"), [(880, "suspiciously uneven (p = 0.006)"), (990, None)])
def test_uneven_arms_are_never_called_as_meant(n_b, said, tmp_path, monkeypatch, capsys):
    rows = [f"u{at},{'a' if at < 1000 else 'b'},{at % 3}" for at in range(1000 + n_b)]
    code, printed, _ = run("experiment test.csv", tmp_path, monkeypatch, capsys, test=table(rows))
    page = (tmp_path / "experiment" / "report.html").read_text()
    assert code == 0 and ("suspicious" in printed) == (said is not None)
    assert ("Suspicious: chance" in page) == (said is not None) and "as was meant" not in page
    assert said is None or said in printed


def test_a_test_that_goes_on_may_not_stop_at_one_clear_look(tmp_path, monkeypatch, capsys):
    rows = [f"u{at},{'ab'[at % 2]},{int(at % 40 < 17 + 3 * (at % 2))}" for at in range(2000)]
    line = "experiment test.csv --planned-users 20000"
    code, printed, _ = run(line, tmp_path, monkeypatch, capsys, test=table(rows))
    assert code == 0 and "This test may not stop yet: no difference in clicks" in printed
    assert "2,000 of 20,000 planned users are in" in printed and "at every look" in printed
    page = (tmp_path / "experiment" / "report.html").read_text()
    assert '<h2 id="answer-title">This test may not stop yet' in page
    assert (
        json.loads((tmp_path / "experiment" / "experiment.json").read_text())["may_stop"] is False
    )
    code, printed, _ = run(line.replace("20000", "2000"), tmp_path, monkeypatch, capsys)
    assert "Clicks is higher in b." in printed


def small_shop(folder):
    """Two tastes that words tell, in one folder of data."""
    from tests.unit.models.conftest import made_frames

    rows, items = made_frames()
    (folder / "shop").mkdir()
    rows.to_csv(folder / "shop" / "interactions.csv", index=False)
    items.to_csv(folder / "shop" / "items.csv", index=False)


def test_attack_writes_and_resumes(tmp_path, monkeypatch, capsys):
    small_shop(tmp_path)
    line = "attack shop --models tfidf,itemknn,popularity --edits 5 --targets 6 --fed 2 -q"
    code, out, err = run(line, tmp_path, monkeypatch, capsys)
    assert code == 0, err
    assert "bandwagon" in out and "tfidf by keywords" in out
    assert "too few" in out and "nan" not in out  # two targets have no interval
    text = (tmp_path / "attack" / "attacks.json").read_text()
    made = json.loads(text)
    assert "NaN" not in text
    assert {r["model"] for r in made["records"]} == {"tfidf", "itemknn", "popularity"}
    assert made["defences"][0]["ndcg"] > 0
    # The numbers that were used, not those that were asked for; the question, and what the door is worth.
    assert made["plan"]["users"] == 300 and made["used"]["users"] < 300
    assert f"{made['used']['users']} users (all there are; 300 were asked for)" in " ".join(
        out.split()
    )
    assert "Can a seller game these models on shop?" in out and "What is a door worth?" in out
    page = (tmp_path / "attack" / "report.html").read_text()
    assert "Can a seller game" in page and "keywords, look-alike" in page
    assert "too few targets" in page and "nan" not in re.sub("<[^>]*>", "", page)
    _, again, err = run(line, tmp_path, monkeypatch, capsys)
    assert again == out and "attacked before" in err + again


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("attack shop --models random", "reads neither text nor who had what"),
        ("attack shop --edits 0", "--edits 0"),
        ("attack shop --targets 1", "two targets or more"),
        ("attack shop --models nothing", "no model 'nothing'"),
        ("attack nowhere --models ease", "nowhere"),
    ],
)
def test_attack_refuses(tmp_path, monkeypatch, capsys, line, said):
    small_shop(tmp_path)
    code, _, err = run(f"{line} -q", tmp_path, monkeypatch, capsys)
    assert code == 2 and said in err and err.count("\n") == 1


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A small evaluation whose models were saved."""
    from recnb import load, splits
    from recnb.evaluation import Protocol
    from recnb.models import parse_models
    from recnb.study.run import Study, run

    folder = tmp_path_factory.mktemp("judged")
    small_shop(folder)
    split = splits.user_time(load(str(folder / "shop")))
    study = Study(split, parse_models("tfidf,ease,popularity"), Protocol(k=5))
    run(study, folder / "report", save_models=True)
    return folder


def test_reasons_say_and_write(judged, monkeypatch, capsys):
    line = "reasons report/models/tfidf-0 --user u06 -k 5 --shown 2 -q"
    code, out, err = run(line, judged, monkeypatch, capsys)
    assert code == 0, err
    assert out.startswith("1. “") and "stands at place 1" in out and "raised it most" in out
    made = json.loads((judged / "reasons" / "reasons.json").read_text())
    assert [r["rank"] for r in made["reasons"]] == [1, 2] and made["reasons"][0]["words"]
    page = (judged / "reasons" / "report.html").read_text()
    assert "Why is u06 shown this?" in page and made["reasons"][1]["title"] in page
    _, out, _ = run("reasons report/models/ease-0 --user u06 -q", judged, monkeypatch, capsys)
    made = json.loads((judged / "reasons" / "reasons.json").read_text())
    page = (judged / "reasons" / "report.html").read_text()
    assert (
        "raise it most (" in out or "most of its score (" in out
    ) and "raised it most" not in out
    assert out.count("past items, terms of the score: ") == len(made["reasons"]) == 5
    for reason in made["reasons"]:
        listed = [title for title, _ in reason["past"]]
        for title in re.findall("“(.+?)”", reason["sentence"])[1:]:
            assert title in listed and f"{title} " in out
        held = page[page.index(f'id="place-{reason["rank"]}"') :].split("</section>")[0]
        assert all(f'<th scope="row">{title}</th>' in held for title in listed)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("reasons report/models/ease-0 --user nobody", "knows no user 'nobody'"),
        ("reasons report/models/popularity-0 --user u06", "does not say what it knows"),
        ("reasons report/models/none --user u06", "no model.json"),
        ("reasons report/models/ease-0 --user u06 -k 0", "at least 1"),
        ("reasons report/models/ease-0", "--user"),
    ],
)
def test_reasons_refuse(judged, monkeypatch, capsys, line, said):
    code, _, err = run(f"{line} -q", judged, monkeypatch, capsys)
    assert code == 2 and said in err and err.count("\n") == 1


def test_the_report_says_why_in_its_examples(judged):
    told = json.loads((judged / "report" / "reasons.json").read_text())
    assert len(told["tfidf"]) > 20 and told["popularity"] == {}
    page = (judged / "report" / "report.html").read_text()
    shown = [s for s in told["ease"].values() if s in page]
    assert len(shown) == len(told["ease"]) and all("stands at place 1" in s for s in shown)
