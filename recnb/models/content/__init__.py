"""Content models: items as vectors of what they are, users as the mean of what they like."""
