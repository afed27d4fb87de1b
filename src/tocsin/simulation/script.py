"""What happens in one simulated stretch of life: a list of steps, written from a seed, readable when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from random import Random

from tocsin.core.model import Severity, Status
from tocsin.simulation.channel import Trouble
from tocsin.simulation.rules import CHECKS

CHECK_IDS = tuple(f"{system}/{check}" for system, checks in CHECKS.items() for check in checks)


@dataclass(frozen=True, slots=True)
class Probe:
    """So many samples in a row, one each interval; the check stays like this from then on."""

    check: str
    status: Status
    times: int


@dataclass(frozen=True, slots=True)
class Act:
    """A person does something to the newest incident of a system (or of any).

    The click was `ago_s` before it was heard; `late` is how many turns others get before it.
    """

    verb: str
    system: str
    ago_s: float = 0.0
    late: int = 0
    severity: Severity = Severity.P1
    anyway: bool = False


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration changes: this check is dropped from it, or comes back."""

    check: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes while the daemon runs: it gets its turn at every instant at which something is due."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """The machine sleeps: time passes and nobody gets a turn."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """The power fails so many points ahead, or at the next point named `at`; `again` so many points into the next start (0: not)."""

    points: int
    down_s: float
    again: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    """A clean stop and start."""

    down_s: float


@dataclass(frozen=True, slots=True)
class Bother:
    """The next calls to the channels go wrong like this; so many look-ups fail."""

    troubles: tuple[Trouble, ...]
    lookups: int = 0


@dataclass(frozen=True, slots=True)
class RefuseWrites:
    """The store refuses the next writes."""

    times: int


Action = Probe | Act | Reload | Wait | Sleep | Fail | Restart | Bother | RefuseWrites
Step = tuple[Action, ...]
"""Actions that happen at the same time."""

_MESSAGES = ("page was", "page was", "broadcast was", "reply was", "alarm was")
_COMMITS = (
    "Commands",
    "Applier.commit",
    "Applier.withdraw",
    "Timekeeper._keep",
    "Alarms",
    "Dispatcher._give_up",
    "Dispatcher._failed",
)
RARE_POINTS = (
    "a look-up",
    *(f"{when} {message}" for when in ("before", "after", "after") for message in _MESSAGES),
    *(f"{when} the commit of {verb}" for when in ("before", "after") for verb in _COMMITS),
)
"""Points that few scripts pass: chance alone would seldom fail there."""

ALONE = (Wait, Sleep, Restart)


def write_script(seed: int) -> list[Step]:
    """The script of a seed: it starts with something that fails, and goes on with anything."""
    random = Random(seed)  # noqa: S311  # chance that can be repeated is the point
    steps: list[Step] = [(_failure(random),)]
    for _ in range(random.randint(3, 7)):
        steps.append(_two_people(random) if random.random() < 0.15 else _step(random))
        if any(isinstance(action, Fail) and action.at for action in steps[-1]) and random.random() < 0.5:
            # Deadlines, and what is told of them, come with time: let them meet the failure.
            steps.append((Wait(random.choice((3700.0, 15000.0))),))
    return [*steps, _two_people(random)] if random.random() < 0.3 else steps


def _step(random: Random) -> Step:
    first = _action(random)
    if isinstance(first, ALONE):
        return (first,)
    rest = [_action(random) for _ in range(random.choice((0, 0, 1, 1, 2)))]
    return (first, *(action for action in rest if not isinstance(action, ALONE)))


def _two_people(random: Random) -> Step:
    """Two people at the same incident, the second while the first one's messages are on the wire."""
    first = _act(random)
    return (first, replace(_act(random), system=first.system, late=random.randint(5, 40)))


def _action(random: Random) -> Action:
    makers = (_failure, _probe, _act, _wait, _fail, _bother, _sleep, _reload, _restart, _refuse)
    return random.choices(makers, weights=(18, 14, 26, 14, 24, 12, 3, 4, 2, 2))[0](random)


def _failure(random: Random) -> Probe:
    return Probe(random.choice(CHECK_IDS), random.choice((Status.DOWN, Status.DOWN, Status.DEGRADED)), 3)


def _probe(random: Random) -> Probe:
    return Probe(random.choice(CHECK_IDS), random.choice((Status.UP, Status.UP, Status.DOWN)), random.randint(1, 3))


def _act(random: Random) -> Act:
    verbs = ("ack", "resolve", "severity", "unack", "reopen", "note", "assign", "notices_retry")
    return Act(
        verb=random.choices(verbs, weights=(10, 4, 4, 2, 2, 1, 1, 1))[0],
        system=random.choice(tuple(CHECKS)),
        ago_s=random.choice((0.0, 0.0, 1.0, 20.0)),
        late=random.choice((0, random.randint(1, 40))),
        severity=random.choice(tuple(Severity)),
        anyway=random.random() < 0.5,
    )


def _span(random: Random) -> float:
    return float(random.choice((5, 40, 130, 600, 1900, 3700, 8000, 15000, 90000)))


def _wait(random: Random) -> Wait:
    return Wait(_span(random))


def _sleep(random: Random) -> Sleep:
    return Sleep(_span(random))


def _fail(random: Random) -> Fail:
    down_s = random.choice((0.5, 3.0, 60.0, 300.0, 4000.0, 16000.0))
    again = random.choice((0, 0, 0, random.randint(1, 12)))
    return Fail(random.randint(1, 24), down_s, again, random.choice(RARE_POINTS) if random.random() < 0.4 else "")


def _restart(random: Random) -> Restart:
    return Restart(random.choice((1.0, 300.0, 5000.0)))


def _bother(random: Random) -> Bother:
    weights = (4, 3, 4, 3, 2, 2, 2, 1)
    troubles = random.choices(tuple(Trouble), weights=weights, k=random.randint(1, 3))
    return Bother(tuple(troubles), random.choice((0, 0, 0, 1, 3)))


def _reload(random: Random) -> Reload:
    return Reload(random.choice(CHECK_IDS))


def _refuse(random: Random) -> RefuseWrites:
    return RefuseWrites(random.randint(1, 4))


def describe(script: Sequence[Step]) -> str:
    """A script as numbered lines."""
    return "\n".join(f"{n:3}  {' + '.join(_described(action) for action in step)}" for n, step in enumerate(script))


def _described(action: Action) -> str:
    named = ((field.name, getattr(action, field.name)) for field in fields(action))
    told = ", ".join(f"{name}={_plain(value)}" for name, value in named)
    return f"{type(action).__name__}({told})"


def _plain(value: object) -> str:
    return f"[{' '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
