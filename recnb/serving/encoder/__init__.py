"""Text encoders as ONNX: read, written smaller, taught with fewer layers."""
