"""Settings of what is done against overfitting."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from recnb.errors import InputError
from recnb.training.settings import check_whole

ADVERSARIAL = ("none", "fgm", "pgd")
AVERAGES = ("none", "ema", "swa")


@dataclass(frozen=True)
class Regularisation:
    """What is done against overfitting; the defaults do nothing.

    Parameters
    ----------
    word_dropout : float
        Share of the words that the language model does not see in a step: their ids are the mask's.
    synonyms : float
        Share of the words that give way to one of their nearest in the vocabulary.
    back_translation : str, optional
        ``"THERE,BACK"``, folders or hub names of two seq2seq models: texts are also read as they come back from another
        language (Sennrich et al. 2016, section 3), see :class:`recnb.encoders.text.translation.BackTranslation`.
    n_views : int
        Where the language model is frozen, its words are changed once: so many readings of each text with other words
        are kept, and a step draws one of them or the text as it is.
    adversarial : {"none", "fgm", "pgd"}
        The loss is also taken at the worst nearby vectors, of the words or, where these are read once, of what is kept
        of them: one step along the gradient (Miyato et al. 2017,
        equation 5), or `pgd_steps` of them, each put back into the ball (Madry et al. 2018, section 2.1).
    epsilon : float
        Radius of that ball, as a share of the norm of a text's word vectors.
    pgd_steps : int
    r_drop : float
        Weight of the symmetric divergence between two passes with other dropout (Wu et al. 2021, equation 3).
    label_smoothing : float
        Share of the label that is spread evenly over the classes (Szegedy et al. 2016, section 7).
    average : {"none", "ema", "swa"}
        What is validated and kept: the weights, their exponential moving average, or their plain mean over the
        steps after `swa_start` (Izmailov et al. 2018).
    average_decay : float
        Of the exponential average, a step.
    swa_start : int
        Steps before the plain mean begins.

    Raises
    ------
    InputError
        A setting out of its range.
    """

    word_dropout: float = 0.0
    synonyms: float = 0.0
    back_translation: str | None = None
    n_views: int = 4
    adversarial: str = "none"
    epsilon: float = 0.1
    pgd_steps: int = 3
    r_drop: float = 0.0
    label_smoothing: float = 0.0
    average: str = "none"
    average_decay: float = 0.99
    swa_start: int = 0

    def __post_init__(self) -> None:
        for name in ("word_dropout", "synonyms", "label_smoothing", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)!r}", mend="at least 0 and below 1")
        for name in ("epsilon", "r_drop"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name}={getattr(self, name)!r}", mend="at least 0")
        for name, least in (("pgd_steps", 1), ("n_views", 1), ("swa_start", 0)):
            check_whole(getattr(self, name), name, least)
        for name, known in (("adversarial", ADVERSARIAL), ("average", AVERAGES)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name}={getattr(self, name)!r}", mend=f"one of {', '.join(known)}"
                )
        if self.back_translation is not None and self.back_translation.count(",") != 1:
            raise InputError(
                f"back_translation={self.back_translation!r}",
                mend="two models joined by a comma: 'THERE,BACK'",
            )

    def check(self) -> None:
        """Done when they are made; the other groups of settings have it."""

    @property
    def changes_words(self) -> bool:
        return bool(self.word_dropout or self.synonyms)

    @property
    def changes_labels(self) -> bool:
        return bool(self.r_drop or self.label_smoothing)

    @property
    def has_views(self) -> bool:
        """Whether a frozen language model reads its texts with other words, too."""
        return self.changes_words or self.back_translation is not None

    @property
    def any(self) -> bool:
        """Whether anything is done at all."""
        noise = self.changes_words or self.changes_labels
        return noise or self.adversarial != "none" or self.average != "none"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return asdict(self)
