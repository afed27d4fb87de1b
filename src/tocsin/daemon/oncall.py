"""What can be asked and done about who is on call. `shown` needs no daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tocsin.core import oncall as schedules
from tocsin.core.model import Entry
from tocsin.core.oncall import OnCall, Override
from tocsin.core.policy import Person, Rulebook
from tocsin.daemon import overrides
from tocsin.errors import NotFound, UsageError
from tocsin.ports import Transaction

if TYPE_CHECKING:
    from tocsin.daemon.commands import Ask, Tools

BY_HAND = "by_hand"
IMPORTED_AT_MOST = 500
SHOWN_DAYS = 14
DAYS_AT_MOST = 366


def shown(oncall: OnCall, people: Mapping[str, Person], at: datetime, days: int) -> dict[str, Any]:
    """Who is on call at an instant, and who will be for some days: the shape of `oncall show --json`."""
    end = at + timedelta(days=days)
    turns = schedules.shifts(oncall, at, end)
    person, until = turns[0].person, schedules.stays_until(turns)
    return {
        "name": oncall.name,
        "at": _instant(at),
        "person": person,
        "person_name": _name(people, person),
        "until": _instant(until) if until < end else None,
        "shifts": [
            {
                "from": _instant(turn.start),
                "to": _instant(turn.end),
                "person": turn.person,
                "person_name": _name(people, turn.person),
                "why": turn.why,
            }
            for turn in turns
        ],
        "gaps": [{"from": _instant(a), "to": _instant(b)} for a, b in schedules.gaps(oncall, at, end)],
        "overrides": [
            {
                "person": one.person,
                "from": _instant(one.start),
                "to": _instant(one.end),
                "actor": one.actor,
                "source": one.source,
            }
            for one in oncall.overrides
            if one.end > at
        ],
    }


def _name(people: Mapping[str, Person], person: str | None) -> str | None:
    return people[person].name if person is not None and person in people else person


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def known(rulebook: Rulebook, name: str) -> OnCall:
    found = rulebook.oncall.get(name)
    if found is None:
        listed = ", ".join(sorted(rulebook.oncall)) or "none; add oncall: to the rules"
        raise NotFound(f"there is no on-call schedule {name!r} (known: {listed})")
    return found


class OnCallVerbs:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.verbs: dict[str, Callable[[Ask], Awaitable[Any]]] = {
            "oncall_show": self._show,
            "oncall_overrides": self._overrides,
            "oncall_override": self._override,
            "oncall_import": self._import,
        }

    async def _show(self, ask: Ask) -> Any:
        days = ask.number("days", default=SHOWN_DAYS, low=1, high=DAYS_AT_MOST)
        rulebook, moment = self._tools.live.rulebook, ask.optional("at")
        at = _moment(moment) if moment else self._tools.clock.now()
        if name := ask.optional("name"):
            return shown(known(rulebook, name), rulebook.people, at, days)
        return [shown(one, rulebook.people, at, days) for one in rulebook.oncall.values()]

    async def _overrides(self, _: Ask) -> Any:
        return overrides.read(await self._tools.store.write(lambda tx: tx.get_fact(overrides.FACT)))

    async def _override(self, ask: Ask) -> Any:
        name, person = ask.text("name"), ask.text("person")
        made = self._made(name, person, ask.text("from"), ask.text("to"), ask.actor, BY_HAND)
        data = {**overrides.as_data(name, made), "reason": ask.optional("reason")}

        def unit(tx: Transaction) -> list[dict[str, Any]]:
            tx.append([Entry(ask.at, ask.actor, "oncall_overridden", f"oncall:{name}", data)])
            return _kept(tx, [overrides.as_data(name, made)], ask.at)

        self._lay_over(await self._tools.store.write(unit))
        return shown(known(self._tools.live.rulebook, name), self._tools.live.rulebook.people, ask.at, SHOWN_DAYS)

    async def _import(self, ask: Ask) -> Any:
        """Take in shifts from elsewhere as overrides; what was imported for the schedule before and is still to come is replaced."""
        name, source = ask.text("name"), f"import:{ask.text('source')}"[:200]
        listed = ask.arguments.get("shifts")
        if not isinstance(listed, Sequence) or isinstance(listed, str) or len(listed) > IMPORTED_AT_MOST:
            raise UsageError(f"`shifts` must be a list of at most {IMPORTED_AT_MOST} shifts")
        made = [self._imported(name, one, ask.actor, source) for one in listed]

        def unit(tx: Transaction) -> list[dict[str, Any]]:
            data = {"source": source, "shifts": len(made)}
            tx.append([Entry(ask.at, ask.actor, "oncall_imported", f"oncall:{name}", data)])
            return _kept(tx, [overrides.as_data(name, one) for one in made], ask.at, replacing=(name, source))

        self._lay_over(await self._tools.store.write(unit))
        return {"name": name, "imported": len(made), "source": source}

    def _imported(self, name: str, one: Any, actor: str, source: str) -> Override:
        if not isinstance(one, Mapping):
            raise UsageError("a shift must be an object with person, from and to")
        return self._made(name, str(one.get("person")), str(one.get("from")), str(one.get("to")), actor, source)

    def _made(self, name: str, person: str, start: str, end: str, actor: str, source: str) -> Override:
        rulebook = self._tools.live.rulebook
        known(rulebook, name)
        if person not in rulebook.people:
            raise UsageError(
                f"unknown person {person!r} (known: {', '.join(sorted(rulebook.people)) or 'nobody; add people: to the rules'})"
            )
        made = Override(person, _moment(start), _moment(end), actor, source)
        if made.end <= made.start:
            raise UsageError(f"the override ends before it starts: {end} is not after {start} (swap them)")
        if made.end - made.start > timedelta(days=DAYS_AT_MOST):
            raise UsageError(f"the override is longer than {DAYS_AT_MOST} days (change the members in the rules)")
        return made

    def _lay_over(self, stored: list[dict[str, Any]]) -> None:
        self._tools.live.rulebook = overrides.laid_over(self._tools.live.rulebook, stored)
        self._tools.changes.happened()


def _kept(
    tx: Transaction, fresh: list[dict[str, Any]], now: datetime, replacing: tuple[str, str] | None = None
) -> list[dict[str, Any]]:
    def is_replaced(one: Mapping[str, Any]) -> bool:
        is_same = replacing == (one["schedule"], one["source"])
        return is_same and datetime.fromisoformat(one["to"]) > now

    before = [one for one in overrides.read(tx.get_fact(overrides.FACT)) if not is_replaced(one)]
    text = overrides.written([*before, *fresh], now)
    tx.put_fact(overrides.FACT, text)
    return overrides.read(text)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not an instant (use 2026-12-04T22:00:00+08:00)") from None
    if at.tzinfo is None:
        raise UsageError(f"{text!r} has no offset (use 2026-12-04T22:00:00+08:00, or ...Z)")
    return at.astimezone(UTC)
