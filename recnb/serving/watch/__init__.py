"""What a service tells of itself: metrics, drift against the training data, recall on a sample, alert rules."""
