"""One form for everything the audit says."""

from __future__ import annotations

from typing import Any

SEVERITIES = ("error", "warning", "note")


def finding(
    code: str, severity: str, value: float, n: int, evidence: str, mend: str
) -> dict[str, Any]:
    """One record of audit.json.

    Parameters
    ----------
    code : str
        A name of :data:`recnb.evaluation.audit.CHECKS`.
    severity : {"error", "warning", "note"}
    value : float
        The measured size of it.
    n : int
        How many rows, users or items it concerns.
    evidence, mend : str
        What was seen, with numbers, and what to do.
    """
    assert severity in SEVERITIES, severity
    return {
        "code": code,
        "severity": severity,
        "value": float(value),
        "n": int(n),
        "evidence": evidence,
        "mend": mend,
    }
