"""One function per figure that is used twice: data in, axes out; nothing is shown or saved here."""

from __future__ import annotations

from recnb.plots.costs import plot_costs
from recnb.plots.data import plot_activity, plot_long_tail, plot_ratings, plot_timeline
from recnb.plots.differences import plot_differences
from recnb.plots.drawings import (
    draw_attentions,
    draw_clocks,
    draw_fusions,
    draw_padding,
    draw_stand_in,
    draw_two_tower,
)
from recnb.plots.effect import (
    plot_curves,
    plot_estimates,
    plot_forest,
    plot_frontiers,
    plot_looks,
    plot_ratios,
)
from recnb.plots.groups import plot_group_differences, plot_groups
from recnb.plots.learning import plot_learning
from recnb.plots.lessons.candidates import plot_candidates, plot_negatives
from recnb.plots.lessons.costs import plot_memory, plot_work
from recnb.plots.lessons.fusion import plot_gains, plot_ladder, plot_missing
from recnb.plots.lessons.habits import plot_chance, plot_features, plot_means
from recnb.plots.lessons.media import plot_pictures, plot_recovered, plot_spectrograms
from recnb.plots.lessons.protocol import plot_cuts, plot_protocol
from recnb.plots.lessons.rates import plot_range_test, plot_rates, plot_schedules
from recnb.plots.lessons.studies import plot_studies, plot_width
from recnb.plots.lessons.vectors import plot_map, plot_shares
from recnb.plots.palette import Style, style
from recnb.plots.tuning import plot_by_parameters, plot_lora, plot_spectra
from recnb.plots.values import plot_values

__all__ = [
    "Style",
    "draw_attentions",
    "draw_clocks",
    "draw_fusions",
    "draw_padding",
    "draw_stand_in",
    "draw_two_tower",
    "plot_activity",
    "plot_by_parameters",
    "plot_candidates",
    "plot_chance",
    "plot_costs",
    "plot_curves",
    "plot_cuts",
    "plot_differences",
    "plot_estimates",
    "plot_features",
    "plot_forest",
    "plot_frontiers",
    "plot_gains",
    "plot_group_differences",
    "plot_groups",
    "plot_ladder",
    "plot_learning",
    "plot_long_tail",
    "plot_looks",
    "plot_lora",
    "plot_map",
    "plot_means",
    "plot_memory",
    "plot_missing",
    "plot_negatives",
    "plot_pictures",
    "plot_protocol",
    "plot_range_test",
    "plot_rates",
    "plot_ratings",
    "plot_ratios",
    "plot_recovered",
    "plot_schedules",
    "plot_shares",
    "plot_spectra",
    "plot_spectrograms",
    "plot_studies",
    "plot_timeline",
    "plot_values",
    "plot_width",
    "plot_work",
    "style",
]
