"""Figures of one run, written as PNG and SVG into its ``plots`` folder."""

from analysis.plots.run import plot_run

__all__ = ["plot_run"]
