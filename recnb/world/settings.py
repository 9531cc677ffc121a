"""What can be set in a generated world, and what each of the five domains sets."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from recnb.errors import InputError

DAY = 86_400


@dataclass(frozen=True)
class WorldSettings:
    """The knobs of the generated world. All probabilities that follow from them are known.

    Parameters
    ----------
    text_strength : float in [0, 1]
        Share of the variance of taste that the text of an item carries. The rest sits in traits
        that no word tells: half in the style of the creator, half in the item itself.
    drift : float in [0, 1]
        How far tastes turn over the whole period, in right angles: 0 never, 1 to an unrelated taste.
    exposure_bias : float >= 0
        Weight of the appeal of an item (what is talked about) in what is shown and found.
    personalisation : float >= 0
        Weight of the logging system's own blurred guess of taste in what it shows.
    exploration : float in (0, 1]
        Share of the shown cards drawn evenly from the shelf: every propensity stays above zero.
    choosiness : float >= 0
        Weight of taste in what users find by themselves.
    quality : float >= 0
        Standard deviation of what everybody agrees on, in units of the taste's.
    community_share : float in [0, 1]
        Share of the variance of taste common to a community of users. Friends are mostly of one.
    habit : float >= 0
        Standard deviation of the log of a pair's own rate of return (repeat domains only).
    visits, cards, found : float, int, float
        Median visits of a user over the whole period; cards shown in a visit; mean number of items
        that a user finds alone in a visit.
    activity_spread : float >= 0
        Standard deviation of the log of user activity.
    new_share, cold_share, late_users : float in [0, 1]
        Share of items published during the period; of items published in its last fiftieth, so
        with hardly any interaction; of users who join during the period.
    half_life : float or None
        Days in which the interest in an item halves after publication; None: never.
    repeats : bool
        Whether a pair can come back.
    days, periods : int
        Length of the world, and the number of equal steps in which tastes and policy move.
    events : (str or None, str or None)
        Names of the rows written for a click and for a conversion; None writes no such row.
    feedback : str, scale : (float, float) or None
        As a `Dataset` declares them.
    """

    text_strength: float = 0.8
    drift: float = 0.35
    exposure_bias: float = 0.6
    personalisation: float = 0.7
    exploration: float = 0.15
    choosiness: float = 2.4
    quality: float = 0.4
    community_share: float = 0.5
    habit: float = 0.0
    visits: float = 18.0
    cards: int = 6
    found: float = 4.2
    activity_spread: float = 0.9
    new_share: float = 0.25
    cold_share: float = 0.06
    late_users: float = 0.25
    half_life: float | None = None
    repeats: bool = False
    days: int = 360
    periods: int = 12
    events: tuple[str | None, str | None] = (None, "watch")
    feedback: str = "implicit"
    scale: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        shares = ("text_strength", "drift", "exploration", "community_share")
        for name in (*shares, "new_share", "cold_share", "late_users"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} = {value} is no share", mend="choose it between 0 and 1")
        if self.new_share + self.cold_share > 1:
            raise InputError(
                f"new_share + cold_share = {self.new_share + self.cold_share} exceeds 1",
                mend="lower one of them",
            )
        for name in ("exposure_bias", "personalisation", "choosiness", "quality", "habit"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} = {getattr(self, name)}", mend="choose 0 or more")
        for name in ("exploration", "visits", "cards", "found", "days", "periods"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name)}", mend="choose more than 0")


DOMAINS: dict[str, WorldSettings] = {
    "video": WorldSettings(feedback="explicit", scale=(1.0, 5.0)),
    "shop": WorldSettings(events=("view", "buy"), repeats=True, habit=1.0, drift=0.25, found=1.4),
    "news": WorldSettings(
        events=("click", None),
        half_life=1.5,
        days=28,
        periods=28,
        new_share=0.9,
        late_users=0.1,
        visits=16.0,
        found=2.4,
        drift=0.15,
        choosiness=1.6,
    ),
    "social": WorldSettings(
        events=("like", "follow"), community_share=0.7, days=180, drift=0.25, found=2.0
    ),
    "music": WorldSettings(
        events=(None, "play"),
        repeats=True,
        habit=1.2,
        feedback="count",
        visits=20.0,
        found=3.0,
        text_strength=0.55,
    ),
}


def settings_for(domain: str, **changes: Any) -> WorldSettings:
    """Return the settings of a domain with some of them changed.

    Raises
    ------
    InputError
        If the domain or the name of a setting is unknown, or a value lies out of its range.

    Examples
    --------
    >>> settings_for("news", drift=0.0).half_life
    1.5
    """
    if domain not in DOMAINS:
        raise InputError(f"unknown domain {domain!r}", mend=f"choose one of {', '.join(DOMAINS)}")
    known = [f.name for f in fields(WorldSettings)]
    for name in changes:
        if name not in known:
            raise InputError(f"unknown setting {name!r}", mend=f"choose from {', '.join(known)}")
    return replace(DOMAINS[domain], **changes)
