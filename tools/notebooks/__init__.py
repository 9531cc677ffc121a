"""How notebooks are checked and stored; not shipped with the package."""
