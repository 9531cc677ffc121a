"""What stops a fetch that is nobody's wrong input: the network, the server, the disk."""

from __future__ import annotations


class FetchError(RuntimeError):
    """A fetch failed and may be tried again. The command line prints it as one line and exits with code 1.

    Parameters
    ----------
    problem : str
        What happened, naming the address or file.
    mend : str
        What to do about it.

    Examples
    --------
    >>> str(FetchError("example.org does not answer", "run it again to go on"))
    'example.org does not answer; run it again to go on'
    """

    def __init__(self, problem: str, mend: str) -> None:
        self.problem, self.mend = problem, mend
        super().__init__(" ".join(f"{problem}; {mend}".split()))
