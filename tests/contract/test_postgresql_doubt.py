"""A commit of which nobody can say whether it happened: what checks say is decided again, and there is one incident."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from filled_store import a_rulebook, whole
from postgresql import Server
from tcp_proxy import Proxy
from tocsin.core.case import FailingCheck
from tocsin.core.check import Transition
from tocsin.core.model import Reason, Sample, Status
from tocsin.daemon.apply import Unit, settle
from tocsin.errors import StoreError
from tocsin.ports import StoredCheck
from tocsin.store import writer
from tocsin.store.store import SqlStore

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def database(postgresql_server: Server) -> str:
    return postgresql_server.new_database()


@pytest.fixture
def proxy(postgresql_server: Server) -> Iterator[Proxy]:
    with closing(Proxy(postgresql_server.port)) as made:
        yield made


def went_down() -> Unit:
    rulebook = a_rulebook("erp")
    failing = FailingCheck("health", "http", Status.DOWN, "timeout", "no answer", NOW, {})
    sample = Sample(NOW, Status.DOWN, Reason.TIMEOUT, 5.0, "no answer")
    change = Transition(Status.UP, Status.DOWN, NOW, NOW, NOW)
    stored = StoredCheck("erp", "health", "http", "down", NOW, NOW, "timeout", "no answer")
    return Unit(rulebook.systems["erp"], rulebook, (failing,), (("health", change, sample),), (stored,), NOW)


@pytest.mark.parametrize("was_committed", [True, False], ids=["it was committed", "it was not"])
def test_decision_that_is_made_again_after_an_unknown_commit_is_one_incident(
    proxy: Proxy, database: str, was_committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "DOUBT_FOR_S", 0.5)

    async def scenario() -> None:
        store = SqlStore(proxy.url(database))
        try:
            proxy.cut_at(b"COMMIT", delivers=was_committed, then_refuses=True)
            with pytest.raises(StoreError, match="did not say whether it committed"):
                await store.write(lambda tx: settle(tx, went_down()))
            proxy.accept()
            case, _, _ = await store.write(lambda tx: settle(tx, went_down()))
            assert case.incident is not None
            assert case.incident.id == 1
        finally:
            await store.close()

    asyncio.run(scenario())
    tables = whole(database)
    assert len(tables["incidents"]) == len(tables["transitions"]) == 1
    assert [row["action"] for row in tables["journal"]] == ["check_changed", "incident_opened"]
    assert [row["event"] for row in tables["notices"]] == ["opened"]
