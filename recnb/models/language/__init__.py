"""Language models that judge: a decoder is told a history and asked about candidates."""
