"""Ids replaced by a keyed hash: the same id gets the same name, and without the key nobody can guess back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from recnb.data.dataset import Dataset
from recnb.errors import InputError

MIN_KEY = 16  # bytes: shorter keys can be tried out
_PURPOSE = b"recnb.user"


def pseudonymise(ids: Iterable[str], key: str | bytes) -> list[str]:
    """A pseudonym for each id: keyed BLAKE2b, 32 hex digits (128 bits).

    Parameters
    ----------
    ids : iterable of str
    key : str or bytes
        A secret of 16 to 64 bytes, such as ``secrets.token_hex(16)``. Kept apart from the data; another key gives
        other pseudonyms.

    Raises
    ------
    InputError
        The key is empty, too short or too long, or an id is no string.

    Notes
    -----
    A plain hash would not do: ids are few, and whoever has a list of them hashes it and looks up.

    References
    ----------
    RFC 7693, section 2.9 (keyed BLAKE2). GDPR, article 4(5): with the key it is personal data still.

    Examples
    --------
    >>> one, two, three = pseudonymise(["ann", "bob", "ann"], key="sixteen bytes or more")
    >>> len(one), one == three, one == two
    (32, True, False)
    """
    secret = key.encode() if isinstance(key, str) else key
    if not isinstance(secret, bytes):
        raise InputError(f"the key is of type {type(key).__name__}", mend="give text or bytes")
    if not MIN_KEY <= len(secret) <= blake2b.MAX_KEY_SIZE:
        raise InputError(
            "the key is empty" if not secret else f"the key has {len(secret)} bytes",
            mend=f"use {MIN_KEY} to {blake2b.MAX_KEY_SIZE} bytes, such as secrets.token_hex(16)",
        )
    out = []
    for number, name in enumerate(ids, start=1):
        if not isinstance(name, str):
            raise InputError(f"id {name!r} is no text", row=number, mend="turn ids into strings")
        digest = blake2b(name.encode(), key=secret, digest_size=16, person=_PURPOSE)
        out.append(digest.hexdigest())
    return out


def pseudonymised(ds: Dataset, key: str | bytes) -> Dataset:
    """The same data with users under pseudonyms, in the order of these, so that no row number gives them away.

    Item ids, times and columns of the users table stay. They can still single a person out: a handful of items
    with their days is enough (Narayanan and Shmatikov, Robust de-anonymization of large sparse datasets, 2008).

    Raises
    ------
    InputError
        As :func:`pseudonymise`.

    Examples
    --------
    >>> import pandas as pd
    >>> ds = Dataset.from_frames(pd.DataFrame({"user_id": ["ann", "bob"], "item_id": ["x", "y"]}))
    >>> hidden = pseudonymised(ds, key="sixteen bytes or more")
    >>> hidden.n_users, "ann" in hidden.users.index, len(hidden.interactions)
    (2, False, 2)
    """
    names = np.array(pseudonymise(ds.users.index, key), dtype=object)
    order = np.argsort(names, kind="stable")
    users = ds.users.iloc[order].copy()
    users.index = type(ds.users.index)(names[order], dtype=ds.users.index.dtype, name="user_id")
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    rows = ds.interactions.copy()
    rows["user"] = place[rows["user"].to_numpy()]
    # Stable: rows of a user keep their order.
    rows = rows.sort_values("user", kind="stable", ignore_index=True)
    return replace(ds, users=users, interactions=rows)
