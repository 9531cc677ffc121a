"""What a step costs: seconds and memory."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import psutil


class Meter:
    """Measure wall time and the rise of the process's memory while a block runs.

    Attributes
    ----------
    seconds : float
    peak_mb : float
        Highest resident memory during the block less that at its start, sampled every 5 ms, in MiB. Memory that the
        process already held and reused does not show.

    Examples
    --------
    >>> with Meter() as meter:
    ...     _ = sum(range(1000))
    >>> meter.seconds > 0 and meter.peak_mb >= 0
    True
    """

    seconds = 0.0
    peak_mb = 0.0

    def __enter__(self) -> Meter:
        self._process = psutil.Process()
        self._base = self._peak = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        self._start = time.perf_counter()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        self._thread.join()
        self._peak = max(self._peak, self._process.memory_info().rss)
        self.peak_mb = (self._peak - self._base) / 2**20
