"""The GPU baseline: one training step of a job, kernel by kernel, by roofline."""

from analysis.gpu.baseline import GpuBaseline, baseline

__all__ = ["GpuBaseline", "baseline"]
