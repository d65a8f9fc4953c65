"""Figures of one run, written as PNG and SVG into its ``plots`` folder."""

from tlm_analysis.plots.canvas import png
from tlm_analysis.plots.run import plot_run, run_figures

__all__ = ["plot_run", "png", "run_figures"]
