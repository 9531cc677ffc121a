"""Work of many requests done together on one thread, behind a queue that refuses what it cannot do in time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Busy(Exception):
    """The queue is full.

    Attributes
    ----------
    after : float
        Seconds after which a place should be free.
    """

    def __init__(self, after: float) -> None:
        super().__init__(f"busy, try again in {after:.1f} s")
        self.after = after


class Batcher:
    """Jobs from the event loop, done in batches on a thread of their own.

    While a batch is at work the next one gathers: nothing waits for company when the thread is idle, and under load
    batches grow by themselves.

    Parameters
    ----------
    work : callable
        Takes a list of jobs, returns their results in order. An exception among the results is raised for its job
        alone; one that it raises is raised for all.
    most : int
        Jobs in a batch.
    queue : int
        Jobs that may wait; the next one is refused with :class:`Busy`.
    told : callable, optional
        Called with (jobs, seconds) after each batch.
    """

    def __init__(
        self,
        work: Callable[[list[Any]], Sequence[Any]],
        most: int = 32,
        queue: int = 256,
        told: Callable[[int, float], None] | None = None,
        name: str = "work",
    ) -> None:
        self._work, self._most, self._bound, self._told = work, most, queue, told
        self._jobs: deque[tuple[Any, asyncio.Future[Any]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._task: asyncio.Task[None] | None = None
        self._seconds_a_job = 0.001

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._jobs)

    async def do(self, job: Any) -> Any:
        """The result of a job.

        Raises
        ------
        Busy
            Too many wait already.
        """
        if len(self._jobs) >= self._bound:
            raise Busy(max(0.1, self._seconds_a_job * len(self._jobs)))
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        self._jobs.append((job, result))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return await result

    async def close(self) -> None:
        """Finish what waits, then end the thread."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._jobs:
            batch: list[tuple[Any, asyncio.Future[Any]]] = []
            while self._jobs and len(batch) < self._most:
                job, result = self._jobs.popleft()
                if not result.done():  # its request has given up
                    batch.append((job, result))
            if not batch:
                continue
            start = time.perf_counter()
            try:
                results = await loop.run_in_executor(
                    self._thread, self._work, [job for job, _ in batch]
                )
            except Exception as error:
                results = [error] * len(batch)
            seconds = time.perf_counter() - start
            self._seconds_a_job += 0.1 * (seconds / len(batch) - self._seconds_a_job)
            if self._told is not None:
                self._told(len(batch), seconds)
            for (_, result), value in zip(batch, results):
                if result.done():
                    continue
                if isinstance(value, Exception):
                    result.set_exception(value)
                else:
                    result.set_result(value)
