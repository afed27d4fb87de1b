"""`clock …`: the arithmetic of deadlines, segment by segment."""

from __future__ import annotations
