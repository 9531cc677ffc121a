"""From a stranger's file to a report: the flags, the command that settles a doubt, the cleaned folder."""

from __future__ import annotations

import json
import re
import shlex

import numpy as np
import pytest

from recnb import load
from recnb.cli.main import main

RNG = np.random.default_rng(0)
CELLS = np.sort(RNG.choice(30 * 20, 300, replace=False))
ROWS = [(c // 20, c % 20, 1 + c % 5, 1_300_000_000 + 86_400 * n) for n, c in enumerate(CELLS)]


def write(path, rows, head="", sep=","):
    lines = [sep.join(map(str, row)) for row in rows]
    path.write_text("\n".join(([head] if head else []) + lines) + "\n")
    return path


def call(monkeypatch, capsys, line):
    monkeypatch.setattr("sys.argv", shlex.split(line))
    with pytest.raises(SystemExit) as end:
        main()
    out = capsys.readouterr()
    return end.value.code, out.out + out.err


def test_evaluate_reads_a_file_without_header_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "u.data", ROWS, sep="\t")
    write(tmp_path / "u.item", [(i, f"A Film of Name {i}") for i in range(20)], sep="|")
    code, text = call(
        monkeypatch, capsys,
        "recnb evaluate u.data --items u.item --models random,popularity --draws 1000",
    )  # fmt: skip
    assert code == 0, text
    assert "note: columns by what they hold: user_id 1, item_id 2" in text
    run = json.loads((tmp_path / "report" / "results.json").read_text())
    assert {record["model"] for record in run} >= {"random", "popularity"}


def test_the_command_that_an_error_prints_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [(u, i, r, 6 - r, t) for u, i, r, t in ROWS]
    write(tmp_path / "my log.csv", rows, "userId,movieId,stars,score,time")
    given = "--columns=item_id=movieId --encoding=utf-8"
    code, text = call(monkeypatch, capsys, f"recnb data describe 'my log.csv' {given}")
    assert code == 2 and "'stars' and 'score' could each be the rating" in text
    command = next(
        part for part in text.split("say which: ")[1].split(", or: ") if "rating=score" in part
    )
    assert "--encoding=utf-8" in command and command.count("--columns") == 1
    assert "item_id=movieId" in command
    code, text = call(monkeypatch, capsys, command.strip())
    assert code == 0 and "note: columns: " in text
    assert shlex.split(command)[:4] == ["recnb", "data", "describe", "my log.csv"]


def test_init_from_a_file_writes_what_was_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.csv", ROWS, "User;Item;Rating;Time".replace(";", ","))
    write(tmp_path / "i.csv", [(i, f"Film {i}") for i in range(20)], "id,name")
    code, text = call(monkeypatch, capsys, "recnb init own --from r.csv --items i.csv")
    assert code == 0, text
    read, ds = load("own"), load("r.csv", items="i.csv", name="r")
    assert read.digest == ds.digest and len(read.interactions) == 300
    readme = (tmp_path / "own" / "README.md").read_text()
    assert "rating from 'Rating'" in readme and "recnb init own --from r.csv" in readme
    code, text = call(monkeypatch, capsys, "recnb init own --from r.csv")
    assert code == 2 and (tmp_path / "own" / "README.md").read_text() == readme


def test_init_from_a_wrong_file_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.csv", [*ROWS, (1, 2, "high", 3)], "User,Item,Rating,Time")
    code, text = call(monkeypatch, capsys, "recnb init own --from r.csv")
    assert code == 2 and "'high'" in text
    assert [p.name for p in tmp_path.iterdir()] == ["r.csv"]


def test_titles_that_models_cannot_tell_apart_are_counted_at_the_door(
    tmp_path, monkeypatch, capsys
):
    rows = [(f"u{u}", f"i{i}", time) for u, i, _, time in ROWS]
    names = [("Tea",), *[(f"Rice {n % 7}",) for n in range(15)], *[("",)] * 2, ("Oil",), ("Salt",)]
    (tmp_path / "shop").mkdir()
    write(tmp_path / "shop" / "interactions.csv", rows, "user_id,item_id,timestamp")
    items = [(f"i{n}", name) for n, (name,) in enumerate(names)]
    write(tmp_path / "shop" / "items.csv", items, "item_id,title")
    monkeypatch.chdir(tmp_path)
    code, said = call(monkeypatch, capsys, "recnb evaluate shop --models tfidf --output out")
    assert code == 0, said
    assert 'note: 15 of 20 items share their title with another ("Rice 0": 3)' in said
    assert "note: 2 of 20 items have no title" in said
    page = json.loads((tmp_path / "out" / "run.json").read_text())
    assert any("have no title" in note for note in page["notes"])
    code, said = call(monkeypatch, capsys, "recnb evaluate shop --models ease --output out2")
    assert code == 0 and "title" not in said


def test_evaluate_says_which_columns_are_read_as_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "clicks.csv", [(u, i) for u, i, *_ in ROWS], "user,item")
    items = [(i, f"Thing {i % 7}", "red", f"Says {i % 5}") for i in range(20)]
    write(tmp_path / "items.csv", items, "item,title,cat,description")
    line = "recnb evaluate clicks.csv --items items.csv --draws 1000 --models popularity,tfidf"
    code, text = call(monkeypatch, capsys, f"{line},few=tfidf[text=title]")
    assert code == 0
    assert "note: read as text: title, text (by tfidf); title (by few)" in text
    unread = "item columns that no model reads: cat; in a model's brackets text=title+text+cat"
    assert unread in text


def test_a_split_that_needs_an_order_names_the_column_that_looks_like_one(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    rows = [
        (u, i, f"2024-05-{1 + n % 28:02d} 10:{n % 60:02d}") for n, (u, i, *_) in enumerate(ROWS)
    ]
    write(tmp_path / "clicks.csv", rows, "user,item,when")
    line = "recnb evaluate clicks.csv --split leave_one_out --models popularity --draws 1000"
    code, text = call(monkeypatch, capsys, line)
    assert code == 2 and "--columns timestamp=when reads it" in text.splitlines()[-1]


def test_the_terminal_says_how_findings_are_mended_and_who_is_left_out(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    again = [(u, i, t + 10**8) for u, i, _, t in ROWS[::20]]
    write(tmp_path / "clicks.csv", [(u, i, t) for u, i, _, t in ROWS] + again, "user,item,time")
    line = "recnb evaluate clicks.csv --split leave_one_out --models popularity --draws 1000"
    code, text = call(monkeypatch, capsys, line)
    assert code == 0 and re.search(r"note repeated_pairs: .*, and with them \d+ of 30 users", text)
    assert "mend: --repeats include" in text and "warning few_users" in text
    assert text.count("\n  mend: ") == sum(
        line.startswith(("error ", "warning ", "note ")) for line in text.splitlines()
    )
