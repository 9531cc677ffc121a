"""A table of assignments and outcomes, checked: who was in which arm, and what followed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.data.door import read_table
from recnb.effect.experiment import table_checks as checks
from recnb.errors import InputError

Floats = np.ndarray
DAY = 86_400


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment, users as the units.

    Attributes
    ----------
    user_ids : ndarray of str, shape (n_users,)
    arm : ndarray of shape (n_users,), int
        Code of the arm of each user.
    arms : tuple of str
        Their names, the control first.
    outcomes : dict of str to ndarray of shape (n_users,)
        Sum of each metric over a user's rows.
    before : dict of str to ndarray of shape (n_users,)
        The same metric before the assignment, where it is given (`before_METRIC`).
    daily : DataFrame or None
        Where there are times, or else assignments: `user` (code), `day` (from 0) and the metrics, a row for each user
        and day with one.
    first_day : ndarray of shape (n_users,), int
        The day from which a user counts: that of the assignment, or of the first row; 0 without times.
        With an `assigned_at` and no `timestamp` an outcome is complete and counts on the day of the assignment.
    name : str
    notes : tuple of str
    """

    user_ids: np.ndarray
    arm: np.ndarray
    arms: tuple[str, ...]
    outcomes: dict[str, Floats]
    before: dict[str, Floats]
    daily: pd.DataFrame | None
    first_day: np.ndarray
    name: str = "experiment"
    notes: tuple[str, ...] = ()

    @property
    def n_users(self) -> int:
        """Users in all arms."""
        return len(self.user_ids)

    @property
    def n_days(self) -> int:
        """Days with rows; 1 without times."""
        return 1 if self.daily is None else int(self.daily["day"].max()) + 1

    def counts(self) -> np.ndarray:
        """Users of each arm, shape (n_arms,)."""
        return np.bincount(self.arm, minlength=len(self.arms))

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        control: str | None = None,
        name: str = "experiment",
        file: str = "experiment",
    ) -> Experiment:
        """Check a table and make an experiment of it.

        Parameters
        ----------
        frame : DataFrame
            `user_id`, `arm`, and a column of numbers for each metric; one row a user, or several with a `timestamp`,
            whose metrics are added up. `assigned_at` and `before_METRIC` are used where they are there.
        control : str, optional
            Name of the control arm; None: the one called control, a, off or 0, else the first in alphabetical order.
        name, file : str

        Raises
        ------
        InputError
            A column is missing, a user is in two arms or stands twice without a time, something followed before the
            assignment, there is one arm, a metric does not vary, or a cell has no meaning.

        Examples
        --------
        >>> e = Experiment.from_frame(pd.DataFrame({"user_id": list("uvwx"), "arm": list("abab"),
        ...                                         "clicks": [1, 2, 0, 4]}))
        >>> e.arms, e.counts().tolist(), e.outcomes["clicks"].tolist()
        (('a', 'b'), [2, 2], [1.0, 2.0, 0.0, 4.0])
        """
        frame, notes = checks.renamed(frame)
        cells.require(frame, ("user_id", "arm"), file)
        users = cells.distinct(cells.ids(frame["user_id"], file, "user_id"), file, "user_id")
        arm = cells.ids(frame["arm"], file, "arm").str.strip()
        names = checks.arms(arm, control, file)
        checks.one_arm_each(users, arm, file)
        metrics, before, said = checks.numbers(frame, file)
        times, assigned = checks.moments(frame, users, file)
        code, ids = pd.factorize(users, sort=True)
        if times is None and len(ids) < len(users):
            again = users.duplicated().to_numpy()
            raise InputError(
                f"user '{users[again].iloc[0]}' stands twice ({again.sum():,} such rows)",
                file=file,
                column="user_id",
                row=int(again.argmax()) + 1,
                mend="give one row a user, or a column 'timestamp'",
            )
        n = len(ids)
        first = np.zeros(n, np.int64)
        first[code] = np.arange(len(code))
        own_arm = pd.Index(names).get_indexer(pd.Index(arm.iloc[first]))
        outcomes = {m: np.bincount(code, values, n) for m, values in metrics.items()}
        checks.varied(outcomes, own_arm, names, file)
        earlier = {m: checks.of_user(values, code, n, m, file) for m, values in before.items()}
        daily, first_day = _by_day(code, n, metrics, assigned if times is None else times, assigned)
        return cls(
            np.asarray(ids, dtype=object), own_arm, names, outcomes, earlier, daily, first_day, name, (*notes, *said)
        )  # fmt: skip


def _by_day(
    code: np.ndarray,
    n: int,
    metrics: dict[str, Floats],
    times: np.ndarray | None,
    assigned: np.ndarray | None,
) -> tuple[pd.DataFrame | None, np.ndarray]:
    if times is None:
        return None, np.zeros(n, np.int64)
    start = times.min() if assigned is None else min(times.min(), assigned.min())
    midnight = start // DAY * DAY
    rows = pd.DataFrame(
        {"user": code, "day": ((times - midnight) // DAY).astype(np.int64), **metrics}
    )
    came = ((times if assigned is None else assigned) - midnight) // DAY
    first = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(first, code, came.astype(np.int64))
    return rows.groupby(["user", "day"], as_index=False).sum(), first


def read_experiment(path: str | Path, control: str | None = None) -> Experiment:
    """Read a table of assignments and outcomes: parquet, csv, tsv, JSON lines, packed or not.

    Raises
    ------
    InputError
        As :meth:`Experiment.from_frame`, or the file is missing or broken.
    """
    name = Path(path).name.partition(".")[0] or "experiment"
    frame = read_table(path)
    try:
        return Experiment.from_frame(frame, control, name, str(path))
    except InputError as error:
        if error.row is None or not _a_line_a_row(Path(path), len(frame)):
            raise
        raise InputError(
            error.problem,
            file=error.file,
            column=error.column,
            line=error.row + 1,
            mend=error.mend,
        ) from None


def _a_line_a_row(path: Path, n_rows: int) -> bool:
    """Whether a file is a header and one line for each row, so that an editor shows row 6 as line 7."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return False
    with path.open("rb") as file:
        return sum(1 for _ in file) == n_rows + 1
