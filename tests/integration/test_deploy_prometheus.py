"""The shipped Prometheus rules and Grafana dashboard: linted, each alert tried both ways, nothing asked that does not exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "tocsin.json"
NOT_METRICS = {"and", "or", "unless", "offset", "bool", "job", "system"}
NOT_OURS = {"up"} | {
    f"process_{name}"
    for name in ("start_time_seconds", "cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds")
}


def promtool(*arguments: str) -> None:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    told = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=90, check=False, cwd=PROMETHEUS)
    assert told.returncode == 0, told.stdout + told.stderr


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """The rules of a kind (`alert`, `record`) by their names."""
    groups = loaded(PROMETHEUS / "rules" / "tocsin.yml")["groups"]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression reads: what is left without texts, selectors, groupings, functions and words."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", re.sub(r'"[^"]*"', '""', expression))
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    return set(re.findall(r"(?<![\w:$])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()", bare)) - NOT_METRICS


def known_metrics() -> set[str]:
    documented = set(
        re.findall(r"^\| `(tocsin_\w+)` \| (\w+)", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    )
    series = {name for name, kind in documented if kind != "histogram"}
    series |= {
        f"{name}_{part}" for name, kind in documented if kind == "histogram" for part in ("bucket", "sum", "count")
    }
    return series | NOT_OURS | set(rules("record"))


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def test_promtool_accepts_the_scrape_configuration_and_the_rules() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", "rules/tocsin.yml")


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", "tests/tocsin_test.yml")


def test_every_alert_is_tried_where_it_fires_and_where_it_is_quiet() -> None:
    tried = [
        trial
        for test in loaded(PROMETHEUS / "tests" / "tocsin_test.yml")["tests"]
        for trial in test.get("alert_rule_test", [])
    ]
    fires = {trial["alertname"] for trial in tried if trial["exp_alerts"]}
    quiet = {trial["alertname"] for trial in tried if not trial["exp_alerts"]}
    assert fires == quiet == set(rules("alert"))


def test_every_alert_says_how_grave_it_is_what_is_wrong_and_what_to_do() -> None:
    for name, rule in rules("alert").items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert rule["annotations"].keys() == {"summary", "action"}, name


def test_metrics_are_found_in_an_expression() -> None:
    assert metrics_of('sum by (job, le) (rate(a_bucket{x="b"}[5m])) / on(job) c:d:e > bool 1 offset 10m') == {
        "a_bucket",
        "c:d:e",
    }
    assert metrics_of('up{job="tocsin"} == 0 or absent(up{job="tocsin"})') == {"up"}


@pytest.mark.parametrize("name", [*rules("alert"), *rules("record")])
def test_every_rule_reads_only_what_there_is(name: str) -> None:
    read = metrics_of((rules("alert") | rules("record"))[name]["expr"])
    assert read
    assert read - known_metrics() == set()


@pytest.mark.parametrize(("panel", "expression"), list(dashboard_expressions()))
def test_every_panel_reads_only_what_there_is(panel: str, expression: str) -> None:
    read = metrics_of(expression)
    assert read, panel
    assert read - known_metrics() == set(), panel


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval"}
    assert used == variables


def test_the_panels_lie_beside_each_other_and_never_on_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for cell in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            assert taken.setdefault(cell, panel["title"]) == panel["title"]
