"""Models of who used what: popularity, neighbours, linear models, factorisation."""
