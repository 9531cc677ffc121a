"""What users do: features per user, profiles in words, meaning of review text, and personal data."""

from recnb.behaviour.features import behaviour
from recnb.behaviour.masking import find_personal, mask
from recnb.behaviour.mix import CATEGORY_COLUMNS, category_mix, drift, entropy, item_categories
from recnb.behaviour.profiles import Profile, profile
from recnb.behaviour.prototypes import INTENT, SENTIMENT, calibrate_margin, prototypes
from recnb.behaviour.pseudonyms import pseudonymise, pseudonymised
from recnb.behaviour.sessions import sessions

__all__ = [
    "CATEGORY_COLUMNS",
    "INTENT",
    "SENTIMENT",
    "Profile",
    "behaviour",
    "calibrate_margin",
    "category_mix",
    "drift",
    "entropy",
    "find_personal",
    "item_categories",
    "mask",
    "profile",
    "prototypes",
    "pseudonymise",
    "pseudonymised",
    "sessions",
]
