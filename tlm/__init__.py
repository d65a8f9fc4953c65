"""tlm: a transaction-level simulator of multi-core neuromorphic training chips.

``tlm.run("mnist-csnn")`` simulates a job, ``tlm.open_run("runs/...")`` opens what a run left; both
give a :class:`Run`. The model is loaded on first use: ``import tlm`` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tlm.version import __version__

if TYPE_CHECKING:
    from tlm.notebook import Run, open_run, run

__all__ = ["Run", "__version__", "open_run", "run"]

if not TYPE_CHECKING:  # a type checker would take any name for one that this finds

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'tlm' has no attribute {name!r}")
        return getattr(import_module("tlm.notebook"), name)
