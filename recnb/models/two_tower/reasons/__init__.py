"""What a two tower says of its own scores: what it knows a user by, and which words moved a score."""
