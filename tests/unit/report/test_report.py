"""The report: what it says is what the evaluation holds, and it asks for nothing outside itself."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from recnb import evaluate
from recnb.data import Dataset, splits
from recnb.encoders import cited
from recnb.evaluation import Evaluation, Protocol
from recnb.evaluation.audit import CHECKS
from recnb.evaluation.findings import Finding
from recnb.models import make
from recnb.plots.words import metric_name
from recnb.recommender import LanguageModel, Reads
from recnb.report import answer, example_users, groups, how_to_read, write, write_report
from recnb.report.figures import Figure

TEXT = Reads(modalities=("text",), language_models=(cited(),))
PLAIN = Reads("pairs")
MORE = TEXT | Reads(modalities=("image",))

VOID = {"meta", "br", "img", "link", "input", "hr", "use", "path"}
N_USERS, N_ITEMS = 80, 40


class Page(HTMLParser):
    """Elements, visible text, and tables as rows of (text, value of its `data` element)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict]] = []
        self.tables: list[dict] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("td", "th"):
            self.tables[-1]["rows"][-1].append({"text": "", "value": None, **attrs})
        elif tag == "data":
            self.tables[-1]["rows"][-1][-1]["value"] = float(attrs["value"])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if {"style", "script"} & set(self.open):
            return
        self.words.append(data)
        if "caption" in self.open:
            self.tables[-1]["caption"] += data
        elif "td" in self.open or "th" in self.open:
            cell = self.tables[-1]["rows"][-1][-1]
            cell["text"] += data
            if "data" in self.open:
                cell["shown"] = data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def table(self, caption: str) -> dict:
        return next(t for t in self.tables if caption in t["caption"])


