"""Language models that judge: a decoder is told a history and asked about candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

# Loaded at first use: torch only where something needs it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calibration": ["Calibration", "Platt"],
        "joint.words": ["tokens_of"],
        "prompt": ["Prompts"],
        "questions": ["Question", "from_later", "from_rows"],
        "sensitivity": ["Judged", "order", "position_bias", "wording"],
        "templates": ["Template", "open_template", "template_names"],
        "tuned.network": ["fit_answers", "with_network"],
        "tuned.recipe": ["Recipe"],
    },
)

if TYPE_CHECKING:
    from recnb.models.language.calibration import Calibration as Calibration
    from recnb.models.language.calibration import Platt as Platt
    from recnb.models.language.joint.words import tokens_of as tokens_of
    from recnb.models.language.prompt import Prompts as Prompts
    from recnb.models.language.questions import Question as Question
    from recnb.models.language.questions import from_later as from_later
    from recnb.models.language.questions import from_rows as from_rows
    from recnb.models.language.sensitivity import Judged as Judged
    from recnb.models.language.sensitivity import order as order
    from recnb.models.language.sensitivity import position_bias as position_bias
    from recnb.models.language.sensitivity import wording as wording
    from recnb.models.language.templates import Template as Template
    from recnb.models.language.templates import open_template as open_template
    from recnb.models.language.templates import template_names as template_names
    from recnb.models.language.tuned.network import fit_answers as fit_answers
    from recnb.models.language.tuned.network import with_network as with_network
    from recnb.models.language.tuned.recipe import Recipe as Recipe
