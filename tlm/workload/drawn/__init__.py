"""Masks without a recording: drawn by rule, or made like those of a recorded job."""