def data_set(
    name: str = "tiny",
    users: pd.DataFrame | None = None,
    n: int = N_USERS,
    title: str | None = None,
) -> Dataset:
    rng = np.random.default_rng(0)
    rows = [
        (f"u{u}", f"i{i}", int(rng.integers(3, 6)), 1000 * t + u)
        for u in range(n)
        for t, i in enumerate(rng.choice(N_ITEMS, 12, replace=False))
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    items = None
    if title is not None:
        ids = [f"i{i}" for i in range(N_ITEMS)]
        items = pd.DataFrame({"item_id": ids, "title": [f"{title} {i[1:]}" for i in ids]})
    return Dataset.from_frames(
        frame, items=items, users=users, feedback="explicit", scale=(1, 5), name=name
    )


def people(n: int = N_USERS) -> pd.DataFrame:
    """Two groups, one missing value, and a group of one user."""
    kind = ["a", "b"] * (n // 2)
    kind[0], kind[1] = "alone", None  # type: ignore[call-overload]
    return pd.DataFrame({"user_id": [f"u{u}" for u in range(n)], "kind": kind})


def scores(split, share: float, seed: int) -> np.ndarray:
    """Noise in which a share of the users have their test items on top."""
    rng = np.random.default_rng(seed)
    out = rng.random((split.dataset.n_users, split.dataset.n_items), dtype=np.float32)
    lucky = rng.random(len(out)) < share
    out[lucky] += split.test.positives().toarray()[lucky]
    return out


PROTOCOL = Protocol(k=(5, 10), metrics=("ndcg", "recall"), draws=1000)


@pytest.fixture(scope="module")
def split():
    return splits.user_time(data_set(users=people(), title="Title"))


@pytest.fixture(scope="module")
def ev(split) -> Evaluation:
    models = {
        "popularity": make("popularity"),
        "random": make("random"),
        "baseline": make("baseline"),
        "ease": make("ease", l2=50.0),
        "text_frozen": scores(split, 0.6, 1),
    }
    return evaluate(models, split, PROTOCOL, seeds=(0, 1), reads={"text_frozen": TEXT})


@pytest.fixture(scope="module")
def raw(ev, tmp_path_factory) -> str:
    path = ev.to_html(tmp_path_factory.mktemp("report") / "report.html")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(raw) -> Page:
    return Page(raw)


@pytest.fixture
def no_pictures(monkeypatch):
    """Figures take most of a report's time; a test that does not look at them goes without."""

    def blank(id, draw, caption, height=0.0):
        return Figure(id, Markup('<svg role="img"></svg>'), caption)

    for module in (write, groups):
        monkeypatch.setattr(module, "figure", blank)


def report(ev: Evaluation, tmp_path) -> Page:
    return Page(write_report(ev, tmp_path / "r.html").read_text(encoding="utf-8"))


def test_every_model_and_measure_stands_with_its_value_and_users(ev, page):
    seen = 0
    blocks = [t for t in page.tables if "interval" in t["caption"] and "less" not in t["caption"]]
    for row in ev.table().to_dict("records"):
        name = metric_name(row["metric"], row["k"])
        cells = [
            (cells[at], table["rows"][0][at])
            for table in blocks
            for at, head in enumerate(table["rows"][0])
            if head["text"].startswith(f"{name}{row['n_users']} users")
            for cells in table["rows"][1:]
            if cells[0]["text"] == row["model"]
        ]
        assert len(cells) == 1, (row["model"], name)
        cell = cells[0][0]
        assert cell["value"] == row["value"]
        shown = cell["shown"]
        digits = len(shown.partition(".")[2])
        assert shown == f"{row['value']:.{digits}f}"
        assert f"{shown}{row['low']:.{digits}f} to {row['high']:.{digits}f}" == cell["text"]
        seen += 1
    assert seen == len(ev.table()) == 5 * 4 + 2  # one model predicts ratings: RMSE and MAE


def test_headline_table_is_sorted_and_marks_the_best(ev, page):
    table = page.table("best first")
    body = table["rows"][1:]
    values = [cells[1]["value"] for cells in body]
    assert values == sorted(values, reverse=True)
    assert [cells[0]["text"] for cells in body if cells[1].get("class") == "best"] == [ev.best()]
    assert {c[0]["text"]: c[-1]["text"] for c in body}["text_frozen"] == "yes"
    seeds = {cells[0]["text"]: cells[4]["text"] for cells in body}
    assert (seeds["random"], seeds["ease"]) == ("2", "1")


def test_differences_equal_compare(ev, page):
    for to in (ev.best(among=["popularity", "random", "baseline", "ease"]), "popularity"):
        body = {c[0]["text"]: c for c in page.table(f"each model less {to}")["rows"][1:]}
        compared = ev.compare(to)
        assert set(body) == set(compared["model"])
        for row in compared.to_dict("records"):
            assert body[row["model"]][1]["value"] == row["difference"]
            said = body[row["model"]][5]["text"]
            assert (
                (said == "< 0.001")
                if row["p_holm"] < 0.001
                else said.startswith("0.") or row["p_holm"] == 1
            )


@pytest.mark.usefixtures("no_pictures")
def test_lower_is_better_for_errors(split, tmp_path):
    ev = evaluate({"baseline": make("baseline"), "mf": make("mf")}, split, PROTOCOL)
    table = report(ev, tmp_path).table("Errors of predicted ratings")
    for column in (1, 2):
        values = {c[0]["text"]: c[column]["value"] for c in table["rows"][1:]}
        best = [c[0]["text"] for c in table["rows"][1:] if c[column].get("class") == "best"]
        assert best == [min(values, key=values.get)]
        assert len(set(values.values())) == 2


@pytest.mark.usefixtures("no_pictures")
def test_planted_null_is_called_a_null_result(split, tmp_path):
    models = {"plain": scores(split, 0.5, 1), "text_dot": scores(split, 0.5, 2)}
    ev = evaluate(models, split, PROTOCOL, reads={"plain": PLAIN, "text_dot": TEXT})
    found = answer(ev)
    assert (found.verdict, found.model, found.reference) == ("null", "text_dot", "plain")
    text = report(ev, tmp_path).text
    assert "Not shown: a null result" in text and "The interval holds zero" in text
    assert "Yes, on these data" not in text


@pytest.mark.parametrize(("mine", "theirs", "verdict"), [(0.9, 0.1, "better"), (0.1, 0.9, "worse")])
@pytest.mark.usefixtures("no_pictures")
def test_planted_effects_are_found(split, tmp_path, mine, theirs, verdict):
    models = {"plain": scores(split, theirs, 1), "any name": scores(split, mine, 2)}
    ev = evaluate(models, split, PROTOCOL, reads={"plain": PLAIN, "any name": PLAIN | TEXT})
    found = answer(ev)
    assert found.verdict == verdict and found.asked
    text = report(ev, tmp_path).text
    assert {"better": "Yes, on", "worse": "No, on"}[verdict] in text
    assert "null result" not in text
    row = ev.compare("plain").iloc[0]
    assert f"{abs(row['difference']):.2f}" in found.sentences[1]


@pytest.mark.usefixtures("no_pictures")
def test_pictures_are_no_evidence_for_a_language_model(split, tmp_path):
    """A model that has more than the text never answers the question; one without text counts as without."""
    models = {"plain": scores(split, 0.1, 1), "much": scores(split, 0.9, 2)}
    reads = {"plain": PLAIN, "much": MORE}
    found = answer(ev := evaluate(models, split, PROTOCOL, reads=reads))
    assert not found.asked and (found.model, found.reference) == ("much", "plain")
    text = report(ev, tmp_path / "alone").text
    assert "Not told by these models: much reads more than text" in text
    assert "difference from the same model without the text" in text and "Yes, on" not in text
    models |= {"words": scores(split, 0.1, 3), "pictures": scores(split, 0.9, 4)}
    reads |= {"words": TEXT, "pictures": Reads(modalities=("image", "audio"))}
    found = answer(evaluate(models, split, PROTOCOL, reads=reads))
    assert found.asked and (found.model, found.reference) == ("words", "pictures")
    assert "much, at " in found.sentences[-1]
    reads["much"] = TEXT | PLAIN
    found = answer(evaluate(models, split, PROTOCOL, reads=reads))
    assert found.asked and found.model == "much"


@pytest.mark.usefixtures("no_pictures")
def test_what_is_not_known_stands_on_neither_side(split, tmp_path):
    models = {"plain": scores(split, 0.2, 1), "words": scores(split, 0.5, 2)}
    models["theirs"] = scores(split, 0.9, 3)
    reads = {"plain": PLAIN, "words": TEXT}
    ev = evaluate(models, split, PROTOCOL, reads=reads)
    found = answer(ev)
    assert found.asked and (found.model, found.reference) == ("words", "plain")
    page = report(ev, tmp_path)
    assert "It is not known what theirs reads" in page.text
    rows = {c[0]["text"]: c[-1]["text"] for c in page.table("best first")["rows"][1:]}
    assert rows == {"theirs": "not known", "words": "yes", "plain": "no"}
    found = answer(evaluate(models, split, PROTOCOL, reads=reads | {"theirs": PLAIN}))
    assert found.reference == "theirs"


def test_a_name_decides_nothing(split):
    """Names of language models on models without one, and the other way round."""
    models = {"text_dot@lora": scores(split, 0.1, 1), "popularity": scores(split, 0.9, 2)}
    reads = {"text_dot@lora": PLAIN, "popularity": TEXT}
    found = answer(evaluate(models, split, PROTOCOL, reads=reads))
    assert found.asked and (found.model, found.reference) == ("popularity", "text_dot@lora")


@pytest.mark.usefixtures("no_pictures")
def test_no_language_model_is_said(split, tmp_path):
    ev = evaluate({"popularity": make("popularity"), "x": scores(split, 0.9, 1)}, split, PROTOCOL)
    page = report(ev, tmp_path)
    assert "No language model was judged; x is better than popularity" in page.text
    assert "0 of 2 models read text with a language model" in page.text


@pytest.mark.usefixtures("no_pictures")
def test_without_a_language_model_the_best_is_compared_with_the_next(split):
    models = {"popularity": make("popularity"), "good": scores(split, 0.6, 1)}
    models["best"] = scores(split, 0.9, 2)
    found = answer(evaluate(models, split, PROTOCOL))
    assert (found.model, found.reference) == ("best", "good")


@pytest.mark.usefixtures("no_pictures")
def test_a_random_split_has_no_newest(tmp_path):
    ev = evaluate({"ease": make("ease")}, splits.random(data_set()), PROTOCOL)
    text = report(ev, tmp_path).text
    assert "Known: " in text and "newest first" not in text


@pytest.mark.usefixtures("no_pictures")
def test_one_model(split, tmp_path):
    page = report(evaluate({"ease": make("ease")}, split, PROTOCOL), tmp_path)
    assert "One model was judged: nothing to compare it with" in page.text
    assert not [t for t in page.tables if "less" in t["caption"]]


@pytest.mark.usefixtures("no_pictures")
def test_shelf_and_catalogue(tmp_path):
    split = splits.cold_item(data_set())
    ev = evaluate(
        {"popularity": make("popularity"), "lm_x": scores(split, 0.9, 1)},
        split,
        PROTOCOL,
        reads={"lm_x": TEXT},
    )
    page = report(ev, tmp_path)
    assert (
        "among the new items" in page.text
        and "Within the whole catalogue lm_x reaches" in page.text
    )
    for said in ("new items among themselves", "whole catalogue"):
        table = page.table(f"All measures of lists, {said}")
        assert len(table["rows"][0]) == 1 + 4


@pytest.mark.usefixtures("no_pictures")
def test_no_user_columns_and_no_titles(tmp_path):
    split = splits.user_time(data_set())
    page = report(
        evaluate({"ease": make("ease"), "random": make("random")}, split, PROTOCOL), tmp_path
    )
    assert [t["caption"] for t in page.tables if "beneath" in t["caption"]] == [
        "Taste for the popular: mean number of users of the items the user knows. NDCG@5, 95 % intervals beneath."
    ]  # all users are equally active, so activity divides nobody
    assert re.search(r"\bi\d+\b", page.text)


@pytest.mark.usefixtures("no_pictures")
def test_ready_lists_have_no_cost_figure(split, tmp_path):
    ev = evaluate({"a": scores(split, 0.5, 1), "text_b": scores(split, 0.5, 2)}, split, PROTOCOL)
    page = report(ev, tmp_path)
    assert "no time was measured" in page.text and "made elsewhere" in page.text
    assert not any("times as long" in s or "about as long" in s for s in answer(ev).sentences)


def test_one_user_has_no_interval(tmp_path):
    rows = pd.DataFrame(
        {"user_id": ["a"] * 6 + ["b"], "item_id": list("uvwxyzu"), "timestamp": range(7)}
    )
    split = splits.leave_one_out(Dataset.from_frames(rows), valid=False)
    ev = evaluate({"a": scores(split, 1, 0), "text_b": scores(split, 0, 1)}, split, PROTOCOL)
    assert answer(ev).verdict == "open"
    page = report(ev, tmp_path)
    assert "no interval" in page.text and not missing(page)


def missing(page: Page) -> list[str]:
    """Words by which a value that is not there gives itself away."""
    return re.findall(r"(?<![\w'])(?:nan|NaN|None|inf|-inf|NaT|<NA>|Undefined)(?!\w)", page.text)


def test_nothing_missing_is_shown(page):
    assert "one user" not in page.text
    assert not missing(page)
    assert missing(Page("<p>value nan, inf</p>")) == ["nan", "inf"]


def test_group_of_one_and_missing_group_are_shown(page):
    heads = [cell["text"] for cell in page.table("Users by kind")["rows"][0]]
    assert [h for h in heads if h.startswith("alone")] == ["alonen = 1"]
    assert any(h.startswith("not given") for h in heads)


def test_asks_for_nothing_outside(raw, page):
    assert not re.findall(r"https?:|//\w+\.", raw)
    assert not {"link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert [a for tag, a in page.tags if tag == "script"] == [{}]  # one, inline
    assert not re.findall(r"fetch\(|XMLHttp|import\(|eval\(|innerHTML", raw)
    assert not [
        v for _, a in page.tags for k, v in a.items() if k == "href" and not v.startswith("#")
    ]
    assert not re.findall(r"url\((?!#)|@import", raw)


def test_markup_is_whole_and_accessible(page):
    assert not page.unbalanced and not page.open
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    refs = {a["href"][1:] for _, a in page.tags if "href" in a}
    refs |= {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert refs <= set(ids)
    tables = [a for tag, a in page.tags if tag == "table"]
    assert len(tables) == len([1 for tag, _ in page.tags if tag == "caption"]) >= 8
    assert all(a.get("scope") in ("col", "row") for tag, a in page.tags if tag == "th")
    assert all(a.get("role") == "img" for tag, a in page.tags if tag == "svg")
    assert len([1 for tag, _ in page.tags if tag == "svg"]) >= 6


def test_words_of_others_stay_words(tmp_path):
    evil = '<script>alert("x")</script>'
    users = people().rename(columns={"kind": "<i>kind</i>"}).replace("a", "<u>a</u>")
    split = splits.user_time(data_set(name=f"</title>{evil}", users=users, title=evil))
    name = '<b onclick="x">$\\frac$_</b>'
    models = {name: scores(split, 0.9, 1), "text_<a>": scores(split, 0.1, 2)}
    reads = {name: Reads(modalities=(evil,), language_models=(LanguageModel(evil),))}
    ev = evaluate(models, split, PROTOCOL, reads=reads, notes=[evil], command=f"recnb {evil}")
    ev = replace(ev, findings=(*ev.findings, Finding(evil, "note", 1, 1, evil, evil)))
    page = report(ev, tmp_path)
    tags = {tag for tag, _ in page.tags}
    assert not {"b", "u", "i", "a>"} & tags and not page.unbalanced
    assert len([1 for tag, _ in page.tags if tag == "script"]) == 1
    assert not [a for _, a in page.tags if any(k.startswith("on") for k in a)]
    assert evil in page.text and name in page.text


def test_same_bytes_again_and_from_a_saved_folder(ev, raw, tmp_path):
    assert write_report(ev, tmp_path / "again.html").read_text(encoding="utf-8") == raw
    ev.save(tmp_path / "saved")
    back = Evaluation.load(tmp_path / "saved")
    assert write_report(back, tmp_path / "back.html").read_text(encoding="utf-8") == raw


def test_program_repeats_the_run(ev, split, page, raw):
    from html import unescape

    program = unescape(re.search(r"<pre><code>(.*?)</code></pre>", raw, re.S)[1])
    assert "l2=50.0" in program and "'text_frozen': ...,  # given by the caller" in program
    program = program.replace("ds = load('tiny')", "ds = given").replace(
        "'text_frozen': ...,", "'text_frozen': matrix,"
    )
    scope = {"given": split.dataset, "matrix": scores(split, 0.6, 1)}
    exec(program, scope)
    again, first = (e.table().drop(columns="language") for e in (scope["ev"], ev))
    pd.testing.assert_frame_equal(again, first)


def test_examples_are_those_users_lists(ev, raw, page):
    users = example_users(ev)
    assert len(users) == 30 and users == example_users(ev)
    blocks = re.split(r'<div class="example" data-user="\d+"(?: hidden)?>', raw)[1:]
    assert len(blocks) == 30
    for user, block in zip(users, blocks):
        one = ev.lists_for(user)
        assert f"<h3>User {user}</h3>" in block
        shown = re.findall(r"<h4>(.*?)</h4>\s*<ol>(.*?)</ol>", block, re.S)
        assert [name for name, _ in shown] == ev.models
        for model, items in shown:
            rows = one.lists[one.lists["model"] == model].head(10)
            wanted = [title + " ✓" * hit for title, hit in zip(rows["title"], rows["hit"])]
            assert re.findall(r"<li[^>]*>(.*?)</li>", items) == wanted
    assert "✓</li>" in raw and raw.count('class="example"') - raw.count(" hidden>\n<h3>User") == 3
    frame = ev.split_frame[ev.split_frame["user_id"] == users[0]]
    last = frame[frame["part"] != "test"].sort_values("timestamp")["item_id"].iloc[-1]
    assert f"Known, the newest first: Title {last[1:]};" in page.text


def test_the_pair_of_the_answer_is_chosen_first(ev, page):
    found = answer(ev)
    chosen = [a["value"] for tag, a in page.tags if tag == "option" and "selected" in a]
    assert [ev.models[int(value)] for value in chosen] == [found.model, found.reference]


def test_how_to_read_stands_in_the_report_and_in_notebooks(page):
    said = how_to_read()
    for line in str(said).splitlines():
        term, _, text = line.partition(": ")
        assert text in page.text and f"<b>{term}</b>" in said._repr_html_()


@pytest.mark.usefixtures("no_pictures")
def test_findings_and_checks_always_stand(ev, split, page, tmp_path):
    for found in ev.findings:
        assert found.evidence in page.text
    quiet = evaluate({"a": scores(split, 0.5, 1)}, split, PROTOCOL)
    quiet = replace(quiet, findings=())
    text = report(quiet, tmp_path).text
    assert "The checks found nothing." in text and all(said in text for said in CHECKS.values())
    quiet = replace(quiet, findings=(Finding("leak", "error", 1, 9, "It leaks", "Stop it"),))
    text = report(quiet, tmp_path).text
    assert "The checks raised 1 error" in text and "It leaks. Mend: Stop it." in text.replace(
        " .", "."
    )


@pytest.mark.usefixtures("no_pictures")
def test_tuning_encoder_and_notes_are_named(ev, tmp_path):
    settings = {
        **ev.settings,
        "search": {"trials": 20, "models": {}},
        "notes": ["tfidf is left out"],
    }
    tuned = replace(ev, settings=settings)
    text = report(tuned, tmp_path).text
    assert "tuned: 20 trials" in text and "tfidf is left out" in text
    assert (
        "text_frozen reads with sentence-transformers/all-MiniLM-L6-v2 (22.7 million parameters)"
        in text
    )
    assert "untuned: 0 trials" in report(ev, tmp_path).text
    assert ev.settings["dataset"]["digest"] in text


@pytest.mark.slow
def test_fast_and_small(tmp_path):
    split = splits.user_time(data_set(n=1000, users=people(1000)))
    models = {f"m{m}": scores(split, m / 10, m) for m in range(8)}
    reads = {name: TEXT if at % 2 else PLAIN for at, name in enumerate(models)}
    metrics = ("ndcg", "recall", "average_precision", "reciprocal_rank")
    ev = evaluate(models, split, Protocol(metrics=metrics), reads=reads)
    start = time.process_time()
    path = write_report(ev, tmp_path / "r.html")
    assert time.process_time() - start < 10
    assert path.stat().st_size < 2_000_000
