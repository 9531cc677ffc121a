"""API keys: random, shown once, kept as salted hashes with scopes and an end; and how often each may ask."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recnb.errors import InputError
from recnb.files import write_json

SCOPES = ("read", "items", "admin")
PREFIX = "recnb"
_ID, _SECRET, _SALT = 6, 32, 16  # bytes


@dataclass(frozen=True)
class Key:
    """What is kept of a key.

    Attributes
    ----------
    id : str
        Public part, which logs name.
    name : str
    scopes : tuple of str
        Of "read", "items" (add items), "admin" (which includes all).
    salt, hash : str
        SHA-256 over salt and secret. The secret has 256 random bits, so that a slow hash would add nothing: nobody
        can try them out.
    expires : float or None
        Unix seconds.
    rate : float
        Requests a second on average; bursts of four times as many.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    salt: str
    hash: str
    expires: float | None
    rate: float

    def allows(self, scope: str) -> bool:
        """Whether it may be used for this."""
        return scope in self.scopes or "admin" in self.scopes


class KeyFile:
    """Keys in a json file, read again when it changes.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path, self._read_at, self._keys = path, 0, {}  # type: ignore[var-annotated]
        self.keys()

    def keys(self) -> dict[str, Key]:
        """All keys by id.

        Raises
        ------
        InputError
            The file is no file of keys.
        """
        try:
            changed = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            self._keys, self._read_at = {}, 0
            return self._keys
        if changed != self._read_at:
            try:
                told = json.loads(self.path.read_text(encoding="utf-8"))
                keys = [
                    Key(**{**entry, "scopes": tuple(entry["scopes"])}) for entry in told["keys"]
                ]
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                raise InputError(
                    "no file of API keys",
                    file=str(self.path),
                    mend="move it away and make new keys",
                ) from None
            self._keys, self._read_at = {key.id: key for key in keys}, changed
        return self._keys

    def add(
        self, name: str, scopes: tuple[str, ...], days: float | None = None, rate: float = 100.0
    ) -> str:
        """Make a key and keep its hash; returns the key itself, which nothing can show again.

        Raises
        ------
        InputError
            An unknown scope, no time left, or no rate.
        """
        wrong = [scope for scope in scopes if scope not in SCOPES]
        if wrong or not scopes:
            raise InputError(f"scopes {', '.join(wrong) or 'none'}", mend=f"of {', '.join(SCOPES)}")
        if rate <= 0 or (days is not None and days <= 0) or not 0 < len(name) <= 100:
            raise InputError("rate, days or name", mend="give numbers above 0 and a short name")
        key_id, secret, salt = (secrets.token_hex(n) for n in (_ID, _SECRET, _SALT))
        expires = None if days is None else time.time() + 86_400 * days
        key = Key(key_id, name, tuple(scopes), salt, _hash(salt, secret), expires, rate)
        self._write({**self.keys(), key_id: key})
        return f"{PREFIX}_{key_id}_{secret}"

    def remove(self, key_id: str) -> None:
        """Forget a key: it no longer opens anything."""
        keys = dict(self.keys())
        if keys.pop(key_id, None) is None:
            raise InputError(f"no key '{key_id}'", file=str(self.path), mend="list them")
        self._write(keys)

    def find(self, given: str) -> Key | str:
        """The key that a request carries, or why it is none."""
        prefix, _, rest = given.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self.keys().get(key_id) if prefix == PREFIX else None
        # an unknown id costs the same as a wrong secret
        expected = key.hash if key is not None else _hash("", "")
        same = hmac.compare_digest(_hash(key.salt if key is not None else "", secret), expected)
        if key is None or not same:
            return "the key is not valid"
        if key.expires is not None and time.time() > key.expires:
            return "the key has expired"
        return key

    def _write(self, keys: dict[str, Key]) -> None:
        plain: list[dict[str, Any]] = [asdict(key) for key in keys.values()]
        write_json(self.path, {"keys": plain})
        self.path.chmod(0o600)


def _hash(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}:{secret}".encode("utf-8", "replace")).hexdigest()


class Rates:
    """Token buckets, one a caller.

    Parameters
    ----------
    burst : float
        Seconds' worth of requests that may come at once.
    callers : int
        Buckets kept; the longest unused go first.

    Examples
    --------
    >>> rates = Rates(burst=2)
    >>> [rates.wait("a", 1, now=0.0) for _ in range(3)]
    [0.0, 0.0, 1.0]
    >>> rates.wait("a", 1, now=1.0)
    0.0
    """

    def __init__(self, burst: float = 4.0, callers: int = 10_000) -> None:
        self._burst, self._callers = burst, callers
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, caller: str, rate: float, now: float | None = None) -> float:
        """Seconds to wait until the next request is welcome; 0 where this one is."""
        now = time.monotonic() if now is None else now
        most = max(1.0, rate * self._burst)
        left, since = self._buckets.pop(caller, (most, now))
        left = min(most, left + (now - since) * rate)
        if not self._buckets.get(caller) and len(self._buckets) >= self._callers:
            self._buckets.pop(next(iter(self._buckets)))
        welcome = left >= 1
        self._buckets[caller] = (left - welcome, now)
        return 0.0 if welcome else (1 - left) / rate
