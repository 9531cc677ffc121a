"""One artefact behind its queues, and the swap to the next one without a dropped request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.serving import manifest
from recnb.serving.artefact import Artefact, open_artefact
from recnb.serving.encoder.onnx import LateEncoder
from recnb.serving.engine import Ask, Engine, Listed
from recnb.serving.http.batcher import Batcher, Busy
from recnb.serving.watch.drift import Drift, fame, fame_of_users
from recnb.serving.watch.monitor import Monitor, most_used

log = logging.getLogger(__name__)
ITEMS_LOG = "items-{name}.jsonl"
Checks = Mapping[Path, "Future[dict[str, Any]]"]  # by folder: its manifest, once it is checked
_TEXTS = 4096  # text vectors that are kept


class Retired(Exception):
    """The artefact was swapped while a change waited for it."""


class Live:
    """An artefact at work in the event loop.

    Parameters
    ----------
    artefact : Artefact
    monitor : Monitor
    state : Path or None
        Folder of the journal of added items.
    queue, batch : int
        Of the scoring thread; the encoder's batches are as long, its queue too.
    seconds : float
        Time limit of an answer.
    """

    def __init__(
        self,
        artefact: Artefact,
        monitor: Monitor,
        state: Path | None,
        queue: int,
        batch: int,
        seconds: float,
    ) -> None:
        self.artefact, self.monitor, self.seconds = artefact, monitor, seconds
        journal = None if state is None else state / ITEMS_LOG.format(name=artefact.name)
        self.engine = Engine(artefact, journal)
        self.popular = most_used(artefact.popularity)
        self.drift = Drift(artefact.reference)
        self._fame = fame(artefact.popularity)
        self._user_fame = fame_of_users(artefact.known, self._fame)
        self.scoring = Batcher(self._score, batch, queue, self._told("score"), "score")
        self.encoding = Batcher(self._encode, batch, queue, self._told("encode"), "encode")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="grow")
        self._texts: dict[str, np.ndarray] = {}
        self.changing = asyncio.Lock()  # of the catalogue: one change at a time
        self.retired = False  # another one has its place
        self._busy = 0
        monitor.artefacts.labels(artefact.name, artefact.digest[:16]).set(1)
        for name, index in artefact.indexes.items():
            monitor.recall.labels(artefact.name, name).set(index.record.recall)
        share = artefact.head["reference"].get("popular_share")
        if isinstance(share, float):
            monitor.popular_reference.labels(artefact.name).set(share)

    @property
    def name(self) -> str:
        return self.artefact.name

    @property
    def loading(self) -> bool:
        """Whether the encoder is still to be read: texts and new items wait for it."""
        encoder = self.artefact.encoder
        return isinstance(encoder, LateEncoder) and not encoder.ready

    async def listed(self, ask: Ask, text: str | None = None) -> tuple[Listed, bool]:
        """An answer within the time limit, and whether the cache gave it; popularity, and said so, after the limit.

        Raises
        ------
        Busy
            The queue is full.
        InputError
            The question has no meaning here.
        """
        listed, from_cache = await self._answered(ask, text)
        self._see(ask, listed)
        return listed, from_cache

    async def _answered(self, ask: Ask, text: str | None) -> tuple[Listed, bool]:
        kept = self.engine.cached(ask)
        if kept is not None:
            return kept, True
        self._busy += 1
        try:
            async with asyncio.timeout(self.seconds):
                if text is not None and self.artefact.encoder is not None:
                    vector = await self.vector(text)
                    ask = Ask(ask.k, vector=vector, where=ask.where, exclude=ask.exclude)
                return await self.scoring.do(ask), False
        except TimeoutError:
            waited = text is not None and self.loading
            why = "the encoder is still being read" if waited else "time limit"
            return self.engine.popular(ask, why), False
        finally:
            self._busy -= 1

    def _see(self, ask: Ask, listed: Listed) -> None:
        """What the request and its answer tell of drift."""
        drift = self.drift
        if ask.history is not None:
            old = ask.history[ask.history < len(self._fame)]
            if len(old):
                drift.see("history_length", len(old))
                drift.see("history_popularity", float(self._fame[old].mean()))
        elif ask.user is not None:
            starts = self.artefact.known.indptr
            n = int(starts[ask.user + 1] - starts[ask.user])
            if n:
                drift.see("history_length", n)
                drift.see("history_popularity", float(self._user_fame[ask.user]))
        if listed.by == "model" and ask.similar is None and len(listed.scores):
            drift.see("score", float(listed.scores[0]))

    async def catch_up(self) -> None:
        """Take up items that another process has added."""
        async with self.changing:
            if self.engine.journal.behind():
                await self.scoring.do(self.engine.catch_up)

    async def measure(self) -> None:
        """Bring the gauges of drift and of the indexes' recall up to date."""
        for signal, distance in self.drift.distances().items():
            self.monitor.drift.labels(self.name, signal).set(distance)
        try:
            compared = await self.scoring.do(self.engine.shadowed)
        except Busy:
            return
        for index, recall in compared:
            self.monitor.shadow_asked.labels(self.name, index).inc()
            self.monitor.shadow_found.labels(self.name, index).inc(recall)

    async def vector(self, text: str) -> np.ndarray:
        """The vector of a text."""
        kept = self._texts.get(text)
        if kept is None:
            kept = await self.encoding.do(text)
            if len(self._texts) >= _TEXTS:
                self._texts.pop(next(iter(self._texts)))
            self._texts[text] = kept
        return kept

    async def add(self, item: dict[str, Any]) -> str:
        """List a new item from now on; returns what scores it."""
        async with self.changing:
            self._check_place()
            if self.artefact.encoder is None:
                raise InputError(
                    f"artefact '{self.name}' reads no text", mend="export it with an encoder"
                )
            if str(item["item_id"]) in self.engine.shelf.codes:
                raise InputError(f"item '{item['item_id']}' is there already", mend="another id")
            loop = asyncio.get_running_loop()
            sentence = await loop.run_in_executor(self._slow, self.engine.sentence, item)
            if not sentence:
                raise InputError("the new item has no text", mend="give a title or a text")
            vector = await self.encoding.do(sentence)
            model = await loop.run_in_executor(self._slow, self.engine.grown, item)
            await self.scoring.do(lambda: self.engine.add(item, vector, model))
            # on the disk before anyone is told that it stands
            await loop.run_in_executor(self._slow, self.engine.journal.append, {"item": item})
            return "the model" if model is not None else "its nearest known items"

    async def set_available(self, item: str, available: bool) -> None:
        """Whether an item may be shown."""
        async with self.changing:
            self._check_place()
            self.engine.set_available(item, available)
            change = {"item_id": item, "available": available}
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._slow, self.engine.journal.append, change)

    def _check_place(self) -> None:
        if self.retired:
            raise Retired

    async def close(self) -> None:
        """Finish what waits."""
        while self._busy:  # a text that has been read has still to be scored
            await asyncio.sleep(0.005)
        await self.encoding.close()
        await self.scoring.close()
        self._slow.shutdown(wait=False)
        self.monitor.artefacts.remove(self.name, self.artefact.digest[:16])

    def _score(self, jobs: list[Any]) -> Sequence[Any]:
        """Questions together; changes of the catalogue one by one after them."""
        out: list[Any] = [None] * len(jobs)
        asks = [(at, job) for at, job in enumerate(jobs) if isinstance(job, Ask)]
        try:
            answers: Sequence[Any] = self.engine.answer([ask for _, ask in asks])
        except Exception:  # one bad question must not spoil the others' answers
            answers = [_alone(self.engine.answer, ask) for _, ask in asks]
        for (at, _), answer in zip(asks, answers):
            out[at] = answer
        for at, job in enumerate(jobs):
            if not isinstance(job, Ask):
                out[at] = _tried(job)
        return out

    def _encode(self, texts: list[str]) -> Sequence[np.ndarray]:
        assert self.artefact.encoder is not None
        vectors, counts = self.artefact.encoder.encode_counted(texts)
        self.monitor.tokens.inc(float(counts[:, 0].sum()))
        self.monitor.unknown.inc(float(counts[:, 1].sum()))
        return list(vectors)

    def _told(self, stage: str) -> Callable[[int, float], None]:
        seconds, batch = self.monitor.seconds.labels(stage), self.monitor.batch.labels(stage)

        def told(jobs: int, taken: float) -> None:
            seconds.observe(taken)
            batch.observe(jobs)

        return told


