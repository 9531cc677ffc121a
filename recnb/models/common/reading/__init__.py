"""Networks that read sequences of events: packing, batches, layers."""
