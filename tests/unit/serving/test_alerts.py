"""The deployed files: each alert fires when its metric crosses; dashboard, container and compose are sound."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from recnb.serving.engine import Listed
from recnb.serving.watch.monitor import Monitor

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus/alerts.yml"
MINUTES = 90


def ordinary(m: Monitor, minute: int) -> None:
    """A minute in which nothing is wrong."""
    popular = np.zeros(100, bool)
    popular[:10] = True
    m.popular_reference.labels("ease").set(0.5)
    m.drift.labels("ease", "score").set(0.05)
    m.lost.labels("feedback").set(0)
    m.queue.labels("score").set(2)
    m.requests["/recommend", "200"].inc(100)
    for n in range(10):
        m.seconds.labels("request").observe(0.004)
        fallback = "nothing is known of this person" if n == 0 else None
        m.count("ease", Listed(np.array([1, 50]), np.zeros(2), fallback=fallback), popular, False)
    m.requests["/recommend", "401"].inc()
    m.tokens.inc(50)
    m.unknown.inc(1)
    m.shadow_asked.labels("ease", "text").inc()
    m.shadow_found.labels("ease", "text").inc(0.98)


def often(n: int, act: Callable[[Monitor], object]) -> Callable[[Monitor, int], None]:
    def minute(m: Monitor, _: int) -> None:
        for _ in range(n):
            act(m)

    return minute


def only_popular(m: Monitor) -> None:
    m.count("ease", Listed(np.array([1, 2]), np.zeros(2)), np.arange(100) < 10, False)


def fell_back(why: str) -> Callable[[Monitor], None]:
    one = Listed(np.array([1, 50]), np.zeros(2), fallback=why)
    return lambda m: m.count("ease", one, np.arange(100) < 10, False)


CROSSING = {
    "RecnbErrors": often(1, lambda m: m.requests["/recommend", "500"].inc(3)),
    "RecnbSlow": often(1, lambda m: m.seconds.labels("request").observe(0.6)),
    "RecnbQueue": lambda m, _: m.queue.labels("score").set(150),
    "RecnbFallbacks": often(4, fell_back("nothing is known of this person")),
    "RecnbTimeLimit": often(1, fell_back("time limit")),
    "RecnbIndexRecall": often(1, lambda m: m.shadow_asked.labels("ease", "text").inc()),
    "RecnbUnknownTokens": often(1, lambda m: (m.tokens.inc(5), m.unknown.inc(5))),
    "RecnbPopularOnly": often(15, only_popular),
    "RecnbDrift": lambda m, _: m.drift.labels("ease", "score").set(0.4),
    "RecnbLogLost": lambda m, minute: m.lost.labels("feedback").set(3 if minute >= 85 else 0),
    "RecnbArtefactRefused": lambda m, minute: minute == 84 and m.reloads.labels("refused").inc(),
    "RecnbWrongKeys": often(1, lambda m: m.requests["/recommend", "401"].inc(90)),
}


def series(extra: Callable[[Monitor, int], object]) -> list[dict[str, str]]:
    """What the real monitor exposes minute by minute, as promtool reads it."""
    monitor, values = Monitor(), {}
    for minute in range(MINUTES):
        ordinary(monitor, minute)
        extra(monitor, minute)
        for metric in monitor.registry.collect():
            for s in metric.samples:
                labels = ",".join(f'{k}="{v}"' for k, v in sorted(s.labels.items()))
                line = values.setdefault(f"{s.name}{{{labels}}}", ["_"] * minute)
                line.append(f"{s.value:g}")
    return [{"series": name, "values": " ".join(line)} for name, line in values.items()]


def test_every_alert_fires_when_its_metric_crosses_and_only_then(tmp_path):
    names = {
        rule["alert"] for g in yaml.safe_load(RULES.read_text())["groups"] for rule in g["rules"]
    }
    assert names == {*CROSSING, "RecnbDown"}
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here (Debian: the package prometheus has it)")
    cases: dict[str | None, list[dict[str, str]]] = {
        name: series(act) for name, act in CROSSING.items()
    }
    cases["RecnbDown"] = [
        {"series": 'up{job="recnb",instance="a"}', "values": "1 " * 80 + "0 " * 10}
    ]
    calm = {"series": 'up{job="recnb",instance="a"}', "values": "1 " * MINUTES}
    cases[None] = [*series(lambda m, minute: None), calm]
    tests = []
    for name, inputs in cases.items():
        firing = 'ALERTS{alertstate="firing"}'
        told = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
        query = {
            "expr": f"count by (alertname) ({firing}) > bool 0",
            "eval_time": f"{MINUTES - 1}m",
        }
        tests.append(
            {
                "interval": "1m",
                "input_series": inputs,
                "promql_expr_test": [{**query, "exp_samples": told}],
            }
        )
    case = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "test.yml").write_text(json.dumps(case))
    done = subprocess.run(
        [promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_every_expression_is_promql_over_metrics_that_the_service_has():
    promql = pytest.importorskip("promql_parser")
    monitor = Monitor()
    ordinary(monitor, 0)
    there = {s.name for metric in monitor.registry.collect() for s in metric.samples} | {"up"}
    there |= {f"recnb_{name}" for name in ("feedback_events_total", "refused_total", "artefact")}
    there |= {"recnb_cached_lists_total", "recnb_index_recall", "recnb_batch_jobs_sum"}
    there |= {"recnb_batch_jobs_count"}  # without a sample before the first request
    registered = {m.name for m in monitor.registry.collect()}
    assert {n.removesuffix("_total") for n in there if "batch" not in n} - {
        "up"
    } <= registered | there
    board = json.loads((DEPLOY / "grafana/dashboards/recnb.json").read_text())
    groups = yaml.safe_load(RULES.read_text())["groups"]
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    expressions += [rule["expr"] for group in groups for rule in group["rules"]]
    for expression in expressions:
        promql.parse(expression)
        used = set(re.findall(r"\b(recnb_\w+|up)\b", expression))
        assert used and used <= there, expression
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) >= 12
    source = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )
    uids = {t["datasource"]["uid"] for p in board["panels"] for t in p["targets"]}
    assert uids == {source["datasources"][0]["uid"]}


def test_the_container_and_compose_pass_their_linters():
    """hadolint and compose-lint know what Docker and its guides ask for; the files name what is there."""
    bin_ = Path(sys.executable).parent
    dockerfile = DEPLOY / "Dockerfile"
    for tool, arguments in (
        ("hadolint", [dockerfile]),
        ("compose-lint", [DEPLOY / "compose.yaml"]),
    ):
        command = shutil.which(tool, path=str(bin_)) or shutil.which(tool)
        if command is None:
            pytest.skip(f"{tool} is not installed (pip install -e '.[dev]')")
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    root = DEPLOY.parent
    ignored = (root / ".dockerignore").read_text()
    for names in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(), re.MULTILINE):
        for name in names.split():
            assert (root / name).exists() and f"!{name.removeprefix('./')}" in ignored
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounted = [v for s in compose["services"].values() for v in s["volumes"] if v.startswith("./")]
    assert mounted and all((DEPLOY / v.split(":")[0]).is_dir() for v in mounted)
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    assert prometheus["scrape_configs"][0]["static_configs"][0]["targets"] == ["recnb:8000"]
    assert (DEPLOY / "prometheus" / prometheus["rule_files"][0]).is_file()


def test_what_the_container_starts_is_a_command_line_of_recnb():
    from typer.testing import CliRunner

    from recnb.cli.main import app

    text = (DEPLOY / "Dockerfile").read_text()
    entry = json.loads(re.search(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)[1])
    command = json.loads(re.search(r"^CMD (.+)$", text, re.MULTILINE)[1])
    done = CliRunner().invoke(app, [*entry[1:], *command])
    assert "no artefact here" in str(done.exception)  # options understood, the mount is not there
