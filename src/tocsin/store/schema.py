"""The tables. `journal` is part of the contract; the rest may change with a migration.

Instants are UTC and aware on the Python side everywhere; SQLite stores them without an offset.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant. Refuses naive ones, since nobody could say what they mean."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant without a zone cannot be stored: {value!r}")
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def storable(value: str) -> str:
    """Text that every database takes: no NUL and no half of a surrogate pair, as a hostile answer or a paste may hold."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Words(TypeDecorator[str]):
    """Text that came from outside: what was seen, what somebody wrote."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable(value)


metadata = MetaData(naming_convention=NAMING)

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(255), nullable=False, index=True),
    Column("data", Text),
    Column("salt", String(32)),
    Column("data_digest", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

configurations = Table(
    "configurations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("applied_at", UtcDateTime, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("version", String(64), nullable=False),
    Column("document", Text, nullable=False),
)

checks = Table(
    "checks",
    metadata,
    Column("system", String(255), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("since", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("reason", String(32), nullable=False, server_default=""),
    Column("text", Words, nullable=False, server_default=""),
    Column("values", JSON, nullable=False),
    Column("is_held", Boolean, nullable=False, server_default=text("false")),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("system", String(255), nullable=False),
    Column("key", String(255), nullable=False, server_default=""),
    Column("severity", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("title", Words, nullable=False),
    Column("rule", JSON, nullable=False),
    Column("text", Words, nullable=False),
    Column("failing_since", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("severity_at", UtcDateTime, nullable=False),
    Column("rule_severity", String(8), nullable=False),
    Column("checks", JSON, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", String(255)),
    Column("assignee", String(255)),
    Column("resolved_at", UtcDateTime),
    Column("resolved_by", String(255)),
    Column("resolution", String(16)),
    Column("reopened", Integer, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False),
    Index(
        "ix_incidents_unresolved",
        "system",
        "key",
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index("ix_incidents_system_opened_at", "system", "opened_at"),
)

clocks = Table(
    "clocks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident", Integer, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("calendar", String(255), nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("calendar_version", String(64), nullable=False),
    Column("target_s", Float, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("wake_at", UtcDateTime),
    Column("plan", JSON, nullable=False),
    Column("outcome", String(16)),
    Column("met_at", UtcDateTime),
    Column("breached_at", UtcDateTime),
    Column("detected_late", Boolean, nullable=False, server_default=text("false")),
    Column("ended_at", UtcDateTime),
    Column("superseded_at", UtcDateTime),
    Column("pauses", JSON, nullable=False),
    Column("exclusion", JSON(none_as_null=True)),
    Index(
        "ix_clocks_wake_at",
        "wake_at",
        sqlite_where=text("wake_at IS NOT NULL"),
        postgresql_where=text("wake_at IS NOT NULL"),
    ),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(255), nullable=False),
    Column("channel", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("event", String(64), nullable=False),
    Column("incident", Integer),
    Column("promised_at", UtcDateTime, nullable=False),
    Column("data", JSON, nullable=False),
    Column("state", String(16), nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("is_unknown", Boolean, nullable=False, server_default=text("false")),
    Column("next_at", UtcDateTime),
    Column("settled_at", UtcDateTime),
    Column("error", Words),
    UniqueConstraint("key"),
    Index(
        "ix_notices_pending",
        "channel",
        "priority",
        "id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_notices_incident", "incident"),
)

messages = Table(
    "messages",
    metadata,
    Column("channel", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("place", String(255), nullable=False),
    Column("message", String(255), nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
)


def _rollup_table(name: str, stamp: str) -> Table:
    """Counts by check and span of time, `stamp` being the span's first instant."""
    return Table(
        name,
        metadata,
        Column("system", String(255), primary_key=True),
        Column("check", String(255), primary_key=True),
        Column(stamp, UtcDateTime, primary_key=True),
        Column("up", Integer, nullable=False),
        Column("degraded", Integer, nullable=False),
        Column("down", Integer, nullable=False),
        Column("unobserved", Integer, nullable=False),
        Column("latency_sum_s", Float, nullable=False),
        Column("latency_max_s", Float, nullable=False),
        Column("latency", LargeBinary, nullable=False),
        Column("values", JSON(none_as_null=True)),
        Index(f"ix_{name}_{stamp}", stamp),
    )


rollups = _rollup_table("rollups", "minute")
hourly_rollups = _rollup_table("hourly_rollups", "hour")

failures = Table(
    "failures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("system", String(255), nullable=False),
    Column("check", String(255), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("text", Words, nullable=False),
    Column("duration_s", Float, nullable=False),
    Index("ix_failures_system_check_at", "system", "check", "at"),
    Index("ix_failures_at", "at"),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("system", String(255), nullable=False),
    Column("check", String(255), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("previous", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("text", Words, nullable=False),
    Index("ix_transitions_system_check_at", "system", "check", "at"),
    Index("ix_transitions_at", "at"),
)

golives = Table(
    "golives",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("systems", JSON, nullable=False),
    Column("version", Words, nullable=False),
    Column("owner", String(255), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("review_due_at", UtcDateTime, nullable=False),
    Column("wake_at", UtcDateTime),
    Column("detail", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("ix_golives_phase", "phase"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("last_run_at", UtcDateTime, nullable=False),
)
