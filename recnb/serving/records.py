"""What a service writes down: who asked what, masked; what was shown and what followed, acknowledged when on disk."""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from recnb.behaviour.masking import mask
from recnb.behaviour.pseudonyms import pseudonymise
from recnb.errors import InputError

log = logging.getLogger(__name__)
EVENTS = ("click", "conversion", "revenue", "satisfaction")
_PENDING = 20_000  # slates that wait for the disk; more are dropped and counted
_GATHER = 0.02  # seconds that a slate waits for others: each transaction waits for the disk
_SLATE = "INSERT OR IGNORE INTO slates VALUES (?,?,?,?,?,?)"
# what was never shown is not written: an event that is acknowledged is a row of the log
_EVENT = """
INSERT INTO events SELECT ?,?,?,?,? WHERE EXISTS (
    SELECT 1 FROM slates, json_each(slates.items) AS shown WHERE slate_id = ? AND shown.value = ?)
"""
_TABLES = """
CREATE TABLE IF NOT EXISTS slates (
    slate_id TEXT PRIMARY KEY, user_id TEXT, timestamp REAL, model TEXT, items TEXT, propensities TEXT);
CREATE TABLE IF NOT EXISTS events (
    slate_id TEXT, item_id TEXT, event TEXT, value REAL, timestamp REAL);
"""


class AuditLog:
    """A line of json for each request: time, request id, key, path, status, milliseconds; no text, no ids as they are.

    Parameters
    ----------
    path : Path or None
        None writes nothing.
    secret : bytes
        Of the pseudonyms.
    """

    def __init__(self, path: Path | None, secret: bytes) -> None:
        # open as long as the service; without a buffer, in which a line that the disk refused would stay
        self._file = None if path is None else path.open("ab", buffering=0)
        self._secret, self.lost, self._cut = secret, 0, False

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry; its `error` is masked, as it may quote what came. A full disk loses the line, counted."""
        if self._file is None:
            return
        if entry.get("error"):
            entry = {**entry, "error": mask(str(entry["error"]), None)}
        try:
            line = b"\n" * self._cut + orjson.dumps(entry) + b"\n"
            whole = self._file.write(line) == len(line)
        except (
            OSError,
            ValueError,
            TypeError,
        ):  # a full disk, a closed file, half a surrogate pair
            self.lost += 1
            return
        self.lost += not whole
        self._cut = not whole

    def pseudonym(self, user: str) -> str:
        """The name under which a user is written down."""
        return pseudonymise([user], self._secret)[0]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class NotShown(LookupError):
    """An event about an item that no list of the log shows."""


class FeedbackLog:
    """Shown slates and what followed, in a SQLite file that only grows; in the layout of :mod:`recnb.effect.logs`.

    One thread writes, many rows a transaction. An event is acknowledged when its transaction is on the disk.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lost = path, 0
        try:
            self._open().close()
        except sqlite3.Error as error:
            raise InputError(f"no feedback log ({error})", file=str(path), mend="move it") from None
        self._unwritten: list[
            Any
        ] = []  # slates that a full disk refused: tried again before what follows
        self._queue: queue.Queue[tuple[str, tuple[Any, ...], Future[None] | None] | None]
        self._queue = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()

    def shown(
        self,
        slate: str,
        user: str | None,
        model: str,
        items: Sequence[str],
        propensities: Sequence[float],
    ) -> None:
        """A slate that was answered; written soon, dropped and counted where the disk is far behind."""
        if self._queue.qsize() + len(self._unwritten) > _PENDING:
            self.lost += 1
            return
        lists = (orjson.dumps(values).decode() for values in (items, propensities))
        self._queue.put((_SLATE, (slate, user, time.time(), model, *lists), None))

    def event(self, slate: str, item: str, event: str, value: float) -> Future[None]:
        """Something that followed; done when it is on the disk, or failed: with NotShown where no list showed it."""
        done: Future[None] = Future()
        self._queue.put((_EVENT, (slate, item, event, value, time.time(), slate, item), done))
        return done

    def close(self) -> None:
        """Write what waits."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(_TABLES)
        return connection

    def _run(self) -> None:
        connection = self._open()
        while True:
            rows = self._gathered()
            work = [*self._unwritten, *(row for row in rows if row is not None)]
            try:
                self._commit(connection, work)
            except sqlite3.Error as error:
                self._failed(connection, work, error)
            if None in rows:
                self.lost += len(self._unwritten)
                connection.close()
                return

    def _gathered(self) -> list[Any]:
        """What is written next: slates wait for company, an event or the end is written at once."""
        rows, end = [self._queue.get()], time.monotonic() + _GATHER
        while len(rows) < 1000:
            urgent = rows[-1] is None or rows[-1][2] is not None
            left = end - time.monotonic()
            try:
                rows.append(self._queue.get(not urgent and left > 0, max(left, 0.0)))
            except queue.Empty:
                break
            if urgent:
                end = 0.0
        return rows

    def _commit(self, connection: sqlite3.Connection, work: list[Any]) -> None:
        connection.execute("BEGIN")
        written = [connection.execute(sql, row).rowcount > 0 for sql, row, _ in work]
        connection.execute("COMMIT")
        self._unwritten = []
        for (_, _, done), there in zip(work, written):
            if done is None:
                continue
            if there:
                done.set_result(None)
            else:
                done.set_exception(NotShown())

    def _failed(self, connection: sqlite3.Connection, work: list[Any], error: Exception) -> None:
        """A full disk: nothing of the transaction is there, and nobody is told that it is."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        log.error("the feedback log cannot be written: %s", error)
        self._unwritten = [row for row in work if row[2] is None]
        for _, _, done in work:
            if done is not None:
                done.set_exception(error)
        time.sleep(0.05)


