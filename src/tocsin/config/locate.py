"""Which settings file holds, and where the daemon's socket is. Cheap: every command asks this, most need nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

SYSTEM_FILE = Path("/etc/tocsin/tocsin.yaml")
SYSTEM_SOCKET = Path("/run/tocsin/tocsin.sock")


def settings_file(flag: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the settings file that holds, None when the defaults do. What was named is returned even if it is not there."""
    if flag is not None:
        return flag
    if named := environ.get("TOCSIN_CONFIG"):
        return Path(named)
    return next((path for path in (Path("tocsin.yaml"), SYSTEM_FILE) if path.exists()), None)


def socket_candidates(flag: Path | None, config: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield where the daemon may listen, best first. What somebody named is the only candidate."""
    if flag is not None:
        yield flag
        return
    if named := environ.get("TOCSIN_SOCKET"):
        yield Path(named)
        return
    written = _written_socket(settings_file(config, environ))
    if written is not None:
        yield written
        if config is not None or environ.get("TOCSIN_CONFIG"):
            return  # whoever named a configuration means that daemon, and no other
    yield Path("var/tocsin.sock")
    yield SYSTEM_SOCKET


def _written_socket(file: Path | None) -> Path | None:
    """The socket of a settings file, if it can be read; whatever else is wrong with the file does not matter here."""
    from tocsin.config.yaml_positions import read_yaml

    if file is None:
        return None
    try:
        value = read_yaml(file.read_text(encoding="utf-8-sig"), str(file)).value
    except (OSError, UnicodeDecodeError):
        return None
    if not isinstance(value, dict):
        return None
    socket, folder = value.get("socket"), value.get("data_dir")
    if isinstance(socket, str):
        return file.parent / socket
    return file.parent / (folder if isinstance(folder, str) else "var") / "tocsin.sock"
