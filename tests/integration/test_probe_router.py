"""How many probes run at once, in which order the others wait, and what becomes of those that wait too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from probe_parts import SHORT, http_check, observe, prober, reason_of, run, tcp_check, text_of, until
from tocsin.core.model import Observation, Reason
from tocsin.core.policy import Check
from tocsin.ports import Done
from tocsin.probes import build_probes
from tocsin.probes.descriptors import LEAST, MOST_AT_ONCE, room
from tocsin.probes.http.wire import WireProber
from tocsin.probes.resolver import Address, look_up
from tocsin.probes.router import Probes
from tocsin.testing.servers import ScriptedServer, Visit, answering, hanging

FINE = Observation(0.01, status=200)


class Held:
    """A client whose probes end when the test says so."""

    def __init__(self) -> None:
        self.started: list[Check] = []
        self.forgotten: list[Check] = []
        self._done: dict[str, Done] = {}

    def start(self, check: Check, done: Done) -> None:
        self.started.append(check)
        self._done[check.id] = done

    def forget(self, check: Check) -> None:
        self.forgotten.append(check)

    async def close(self) -> None:
        pass

    def end(self, name: str) -> None:
        self._done.pop(f"erp/{name}")(FINE)

    @property
    def names(self) -> list[str]:
        return [check.name for check in self.started]


def checks(*names: str, host: str = "a.test", timeout: timedelta = timedelta(seconds=5)) -> list[Check]:
    return [http_check(f"http://{host}/{name}", name=name, timeout=timeout) for name in names]


def no_library() -> Held:
    raise AssertionError("no check wants it")


def play(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_no_more_than_allowed_run_at_one_origin_and_the_others_go_on() -> None:
    async def work() -> None:
        held, told = Held(), list[Observation]()
        probes = Probes(held, held, no_library, at_once=10, per_origin=2)
        for check in [*checks("1", "2", "3", "4"), *checks("x", host="b.test"), *checks("y", host="a.test:81")]:
            probes.start(check, told.append)
        assert held.names == ["1", "2", "x", "y"]
        held.end("2")
        assert held.names == ["1", "2", "x", "y", "3"]
        for name in ("1", "x", "y", "3", "4"):
            held.end(name)
        assert told == [FINE] * 6
        assert (probes.running, probes.waiting) == (0, 0)

    play(work())


def test_no_more_than_allowed_run_in_all_and_the_first_to_come_is_the_first_to_go() -> None:
    async def work() -> None:
        held, told = Held(), list[Observation]()
        probes = Probes(held, held, no_library, at_once=2, per_origin=2)
        for index in range(6):
            probes.start(checks(str(index), host=f"h{index}.test")[0], told.append)
        assert held.names == ["0", "1"]
        assert probes.waiting == 4
        for index in range(6):
            held.end(str(index))
        assert held.names == ["0", "1", "2", "3", "4", "5"]
        assert (len(told), probes.running, probes.waiting) == (6, 0, 0)

    play(work())


@pytest.mark.parametrize(("at_once", "per_origin", "word"), [(1, 9, "other probes"), (9, 1, "others at a.test")])
def test_what_waits_longer_than_its_timeout_is_late_and_told_once(at_once: int, per_origin: int, word: str) -> None:
    async def work() -> None:
        held, told = Held(), list[Observation]()
        probes = Probes(held, held, no_library, at_once=at_once, per_origin=per_origin)
        first, second, third = checks("1", "2", "3", timeout=timedelta(milliseconds=30))
        probes.start(first, told.append)
        probes.start(second, told.append)
        await until(lambda: told)
        assert reason_of(told[0]) is Reason.LATE
        assert word in text_of(told[0])
        probes.start(third, told.append)
        held.end("1")
        assert held.names == ["1", "3"]
        held.end("3")
        assert (len(told), probes.running, probes.waiting) == (3, 0, 0)

    play(work())


def test_what_waits_at_the_end_is_told() -> None:
    async def work() -> None:
        held, told = Held(), list[Observation]()
        probes = Probes(held, held, no_library, at_once=1)
        for check in checks("1", "2", "3"):
            probes.start(check, told.append)
        await probes.close()
        assert [reason_of(o) for o in told] == [Reason.LATE] * 2
        assert probes.waiting == 0

    play(work())


def test_time_in_our_own_queue_is_not_the_service_s_latency() -> None:
    async def slow(visit: Visit) -> None:
        await asyncio.sleep(0.1)
        await visit.answer(200)

    async def work() -> list[Observation]:
        probes = build_probes()
        queued = Probes(probes._wire, probes._tcp, no_library, at_once=1)
        async with ScriptedServer(slow) as server:
            found = await asyncio.gather(*(observe(queued, http_check(server.url(), name=str(i))) for i in range(4)))
            await probes.close()
            return found

    found = asyncio.run(work())
    assert all(o.failure is None and 0.09 < o.latency_s < 0.19 for o in found)


def test_each_kind_goes_to_its_client() -> None:
    async def work() -> None:
        wire, tcp, library = Held(), Held(), Held()
        probes = Probes(wire, tcp, lambda: library, at_once=9)
        plain, proxied = (
            http_check("http://a.test/", name="1"),
            http_check("http://a.test/", name="2", proxy="http://p:1"),
        )
        for check in (plain, proxied, tcp_check(1)):
            probes.start(check, lambda _: None)
            probes.forget(check)
        assert [len(client.started) for client in (wire, tcp, library)] == [1, 1, 1]
        assert [len(client.forgotten) for client in (wire, tcp, library)] == [1, 1, 1]

    play(work())


@pytest.mark.parametrize("limit", [1, 64, 256, 1024, 4096, 65_536, 1_000_000])
def test_descriptors_are_shared_out_within_their_limit(limit: int) -> None:
    space = room(limit)
    assert LEAST <= space.at_once <= MOST_AT_ONCE
    assert space.idle >= LEAST
    if limit >= 256:
        assert space.at_once + space.idle <= limit - 64


@pytest.mark.parametrize("client", ["wire", "asyncio"])
def test_a_thousand_endpoints_that_hang_cost_the_others_nothing(client: str) -> None:
    async def work() -> None:
        probes = build_probes()
        told: list[Observation] = []
        async with ScriptedServer(hanging()) as dead, ScriptedServer(answering(200, b"ok")) as alive:
            # Names of their own for each, as a thousand hosts have them.
            hanged = [
                http_check(
                    f"http://127.{i // 250}.{i % 250}.1:{dead.port}/", name=f"h{i}", timeout=timedelta(seconds=1)
                )
                for i in range(200)
            ]
            for check in hanged:
                probes.start(check, told.append)
            good = [http_check(alive.url(), name=f"g{i}") for i in range(10)]
            found = [await observe(probes, check) for check in good]
            assert all(o.failure is None and o.latency_s < 0.5 for o in found)
            await probes.close()
        assert len(told) == len(hanged)

    run(client, work)


def test_the_work_behind_a_dead_name_service_starves_nobody() -> None:
    gate = threading.Event()

    async def work() -> None:
        def look(host: str, ip: str) -> Any:
            if host.endswith(".dead.test"):
                gate.wait(10.0)
                return [Address(2, "127.0.0.1")]
            return look_up(host, ip)

        async with ScriptedServer() as server, prober("wire", look) as one:
            told: list[Observation] = []
            for i in range(15):
                check = http_check(f"http://h{i}.dead.test/", name=f"d{i}", timeout=SHORT)
                one.start(check, told.append)
            for host in (None, "localhost"):
                seen = await observe(one, http_check(server.url(host=host), name=str(host)))
                assert seen.failure is None
                assert seen.latency_s < 0.2
            await until(lambda: len(told) == 15)
            assert {reason_of(o) for o in told} == {Reason.TIMEOUT}
            gate.set()

    try:
        run("wire", work)
    finally:
        gate.set()


def test_a_lookup_that_never_got_its_turn_is_late_and_not_down() -> None:
    gate = threading.Event()

    async def work() -> list[Observation]:
        def look(host: str, ip: str) -> Any:
            gate.wait(10.0)
            return []

        async with prober("wire", look) as one:
            told: list[Observation] = []
            for i in range(20):
                one.start(http_check(f"http://h{i}.test/", name=f"d{i}", timeout=SHORT), told.append)
            await until(lambda: len(told) == 20)
            return told

    try:
        reasons = [reason_of(o) for o in run("wire", work)]
    finally:
        gate.set()
    assert (reasons.count(Reason.TIMEOUT), reasons.count(Reason.LATE)) == (16, 4)


def test_connections_are_kept_only_within_their_limit() -> None:
    async def work() -> list[int]:
        async with ScriptedServer(answering(200, b"ok")) as server, prober("wire", max_idle=3) as one:
            assert isinstance(one, WireProber)
            for _ in range(2):
                for i in range(6):
                    assert (await observe(one, http_check(server.url(), name=str(i)))).failure is None
            return [one.idle, server.connections]

    idle, connections = run("wire", work)
    assert idle == 3
    assert connections >= 9


def test_a_reload_keeps_the_connections_of_checks_that_stay() -> None:
    async def work() -> list[int]:
        async with ScriptedServer(answering(200, b"ok")) as server, prober("wire") as one:
            counted = []
            for path, timeout_s in (("/a", 5), ("/a", 5), ("/a", 4), ("/b", 4)):
                check = http_check(server.url(path), timeout=timedelta(seconds=timeout_s))
                assert (await observe(one, check)).failure is None
                counted.append(server.connections)
            return counted

    assert run("wire", work) == [1, 1, 1, 2]


def test_a_check_that_goes_away_while_it_is_probed_leaves_no_connection() -> None:
    async def slow(visit: Visit) -> None:
        await asyncio.sleep(0.05)
        await visit.answer(200)

    async def work() -> None:
        async with ScriptedServer(slow) as server, prober("wire") as one:
            assert isinstance(one, WireProber)
            check = http_check(server.url())
            probing = asyncio.ensure_future(observe(one, check))
            await until(lambda: server.requests)
            one.forget(check)
            assert (await probing).failure is None
            assert one.idle == 0

    run("wire", work)
