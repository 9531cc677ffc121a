"""The service: artefacts answered over HTTP."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from fastapi import Request, Response

from recnb.serving.engine import Ask, Listed
from recnb.serving.explore import Explorer
from recnb.serving.http import schemas
from recnb.serving.http.guard import Refused
from recnb.serving.http.live import Checks, Live, Lives
from recnb.serving.keys import KeyFile
from recnb.serving.records import AuditLog, FeedbackLog
from recnb.serving.watch.monitor import Monitor

log = logging.getLogger(__name__)
_HERE = Path(__file__).parent
KEYS, FEEDBACK, AUDIT, SECRET = "keys.json", "feedback.sqlite", "audit.jsonl", "secret"


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes
    ----------
    folders : tuple of Path
        Artefacts; the first is the default.
    state : Path or None
        Folder of keys, logs and added items; None keeps nothing.
    open : bool
        Whether the service answers without keys.
    milliseconds : float
        Time limit of an answer.
    queue, batch : int
        Jobs that may wait, and that are done together.
    explore : float
        Share of lists that are drawn at random from the best, so that the log can judge other models.
    watch : float
        Seconds between looks for a new artefact; 0 for none.
    trust : bool
        Whether models of classes outside recnb may be imported.
    tls : bool
    late : bool
        Whether text encoders may be read after the first lists: until then a text is answered by what most have.
    """

    folders: tuple[Path, ...]
    state: Path | None = None
    open: bool = False
    milliseconds: float = 250.0
    queue: int = 256
    batch: int = 32
    explore: float = 0.0
    watch: float = 2.0
    trust: bool = False
    tls: bool = False
    late: bool = False


class Json(Response):
    """Plain values as json."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


class Service:
    """What the routes share."""

    def __init__(self, settings: Settings, checks: Checks | None = None) -> None:
        self.settings, self.monitor = settings, Monitor()
        state = settings.state
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
        self.keys = None if state is None or settings.open else KeyFile(state / KEYS)
        secret = secrets.token_bytes(32) if state is None else _secret(state / SECRET)
        self.audit = AuditLog(None if state is None else state / AUDIT, secret)
        self.feedback = None if state is None else FeedbackLog(state / FEEDBACK)
        self.explorer = Explorer(settings.explore)
        self.lives = Lives(
            settings.folders, self._live, self.monitor, settings.trust, settings.late, checks
        )
        self.ready = True

    def _live(self, artefact: Any) -> Live:
        s = self.settings
        return Live(artefact, self.monitor, s.state, s.queue, s.batch, s.milliseconds / 1000)

    def live(self, name: str | None) -> Live:
        """The artefact that a request names."""
        live = self.lives.get(name)
        if live is None:
            raise Refused(404, f"no model of this name; there are {', '.join(self.lives.by_name)}")
        return live

    async def answer(self, question: schemas.Question, request: Request) -> dict[str, Any]:
        """The answer to a question, as plain values."""
        live = self.live(question.model)
        engine = live.engine
        history, ignored = None, 0
        if question.history is not None:
            history, ignored = _codes(question.history, engine.shelf.codes)
        exclude, unknown = _codes(question.exclude, engine.shelf.codes)
        user = None if question.user is None else engine.users.get(question.user)
        if user is None and history is None and question.text is None:
            history = _codes([], {})[0]  # a stranger
        k = self.explorer.depth(question.k)
        ask = Ask(
            k,
            user=user,
            history=history,
            where=question.where,
            exclude=exclude,
            reasons=question.reasons,
        )
        listed, from_cache = await live.listed(ask, question.text)
        request.state.user = question.user
        return self.shown(live, listed, question.k, question.user, ignored + unknown, from_cache)

    async def similar(
        self, live: Live, item: str, k: int, where: dict[str, list[str]]
    ) -> dict[str, Any]:
        """Items like one."""
        code = live.engine.shelf.codes.get(item)
        if code is None:
            raise Refused(404, "no such item")
        listed, from_cache = await live.listed(Ask(k, similar=code, where=where))
        return self.shown(live, listed, k, None, 0, from_cache)

    def shown(
        self,
        live: Live,
        listed: Listed,
        k: int,
        user: str | None,
        ignored: int,
        from_cache: bool,
    ) -> dict[str, Any]:
        """An answer that goes out, written down."""
        places, chances = self.explorer.choose(len(listed.codes), k)
        codes, scores = listed.codes[places].tolist(), listed.scores[places].tolist()
        because = listed.because
        shelf = live.engine.shelf
        ids, titles = shelf.ids, shelf.titles
        slate = secrets.token_hex(16)
        items = [
            {"item_id": ids[c], "title": titles[c], "score": s, "because": None}
            for c, s in zip(codes, scores)
        ]
        if because is not None:
            for shown, place in zip(items, places):
                reason = because[int(place)]
                shown["because"] = None if reason is None else ids[reason]
        self.monitor.count(live.name, listed, live.popular, from_cache)
        if self.feedback is not None:
            pseudonym = slate if user is None else self.audit.pseudonym(user)
            self.feedback.shown(slate, pseudonym, live.name, [ids[c] for c in codes], chances)
        return {
            "model": live.name,
            "artefact": live.artefact.digest[:16],
            "slate_id": slate,
            "by": listed.by,
            "fallback": listed.fallback,
            "relaxed": list(listed.relaxed),
            "ignored": ignored,
            "items": items,
        }

    async def watch(self) -> None:
        """Look for new artefacts for ever."""
        while True:
            await asyncio.sleep(self.settings.watch)
            try:
                await self.lives.reload()
                for live in list(self.lives.by_name.values()):
                    await live.catch_up()
            except Exception:  # whatever is wrong with a folder, the service goes on
                log.exception("looking for a new artefact failed")

    async def close(self) -> None:
        """Finish what waits, and what is to be written."""
        self.ready = False
        await self.lives.close()
        if self.feedback is not None:
            await asyncio.to_thread(self.feedback.close)
        self.audit.close()


def _codes(ids: Sequence[str], codes: dict[str, int]) -> tuple[np.ndarray, int]:
    """Codes of the ids that are items, and how many are none."""
    there = [codes[i] for i in ids if i in codes]
    return np.array(there, dtype=np.int64), len(ids) - len(there)


def _secret(path: Path) -> bytes:
    """The key of the pseudonyms, made at first use."""
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()
