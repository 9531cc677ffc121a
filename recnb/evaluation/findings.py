"""One form for everything the audit says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One record of audit.json.

    Parameters
    ----------
    code : str
        A name of :data:`recnb.evaluation.audit.CHECKS`.
    severity : {"error", "warning", "note"}
        *error*: the numbers mean something else than they say; *warning*: they flatter or mislead; *note*: to be
        known when reading them.
    value : float
        The measured size of it.
    n : int
        How many rows, users or items it concerns.
    evidence, mend : str
        What was seen, with numbers, and what to do.

    Examples
    --------
    >>> Finding("few_users", "warning", 40, 40, "only 40 users are judged", "take more data").to_dict()["value"]
    40.0
    """

    code: str
    severity: str
    value: float
    n: int
    evidence: str
    mend: str

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity '{self.severity}', expected one of {', '.join(SEVERITIES)}")
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "n", int(self.n))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return asdict(self)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, then warnings, then notes; the same finding once."""
    once = {(f.code, f.evidence): f for f in findings}
    return sorted(once.values(), key=lambda f: SEVERITIES.index(f.severity))
