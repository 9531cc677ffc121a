"""Bandits: learners that choose what to show while they learn, judged by replay on random logs and in the world."""

from __future__ import annotations

from recnb.effect.bandit.learners import KINDS, LinearBandit
from recnb.effect.bandit.replay import Replayed, replay
from recnb.effect.bandit.slates import SlatePolicy
from recnb.effect.bandit.world import Lived, live_with

__all__ = ["KINDS", "LinearBandit", "Lived", "Replayed", "SlatePolicy", "live_with", "replay"]