def with_names(table: pd.DataFrame, users: Sequence[str], secret: bytes) -> pd.DataFrame:
    """The log with the ids of known users instead of their pseudonyms; rows of others are left out.

    Parameters
    ----------
    table : DataFrame
        As :func:`read_feedback` gives it.
    users : sequence of str
        Such as those of a model: a policy made of it can be judged on no others.
    secret : bytes
        Of the service's pseudonyms: who has it may see the names.

    Returns
    -------
    DataFrame
    """
    named = dict(zip(pseudonymise(list(users), secret), users))
    kept = table[table["user_id"].isin(named)]
    return kept.assign(user_id=kept["user_id"].map(named)).reset_index(drop=True)


def read_feedback(path: str | Path) -> pd.DataFrame:
    """The log as the table that :mod:`recnb.effect.logs` reads: a row for each item shown.

    Parameters
    ----------
    path : path
        The SQLite file.

    Returns
    -------
    DataFrame
        `slate_id, user_id, item_id, position` (from 1), `propensity, timestamp, model`, and `click`, `conversion`,
        `revenue`, `satisfaction` with 0 where nothing followed; satisfaction only where any was given.

    Raises
    ------
    InputError
        There is no such log.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no feedback log here", file=str(path), mend="name feedback.sqlite")
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            slates = connection.execute("SELECT * FROM slates ORDER BY timestamp").fetchall()
            events = connection.execute(
                "SELECT slate_id, item_id, event, "
                "CASE WHEN event = 'revenue' THEN sum(value) ELSE max(value) END "
                "FROM events GROUP BY 1, 2, 3"
            ).fetchall()
    except sqlite3.Error as error:
        raise InputError(
            f"no feedback log ({error})", file=str(path), mend="name another"
        ) from None
    rows = [
        (slate, user, item, place, chance, at, model)
        for slate, user, at, model, items, chances in slates
        for place, (item, chance) in enumerate(zip(json.loads(items), json.loads(chances)), 1)
    ]
    names = ["slate_id", "user_id", "item_id", "position", "propensity", "timestamp", "model"]
    table = pd.DataFrame(rows, columns=names)
    followed = pd.DataFrame(events, columns=["slate_id", "item_id", "event", "value"])
    wide = followed.pivot(index=["slate_id", "item_id"], columns="event", values="value")
    kept = [e for e in EVENTS if e != "satisfaction" or e in wide]
    wide = wide.reindex(columns=kept).reset_index()
    table = table.merge(wide, on=["slate_id", "item_id"], how="left")
    return table.fillna(dict.fromkeys(kept, 0.0))
