"""The choice of a kernel: the compiled one where it is there, else that of SimPy."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.compiled.sources import why_missing
from tlm.errors import ConfigError
from tlm.hardware.model import SIMPY, ChipModel
from tlm.trace.writer import TraceWriter

KERNELS = ("simpy", "compiled")


@dataclass(frozen=True)
class SimulationKernel:
    """A chip's classes, and what writes the trace of its rows."""

    model: ChipModel
    writer: type[TraceWriter]

    @property
    def name(self) -> str:
        """``simpy`` or ``compiled``."""
        return self.model.name


def kernel_of(name: str | None = None) -> SimulationKernel:
    """A kernel by its name; the compiled one, where there is one, if None is named.

    Raises:
        ConfigError: there is no such kernel, or it has not been built.
    """
    if name is not None and name not in KERNELS:
        raise ConfigError(f"kernel: there is no {name!r}; give one of: {', '.join(KERNELS)}")
    missing = why_missing()
    if name == "simpy" or (name is None and missing is not None):
        return SimulationKernel(SIMPY, TraceWriter)
    if missing is not None:
        raise ConfigError(f"kernel: the compiled one is {missing}, or give --kernel simpy")
    from tlm.compiled.model import COMPILED
    from tlm.running.buffered_trace import BufferedTrace

    return SimulationKernel(COMPILED, BufferedTrace)
