"""The key that signs checkpoints of the journal's head: Ed25519, made at the first start, never leaving `data_dir`.

What a signature proves: whoever had this key stated, dated, that the journal ended in this hash. Kept elsewhere (the ops log shipped
away, a message, a metric) such a statement shows any later rewriting of what came before. It stops nobody who is root on this machine.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE, PUBLIC_FILE = "journal.key", "journal.pub"


class Seal:
    """Signs. `open` comes first; it blocks, as reading and writing files does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: Ed25519PrivateKey | None = None

    def open(self) -> bool:
        """Read the key, or make one where there is none; returns whether it was made. Raises OSError and ValueError."""
        if self._key is not None:
            return False
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        path = self._folder / KEY_FILE
        try:
            found = load_pem_private_key(path.read_bytes(), password=None)
        except FileNotFoundError:
            self._key = Ed25519PrivateKey.generate()
            self._write(path)
            return True
        except (ValueError, TypeError, UnsupportedAlgorithm):
            found = None
        if not isinstance(found, Ed25519PrivateKey):
            raise ValueError(f"{path}: is no Ed25519 key (restore it; moved away, a new one is made)")
        self._key = found
        return False

    def _write(self, path: Path) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        assert self._key is not None
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._folder.mkdir(parents=True, exist_ok=True)
        incoming = path.with_name(f"{path.name}.incoming")
        incoming.unlink(missing_ok=True)
        fd = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, pem)
            os.fsync(fd)
        finally:
            os.close(fd)
        incoming.replace(path)
        path.with_name(PUBLIC_FILE).write_text(f"{self.public}\n{fingerprint(self.public)}\n", encoding="ascii")

    @property
    def public(self) -> str:
        """The public key, in base64."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        assert self._key is not None
        return b64encode(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def sign(self, sequence: int, hashed: str, at: str) -> dict[str, Any]:
        """A checkpoint's data: where the journal's head stands, when, and the signature of that."""
        assert self._key is not None
        signature = b64encode(self._key.sign(_statement(sequence, hashed, at))).decode()
        return {"sequence": sequence, "hash": hashed, "at": at, "key": self.public, "signature": signature}


def fingerprint(public: str) -> str:
    """A public key's short name, as `doctor` and `log verify` show it."""
    return "SHA256:" + b64encode(sha256(b64decode(public)).digest()).decode().rstrip("=")


def is_signed_right(data: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's signature fits what it says, by the key that it names."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(data["key"], validate=True))
        statement = _statement(int(data["sequence"]), str(data["hash"]), str(data["at"]))
        key.verify(b64decode(data["signature"], validate=True), statement)
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return True


def _statement(sequence: int, hashed: str, at: str) -> bytes:
    return f"tocsin journal checkpoint 1\n{sequence}\n{hashed}\n{at}\n".encode()
