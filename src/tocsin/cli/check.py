"""`check`: one probe now. It never enters state."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import print_facts, print_json, say, word
from tocsin.cli.times import local, milliseconds
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from tocsin.core.model import Certificate, Sample
    from tocsin.core.policy import Check, Rulebook

AT_ONCE = 8


def add_to(app: typer.Typer) -> None:
    command(app, "check", check)


def check(
    options: Options,
    subject: Annotated[str, typer.Argument(metavar="SYSTEM[/CHECK]", help="A system, or one of its checks.")],
) -> int:
    """Probe now and show the phases, the values, the certificate and the verdict. Exit code 1 when it is down."""
    from tocsin.cli.configuration import config_of, load

    _, rulebook = load(config_of(options), os.environ)
    checks = find(rulebook, subject)
    samples = asyncio.run(_probe_all(checks))
    found = [as_json(one, sample) for one, sample in zip(checks, samples, strict=True)]
    if options.json:
        print_json(found[0] if "/" in subject else found)
    else:
        for document in found:
            _print(document)
    return 1 if any(document["status"] == "down" for document in found) else 0


def find(rulebook: Rulebook, subject: str) -> Sequence[Check]:
    """The checks that a subject names."""
    name, slash, check_name = subject.partition("/")
    system = rulebook.systems.get(name)
    if system is None:
        raise UsageError(f"no system '{name}' in the rules{_known(rulebook.systems)}")
    if not slash:
        return system.checks
    found = [check for check in system.checks if check.name == check_name]
    if not found:
        raise UsageError(f"system '{name}' has no check '{check_name}'{_known(c.name for c in system.checks)}")
    return found


def _known(names: Any) -> str:
    known = sorted(names)
    return f" (known: {', '.join(known[:20])}{' …' if len(known) > 20 else ''})" if known else ""


async def _probe_all(checks: Sequence[Check]) -> list[Sample]:
    from tocsin.daemon.build import probe_once

    room = asyncio.Semaphore(AT_ONCE)

    async def one(check: Check) -> Sample:
        async with room:
            _, sample = await probe_once(check)
            return sample

    return list(await asyncio.gather(*(one(check) for check in checks)))


def as_json(check: Check, sample: Sample) -> dict[str, Any]:
    """The contract's shape of one probe."""
    return {
        "system": check.system,
        "check": check.name,
        "kind": check.kind,
        "status": sample.status.value,
        "reason": sample.reason.value,
        "text": sample.text,
        "duration_s": sample.duration_s,
        "phases": sample.phases.as_dict(),
        "values": dict(sample.values),
        "certificate": _certificate(sample.certificate),
    }


def _certificate(certificate: Certificate | None) -> dict[str, str] | None:
    if certificate is None:
        return None
    return {"expires_at": certificate.expires_at.isoformat().replace("+00:00", "Z"), "issuer": certificate.issuer}


def _print(found: Mapping[str, Any]) -> None:
    certificate = found["certificate"]
    phases = ", ".join(f"{name} {milliseconds(spent)}" for name, spent in found["phases"].items() if spent is not None)
    print_facts(
        [
            (f"{found['system']}/{found['check']}", word(found["status"])),
            ("reason", found["reason"] if found["reason"] != "ok" else None),
            ("text", found["text"]),
            ("took", milliseconds(found["duration_s"])),
            ("phases", phases),
            ("values", ", ".join(f"{name} = {value}" for name, value in found["values"].items())),
            (
                "certificate",
                certificate and f"until {local(certificate['expires_at'])}, issued by {certificate['issuer']}",
            ),
        ]
    )
    say()
