"""The GPU baseline: one training step of a job, modelled kernel by kernel."""

from analysis.gpu.baseline import GpuBaseline, baseline

__all__ = ["GpuBaseline", "baseline"]
