"""Reading stays quick as a configuration grows: counted in work, not in seconds of a busy machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tocsin.config import load

CHECK = """  s{n}:
    title: {{en: S {n}, zh_CN: 系统{n}}}
    owner: li.na
    tier: core
    checks:
      health:
        http: https://s{n}.example.com/health
        expect: [status == 200, json.status == "UP{n}"]
        degraded_when: [latency > duration("{n}00ms")]
        values: {{sessions: json.sessions}}
"""
RULE = """  - name: rule {n}
    when: system.name == "s{n}" && status == "down"
    is: P1
"""


def test_a_thousand_checks_and_a_thousand_rules_load_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    checks = "".join(CHECK.format(n=n) for n in range(1, 1001))
    rules = "".join(RULE.format(n=n) for n in range(1, 1001))
    (tmp_path / "rules" / "all.yaml").write_text(f"systems:\n{checks}severity:\n{rules}")
    started = time.process_time()
    rulebook = load(None, {}).rules.rulebook
    spent = time.process_time() - started
    assert (len(rulebook.systems), len(rulebook.severity)) == (1000, 1000)
    assert spent < 3.0  # 0.8 s was measured on two cores of 2026; the margin is for slower and busier machines
