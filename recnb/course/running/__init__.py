"""Running notebooks: checked parameters, limits that hold, several at a time, a page of what came out."""
