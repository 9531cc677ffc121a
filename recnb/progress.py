"""How far a long step is, and what is to be known before it starts: heard from any depth by whoever listens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# (what, done, all): all in the same unit
Progress = Callable[[str, int, int], None]
Said = Callable[[str], None]
# (epoch, counted from 0, its value on the validation part, higher is better)
Reached = Callable[[int, float], None]

LONG = 10.0  # seconds from which a step's time is said before it starts
log = logging.getLogger(__name__)
_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)
_said: ContextVar[Said | None] = ContextVar("said", default=None)
_reached: ContextVar[Reached | None] = ContextVar("reached", default=None)


@contextmanager
def listening(
    progress: Progress | None = None, said: Said | None = None, reached: Reached | None = None
) -> Iterator[None]:
    """Hear what the steps inside tell; a listener that is not given stays who it was.

    A model has no argument for this, and is asked from many places: its words reach whoever runs it.

    Parameters
    ----------
    progress : callable (what, done, all), optional
    said : callable (line), optional
    reached : callable (epoch, value), optional
        It may raise, to end a training that is not worth going on with.

    Examples
    --------
    >>> heard = []
    >>> with listening(said=heard.append):
    ...     note("about 3 minutes")
    >>> heard
    ['about 3 minutes']
    """
    heard: list[tuple[ContextVar[Any], Any]] = [
        (_progress, progress),
        (_said, said),
        (_reached, reached),
    ]
    tokens = [(variable, variable.set(by)) for variable, by in heard if by is not None]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)  # type: ignore[arg-type]


def tell(what: str, done: int, total: int) -> None:
    """How far a step is, to whoever listens."""
    listener = _progress.get()
    if listener is not None:
        listener(what, done, total)


def reach(epoch: int, value: float) -> None:
    """What a training has reached on the validation part after an epoch, to whoever listens."""
    listener = _reached.get()
    if listener is not None:
        listener(epoch, value)


def note(line: str) -> None:
    """One line to be known before a step starts; logged where nobody listens."""
    listener = _said.get()
    if listener is not None:
        listener(line)
    else:
        log.info(line)


def say_time(what: str, seconds: float) -> None:
    """Note what is about to be done and how long it will take, where that is :data:`LONG` or more.

    Examples
    --------
    >>> heard = []
    >>> with listening(said=heard.append):
    ...     say_time("40 pairs to judge", 9.0)
    ...     say_time("4,000 pairs to judge", 900.0)
    >>> heard
    ['4,000 pairs to judge, about 15 minutes']
    """
    if seconds >= LONG:
        note(f"{what}, about {duration(seconds)}")


def duration(seconds: float) -> str:
    """A time that was estimated, in words.

    Examples
    --------
    >>> duration(0.4), duration(42), duration(400), duration(9000)
    ('less than a second', '42 seconds', '7 minutes', '2.5 hours')
    """
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        return f"{seconds:.0f} seconds" if round(seconds) > 1 else "1 second"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
