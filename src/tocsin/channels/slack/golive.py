"""Go-live watches in Slack: the root message shows how one stands, the thread what happened."""

from __future__ import annotations

from tocsin.channels.golive_text import GoLiveText, told
from tocsin.channels.slack.blocks import Block, context, section
from tocsin.channels.slack.text import escaped, link, mention
from tocsin.channels.slack.view import View
from tocsin.core.model import NoticeKind

LINE_MAX = 1500
FACT_MAX = 300
FACTS_SHOWN = 10


def blocks_of(view: View) -> tuple[str, list[Block]]:
    """The text for notifications, and the blocks."""
    message = view.message
    said = told(message.event, message.data, message.language, view.zone, message.people, view.now)
    line = escaped(said.line, LINE_MAX)
    if called := _called(view, said):
        line = f"{line} {called}"
    facts = [escaped(fact, FACT_MAX) for fact in said.facts[:FACTS_SHOWN]]
    match message.kind:
        case NoticeKind.PAGE | NoticeKind.EDIT:
            shown = [section("\n".join(filter(None, (_head(view, said), line))))]
        case NoticeKind.BROADCAST:
            shown = [section(f"{_head(view, said)}\n{line}")]
        case _:
            shown = [section(line)]
    if facts and (message.kind in (NoticeKind.PAGE, NoticeKind.EDIT) or len(facts) > 2):
        shown.append(context("\n".join(facts)))
    return escaped(f"{said.head}. {said.line}".strip(), LINE_MAX), shown


def _head(view: View, said: GoLiveText) -> str:
    head = escaped(said.head, FACT_MAX)
    return f"*{link(view.message.link, said.head)}*" if view.message.link else f"*{head}*"


def _called(view: View, said: GoLiveText) -> str:
    """Mentions: it is meant that their phones ring."""
    known = [view.message.people[name] for name in said.people if name in view.message.people]
    return " ".join(mention(person.slack, person.name) for person in known if person.slack)
