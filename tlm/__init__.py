"""tlm: a transaction-level simulator of multi-core neuromorphic training chips.

``tlm.run("mnist-csnn")`` simulates a job, ``tlm.open_run("runs/...")`` opens what a run left; both
give a :class:`Run`. The model is loaded on first use: ``import tlm`` itself costs nothing.

The rooms, in the order in which a job passes through them (see docs/architecture.md):

config, workload    a chip's description; a recorded job
space               the words that all following rooms share
counts              exact work on an engine's array
placement           where each slice of a layer runs
storage             what stays in which memory, and DRAM addresses
program             tiles: what every engine does, in order
kernel, hardware    simulated time; cores, network, DRAM
laws                what must hold in every run
trace               what a run leaves, and its readers
running, studies    one run; questions that take several
federated           several chips that train together
validation          our DRAM and network beside trusted simulators
cli, notebook       the two front ends
quantity_text       quantities as people read them
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

    def __dir__() -> list[str]:
        return __all__
