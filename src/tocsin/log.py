"""The daemon's own log: the standard library's, with a sentence and named facts: `log.info("Ready", action="ready", version=…)`."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any


class FactsLogger(logging.LoggerAdapter[logging.Logger]):
    """Takes facts as keywords; a handler finds them as `record.facts`."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        exc_info = kwargs.pop("exc_info", None)
        return msg, {"exc_info": exc_info, "extra": {"facts": dict(kwargs)}}


def get_log(name: str) -> FactsLogger:
    return FactsLogger(logging.getLogger(name))
