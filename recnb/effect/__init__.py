"""Effect: what a policy would have earned, what an experiment showed, whom showing an item changes.

The floor stands on `metrics`, `data`, `world` and `recommender`, and knows no model: a policy is made from any
:class:`recnb.Recommender`, from lists, or from a table of probabilities.
"""
