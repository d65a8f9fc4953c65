"""One HTML file about one run: figures inline, nothing fetched, fit to be printed."""

from tlm_analysis.report.page import report_html

__all__ = ["report_html"]
