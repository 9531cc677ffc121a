"""The site, and the findings of the README: made from `results/*.json` and from the code; nothing is copied by hand."""
