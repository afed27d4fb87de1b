"""What all tests share: how a test says what it needs, and that in CI nothing may be missing."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

pytest_plugins = ("postgresql",)

DEMAND_ALL = bool(os.environ.get("DEMAND_ALL_TESTS"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is demanded, a skipped test is a failed one."""
    report = yield
    if DEMAND_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be missing: {report.longrepr}"
    return report
