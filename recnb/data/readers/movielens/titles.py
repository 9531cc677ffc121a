"""What the MovieLens releases share: titles that end in a year, genres between bars."""

from __future__ import annotations

import pandas as pd

NO_GENRE = {"", "unknown", "(no genres listed)"}


def titles(series: pd.Series) -> pd.DataFrame:
    """Titles without their year, and the year.

    Examples
    --------
    >>> titles(pd.Series(["Toy Story (1995)", "unknown", "Fargo (TV) (2014-)"])).values.tolist()
    [['Toy Story', 1995], ['unknown', <NA>], ['Fargo (TV)', 2014]]
    """
    text = series.str.strip()
    found = text.str.extract(r"^(?P<title>.*?)\s*\((?P<year>\d{4})(?:[-–]\s*(?:\d{4})?)?\)$")
    return pd.DataFrame(
        {
            "title": found["title"].where(found["year"].notna(), text),
            "year": pd.to_numeric(found["year"]).astype("Int64"),
        }
    )


def genres(series: pd.Series) -> pd.Series:
    """Genres between bars as one text.

    Examples
    --------
    >>> genres(pd.Series(["Action|Sci-Fi", "(no genres listed)"])).tolist()
    ['Action, Sci-Fi', '']
    """
    return series.map(lambda cell: ", ".join(g for g in cell.split("|") if g not in NO_GENRE))
