//! Frame to tensors to faces and subjects: pre-processing, inference, decoding, tracking, fusion.
