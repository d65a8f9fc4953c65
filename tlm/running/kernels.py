"""The choice of a kernel: the compiled one where it is there, else that of SimPy."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.compiled.sources import why_missing
from tlm.errors import ConfigError
from tlm.hardware.model import SIMPY, Model
from tlm.trace.rows import NewRows, RowList

KERNELS = ("simpy", "compiled")




@dataclass(frozen=True)
class Kernel:
    """A chip's classes, and what the rows of a trace's table are kept in."""

    model: Model
    rows: NewRows

    @property
    def name(self) -> str:
        """``simpy`` or ``compiled``."""
        return self.model.name


def kernel_of(name: str | None = None) -> Kernel:
    """A kernel by its name; the compiled one, where there is one, if None is named.

    Raises:
        ConfigError: there is no such kernel, or it has not been built.
    """
    if name is not None and name not in KERNELS:
        raise ConfigError(f"kernel: there is no {name!r}; give one of: {', '.join(KERNELS)}")
    missing = why_missing()
    if name == "simpy" or (name is None and missing is not None):
        return Kernel(SIMPY, RowList)
    if missing is not None:
        raise ConfigError(f"kernel: the compiled one is {missing}, or give --kernel simpy")
    from tlm.compiled.model import COMPILED
    from tlm.compiled.rows import RowBuffer

    return Kernel(COMPILED, RowBuffer)
