"""Exact work from recorded tensors: what an engine array walks, skips and moves."""
