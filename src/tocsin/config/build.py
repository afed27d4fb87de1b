"""From the joined entries to the rulebook: names resolved, conditions compiled, secrets read, all that is wrong noted."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.config import later
from tocsin.config.context import Context, digest
from tocsin.config.entries import Entries
from tocsin.config.golive import golive_policy
from tocsin.config.joined import Joined
from tocsin.config.ladders import Known as Reachable
from tocsin.config.ladders import LadderBuilder
from tocsin.config.oncall import OnCallBuilder
from tocsin.config.people import DEFAULT_CHANNEL, PeopleBuilder
from tocsin.config.policies import PolicyBuilder
from tocsin.config.severities import SeverityBuilder
from tocsin.config.systems import Known, SystemBuilder
from tocsin.core.policy import Rulebook, System


def build(joined: Joined, context: Context) -> Rulebook:
    """Return the rulebook. When the context's findings hold errors afterwards, it is of no use."""
    entries = Entries(later.refuse(joined.sections, later.RULES, context.findings), context.findings)
    ways = PeopleBuilder(entries, context)
    people, channels = ways.people(), ways.channels()
    teams = ways.teams(people, channels)
    policies = PolicyBuilder(entries, context)
    calendars = policies.calendars()
    owners = {**people, **teams} if entries.has("people") or entries.has("teams") else None
    systems = SystemBuilder(entries, context, Known(owners, channels, calendars)).build()
    severity = SeverityBuilder(joined, context).build(entries.raw.get("severity"), systems)
    oncall = OnCallBuilder(entries, context, people, calendars).build()
    ladder_builder = LadderBuilder(entries, context, Reachable(people, teams, channels, oncall))
    ladders = ladder_builder.build()
    response = policies.response(calendars, ladders)
    golive = golive_policy(entries.raw.get("golive"), context, people, channels, ladders)
    default = DEFAULT_CHANNEL if DEFAULT_CHANNEL in channels else None
    ladder_builder.check(ladders, response, systems, default)
    _warn_of_silence(systems, default, context)
    checks = [check.version for system in systems.values() for check in system.checks]
    clocks = [*(calendar.version for calendar in calendars.values()), *(policy.version for policy in response.values())]
    settings = context.settings
    said = [
        settings.slack.channel,
        settings.slack.fallback,
        settings.alarms_to,
        settings.reopen_within,
        settings.fallback_after,
    ]
    return Rulebook(
        systems=systems,
        severity=severity,
        response=response,
        calendars=calendars,
        people=people,
        teams=teams,
        channels=channels,
        oncall=oncall,
        golive=golive,
        reopen_within=settings.reopen_within,
        alarms_to=ways.alarms_to(channels),
        default_channel=default,
        fallback_after=settings.fallback_after,
        version=digest([joined.as_document(), checks, clocks, said]),
    )


def _warn_of_silence(systems: Mapping[str, System], default: str | None, context: Context) -> None:
    mute = [name for name, system in systems.items() if not system.notify]
    if mute and default is None:
        names = ", ".join(mute[:3]) + (f" and {len(mute) - 3} more" if len(mute) > 3 else "")
        text = f"nobody is told about {names}: set slack.channel, or notify for each system"
        context.findings.warn_of(context.settings.problem("slack", text))
