"""Roll-ups of whole hours, into which those of old minutes are compacted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hourly_rollups",
        sa.Column("system", sa.String(length=255), nullable=False),
        sa.Column("check", sa.String(length=255), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("up", sa.Integer(), nullable=False),
        sa.Column("degraded", sa.Integer(), nullable=False),
        sa.Column("down", sa.Integer(), nullable=False),
        sa.Column("unobserved", sa.Integer(), nullable=False),
        sa.Column("latency_sum_s", sa.Float(), nullable=False),
        sa.Column("latency_max_s", sa.Float(), nullable=False),
        sa.Column("latency", sa.LargeBinary(), nullable=False),
        sa.Column("values", sa.JSON()),
        sa.PrimaryKeyConstraint("system", "check", "hour", name="pk_hourly_rollups"),
    )
    op.create_index("ix_hourly_rollups_hour", "hourly_rollups", ["hour"])


def downgrade() -> None:
    op.drop_table("hourly_rollups")
