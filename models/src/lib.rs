//! The model manifest, fetching, conversion to ONNX and verification.