def _alone(answer: Callable[[list[Ask]], list[Listed]], ask: Ask) -> Any:
    return _tried(lambda: answer([ask])[0])


def _tried(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:
        return error


class Lives:
    """The artefacts that answer, by name; the first is the default.

    Parameters
    ----------
    folders : sequence of Path
    open_live : callable
        From an artefact to a :class:`Live`.
    trust : bool
    late : bool
        Whether encoders may be read later. That of an artefact that comes while serving is read before it answers.
    checks : mapping of Path to Future, optional
        Folders that are being checked already.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        open_live: Callable[[Artefact], Live],
        monitor: Monitor,
        trust: bool = False,
        late: bool = False,
        checks: Checks | None = None,
    ) -> None:
        self._folders, self._open, self._trust = list(folders), open_live, trust
        self._monitor = monitor
        self._refused: dict[Path, str] = {}
        self._reloading = asyncio.Lock()
        self.by_name: dict[str, Live] = {}
        for folder in folders:
            head = checks[folder].result() if checks else None
            live = open_live(open_artefact(folder, trust, head=head, late=late))
            if live.name in self.by_name:
                raise InputError(
                    f"two artefacts are called '{live.name}'",
                    file=str(folder),
                    mend="export one with another --name",
                )
            self.by_name[live.name] = live
        self._of_folder = dict(zip(self._folders, self.by_name.values()))

    def get(self, name: str | None) -> Live | None:
        """The artefact of a name; of None the first."""
        if name is None:
            return next(iter(self.by_name.values()))
        return self.by_name.get(name)

    async def change(self, name: str, act: Callable[[Live], Awaitable[Any]]) -> Any:
        """Change the artefact that answers under a name, also where it is swapped meanwhile."""
        while True:
            try:
                return await act(self.by_name[name])
            except Retired:
                continue

    async def reload(self) -> list[str]:
        """Take up artefacts that have changed in their folders; returns what happened, a line each.

        A faulty folder changes nothing: the artefact that answers goes on.
        """
        said = []
        async with self._reloading:
            for folder in self._folders:
                old = self._of_folder[folder]
                try:
                    async with old.changing:  # an item that is added meanwhile must not be lost
                        new = await self._changed(folder, old)
                        if new is None:
                            continue
                        self.by_name[old.name] = self._of_folder[folder] = new
                        old.retired = True
                except InputError as error:
                    if self._refused.get(folder) != str(error):
                        log.error("kept the earlier artefact: %s", error)
                        self._monitor.reloads.labels("refused").inc()
                    self._refused[folder] = str(error)
                    said.append(str(error))
                    continue
                self._refused.pop(folder, None)
                self._monitor.reloads.labels("taken").inc()
                log.info("'%s' answers from artefact %s", new.name, new.artefact.digest[:16])
                said.append(f"{new.name}: {new.artefact.digest[:16]}")
                await old.close()
        return said

    async def _changed(self, folder: Path, old: Live) -> Live | None:
        """What the folder holds now, opened; None where nothing has changed."""
        head = await asyncio.to_thread(manifest.read, folder)
        if head["digest"] == old.artefact.digest:
            return None
        artefact = await asyncio.to_thread(open_artefact, folder, self._trust)
        if artefact.name != old.name:
            raise InputError(f"it is called '{artefact.name}', not '{old.name}'", file=str(folder))
        return await asyncio.to_thread(self._open, artefact)

    async def close(self) -> None:
        """Finish what waits."""
        for live in self.by_name.values():
            await live.close()
