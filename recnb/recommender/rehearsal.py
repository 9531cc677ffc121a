"""What a model that judges pairs will cost, measured on a few of them before the work starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds that a user takes, and that each candidate takes.

    Examples
    --------
    >>> Pace.of([(8, 1.8), (32, 4.2)]).seconds(100)
    11.0
    """

    user: float
    candidate: float

    @classmethod
    def of(cls, times: list[tuple[int, float]]) -> Pace:
        """From two measurements (candidates, seconds); what they share is the user's."""
        (few, first), (many, second) = times
        each = max(second - first, 0.0) / (many - few) if many > few else 0.0
        if not each:
            each = second / max(many, 1)
        return cls(max(first - few * each, 0.0), each)

    def seconds(self, candidates: float) -> float:
        """Of one user with so many candidates."""
        return round(self.user + candidates * self.candidate, 9)


@dataclass(frozen=True)
class Rehearsal:
    """What fitting a model takes at most, part by part, and how fast it judges.

    Parameters
    ----------
    parts : tuple of (str, float)
        What is done, and its seconds, in all that fitting is: on the training part with `valid`, and again on all that
        is known.
    pace : Pace
    """

    parts: tuple[tuple[str, float], ...]
    pace: Pace

    @property
    def seconds(self) -> float:
        """Of all parts."""
        return sum(seconds for _, seconds in self.parts)
