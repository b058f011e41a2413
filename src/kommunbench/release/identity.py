"""A site's own key pair (Ed25519): made in the site's folder, where the private half stays; what it signs is its
word.

Receipts are signed with it, and whatever else has to be known as this site's. A signature is always over a purpose and
a message, so that one made for a receipt can never pass for anything else. The file is PKCS#8 in PEM, 0600, which
`openssl pkey -in identity.key -text` reads. RFC 8032: the same message gets the same signature.
"""

from __future__ import annotations

import os
import stat
import uuid
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kommunbench.core.errors import Fault, PolicyError

FILE = "identity.key"
SIGNATURE_BYTES = 64


class Identity:
    """One site's key pair. `Identity.of(home)` is the one to use."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def of(cls, home: Path) -> Identity:
        """The key pair in `home`/identity.key, made there if there is none; several processes get the same one.

        Raises:
            PolicyError: others than the owner can read the file, or it holds no Ed25519 key.
            OSError: it cannot be read or made.
        """
        path = home / FILE
        if not path.is_file():
            _make(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise PolicyError(Fault("others than its owner can read the site's key", str(path), f"chmod 600 {path}"))
        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise PolicyError(Fault("not an Ed25519 key in PEM", str(path), "restore the site's key from its copy"))
        return cls(private)

    @property
    def public(self) -> str:
        """The public key as 64 hexadecimal digits: what others know the site by."""
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, purpose: str, message: bytes) -> bytes:
        """64 bytes; `is_signed` checks them."""
        return self._private.sign(_bound(purpose, message))

    def derive(self, purpose: str) -> bytes:
        """A secret of 32 bytes for `purpose` alone (HKDF with SHA-256, RFC 5869), the same as long as the key is."""
        raw = self._private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return HKDF(SHA256(), 32, salt=None, info=_bound(purpose, b"")).derive(raw)

    def __repr__(self) -> str:
        return f"Identity({self.public[:12]})"


def is_signed(public: str, purpose: str, message: bytes, signature: bytes) -> bool:
    """Whether the holder of the key `public` (64 hexadecimal digits) signed `message` for `purpose`."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, _bound(purpose, message))
    except (InvalidSignature, ValueError):
        return False
    return True


def _bound(purpose: str, message: bytes) -> bytes:
    """A purpose is one of our own words and has no line break, so no two pairs give the same bytes."""
    return f"kommunbench {purpose}\n".encode() + message


def _make(path: Path) -> None:
    """Write a new key whole, 0600, unless another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, pem)
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # the other's key is the site's
    finally:
        draft.unlink()
