"""Runs in Python and in notebooks: ``tlm.run``, ``tlm.open_run`` and the ``Run`` they give."""

from tlm.notebook.finished import Run, open_run, run

__all__ = ["Run", "open_run", "run"]
