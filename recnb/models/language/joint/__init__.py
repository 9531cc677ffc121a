"""An encoder that reads a history and candidates together: what the pair model and the tagger share."""
