"""What a long step looks like: a spinner with the elapsed time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# no markup: names of models have brackets
console = Console(stderr=True, highlight=False, markup=False)


class Steps:
    """A progress callback `(what, done, all)` for a block of work.

    Examples
    --------
    >>> with Steps() as steps:  # doctest: +SKIP
    ...     steps("ease", 0, 3)
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet, self.last, self.since = quiet, "", time.perf_counter()
        self.bar: Progress | None = None

    def __enter__(self) -> Steps:
        if not self.quiet and sys.stderr.isatty():
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(24),
                TimeElapsedColumn(),
            )
            self.bar = Progress(*columns, console=console, transient=True)
            self.bar.start()
            self.task = self.bar.add_task("starting", total=None)
        return self

    def __call__(self, what: str, done: int, total: int) -> None:
        if self.bar is not None:
            self.bar.update(self.task, description=what, completed=done, total=total)
        elif not self.quiet and what != self.last:
            seconds = time.perf_counter() - self.since
            print(f"[{seconds:6.1f} s] {what} ({done + 1} of {total})", file=sys.stderr, flush=True)
        self.last = what

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
