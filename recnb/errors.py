"""What ends a command in one line: wrong input with its place and mend, or a fetch that failed."""

from __future__ import annotations


class InputError(ValueError):
    """Input that recnb cannot use. The command line prints it as one line and exits with code 2.

    Parameters
    ----------
    problem : str
        What is wrong, naming the value that arrived.
    file, column : str, optional
        Where it stands.
    row : int, optional
        The first row concerned, counted from 1 without the header.
    line : int, optional
        The line of a text file instead, as an editor counts, the header included.
    mend : str, optional
        What to do about it.

    Examples
    --------
    >>> str(InputError("rating 'high' is no number", file="a.csv", column="rating", row=3,
    ...                mend="write a number"))
    "a.csv, column 'rating', row 3: rating 'high' is no number; write a number"
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        column: str | None = None,
        row: int | None = None,
        line: int | None = None,
        mend: str | None = None,
    ) -> None:
        self.problem, self.file, self.column, self.row, self.mend = problem, file, column, row, mend
        self.line = line
        place = [str(file)] if file else []
        if column:
            place.append(f"column '{column}'")
        if row is not None:
            place.append(f"row {row}")
        if line is not None:
            place.append(f"line {line}")
        told = (", ".join(place) + ": " if place else "") + problem + (f"; {mend}" if mend else "")
        super().__init__(" ".join(told.split()))


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
