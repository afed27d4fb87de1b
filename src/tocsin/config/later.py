"""What the contract names and this version does not do yet: refused in these words, never accepted and ignored.

Bringing one in is deleting its line (and, where there is none, adding its key to the models). `*` is any name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.config.document import Path
from tocsin.config.findings import Findings

SETTINGS = (
    "tls",
    "trusted_proxies",
    "users",
    "tokens",
    "nodes",
)

RULES = (
    "maintenance",
    "silences",
    "routes",
    "remediation",
    "slo",
    "systems.*.depends_on",
    "systems.*.enabled",
    "systems.*.slo",
    "systems.*.remediation",
    "systems.*.checks.*.enabled",
    "systems.*.checks.*.dns",
    "systems.*.checks.*.exec",
    "systems.*.checks.*.grpc",
    "systems.*.checks.*.heartbeat",
    "systems.*.checks.*.ping",
    "systems.*.checks.*.promql",
    "systems.*.checks.*.redis",
    "systems.*.checks.*.sql",
    "systems.*.checks.*.steps",
    "channels.*.apprise",
    "channels.*.dingtalk",
    "channels.*.feishu",
    "channels.*.mail",
    "channels.*.pagerduty",
    "channels.*.teams",
    "channels.*.wecom",
)

KINDS = ("dns", "exec", "grpc", "heartbeat", "ping", "promql", "redis", "sql", "steps")
"""Kinds of checks among the above: a check of such a kind has no other."""

SECTIONS = tuple(row for row in RULES if "." not in row)


def refuse(raw: Mapping[str, Any], table: tuple[str, ...], findings: Findings) -> dict[str, Any]:
    """Return the raw configuration without what is not in this version, each occurrence noted."""
    rest: Any = raw
    for pattern in table:
        rest = _without(rest, tuple(pattern.split(".")), (), findings)
    return dict(rest)


def _without(raw: Any, pattern: tuple[str, ...], path: Path, findings: Findings) -> Any:
    """Leave the raw value as it is (the same object) when the pattern is not in it."""
    if not isinstance(raw, Mapping):
        return raw
    head, *tail = pattern
    if not tail:
        return _without_key(raw, head, path, findings)
    inner = {
        key: _without(raw[key], tuple(tail), (*path, key), findings)
        for key in (raw if head == "*" else [head])
        if key in raw
    }
    return {**raw, **inner} if any(inner[key] is not raw[key] for key in inner) else raw


def _without_key(raw: Mapping[str, Any], key: str, path: Path, findings: Findings) -> Any:
    if key not in raw:
        return raw
    if raw[key] not in (None, [], {}):
        findings.error((*path, key), f"{key} is not in this version (leave it out)", at_key=True)
        findings.refused.add(path)
    return {name: value for name, value in raw.items() if name != key}
