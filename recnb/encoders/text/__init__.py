"""Text encoders: pooled states, their cache, single layers."""
