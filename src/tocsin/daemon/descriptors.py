"""Open files: every probe under way holds one, so the soft limit is raised to the hard one before anything counts them."""

from __future__ import annotations

import resource

from tocsin.log import get_log

log = get_log(__name__)


def raise_open_files() -> None:
    """Raise this process's limit of open files as far as it may without asking anybody."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        log.warning("The limit of open files stays", action="open_files_kept", limit=soft, text=str(error))
