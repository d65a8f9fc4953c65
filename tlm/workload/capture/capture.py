"""Capture: record a network's training tensors round one forward and backward pass."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import (
    Boundary,
    BoundaryKind,
    Hooks,
    RecordedModule,
    check_unchanged,
)
from tlm.workload.capture.iteration import Iteration, assemble
from tlm.workload.capture.neurons import Declared, equation_of
from tlm.workload.capture.norms import check_norm_kind, is_norm
from tlm.workload.capture.topology import window_of
from tlm.workload.capture.verify import verify_iteration
from tlm.workload.file.writer import write_workload
from tlm.workload.model import Encoding, Level, Workload

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Capture:
    """Records iterations of training ``net`` over ``steps`` (T) time steps.

    Convolutions, linear layers and batch norms are found as modules, pools and residuals in the
    autograd graph. Neurons are those of SpikingJelly 2.x and snnTorch 1.x, modules that carry a
    ``neuron: tlm.workload.Neuron``, those whose class is in ``neurons``, and named taps.
    ``encoding`` None: it is read off the input; say "events" for events, which look like "rate".

    Raises WorkloadError for a neuron whose equation is not known, or a module with weights that
    is neither convolution, linear layer nor batch norm.
    """

    def __init__(
        self,
        net: Module,
        *,
        steps: int,
        neurons: Mapping[Any, Declared] | None = None,
        encoding: Encoding | None = None,
    ) -> None:
        if steps < 1:
            raise WorkloadError(f"steps: expected T, 1 or more, got {steps}")
        self._net = net
        self._steps = steps
        self._encoding = encoding
        declared = dict(neurons or {})
        self._taps = {
            name: equation for name, equation in declared.items() if isinstance(name, str)
        }
        self._modules = _recorded_modules(net, declared, steps)
        self._hooks: Hooks | None = None
        self._open_taps: dict[str, Boundary] = {}
        self._iterations: list[Iteration] = []  # each of them verified

    @contextmanager
    def at(self, iteration: int) -> Iterator[None]:
        """Record the one forward and backward pass inside of the block as ``iteration``.

        Raises WorkloadError at the end of the block, or inside of it, if what happened cannot be
        recorded or does not verify. An error of the block itself passes through.
        """
        if self._iterations and iteration <= self._iterations[-1].recording.iteration:
            raise WorkloadError(
                f"iteration {iteration}: expected a later one than the last recorded"
            )
        hooks = self._hooks = Hooks(self._net, self._modules, steps=self._steps)
        try:
            yield
        finally:
            hooks.remove()
            self._hooks, self._open_taps = None, {}
        for boundary in hooks.boundaries.values():
            check_unchanged(boundary)
        recorded, evidence = assemble(hooks.boundaries, self._steps, iteration, self._encoding)
        if self._iterations and self._iterations[0].layers != recorded.layers:
            raise WorkloadError(
                f"iteration {iteration}: layers or neurons differ from those of iteration "
                f"{self._iterations[0].recording.iteration}; record one network with constant "
                "neuron parameters"
            )
        verify_iteration(recorded, evidence)
        self._iterations.append(recorded)

    def tap(self, name: str, tensor: Tensor) -> Tensor:
        """Name a neuron's boundary in functional code; use what is returned in its place.

        ``name`` is "NEURON.current" before and "NEURON.spike" behind the neuron that
        ``neurons={"NEURON": declare(...)}`` describes. Outside of ``at`` it does nothing.
        """
        if self._hooks is None:
            return tensor
        neuron, _, side = name.rpartition(".")
        if neuron not in self._taps or side not in ("current", "spike"):
            raise WorkloadError(
                f'tap "{name}": expected NEURON.current or NEURON.spike with NEURON one of '
                f"{', '.join(self._taps) or 'none declared'}; declare it in neurons="
            )
        if neuron not in self._open_taps:
            self._open_taps[neuron] = Boundary(neuron, "neuron", self._net, self._taps[neuron])
        boundary = self._open_taps[neuron]
        if side == "current":
            return self._hooks.tap_input(boundary, tensor)
        return self._hooks.tap_output(boundary, tensor)

    # Public and called by keyword: every argument is one entry of the file's header.
    def save(
        self,
        path: str | Path,
        *,
        level: Level | Sequence[Level] = "bits",
        name: str | None = None,
        dataset: str = "not stated",
        licence: str = "not stated",
        accuracy: float = 0.0,
        optimizer: Literal["adam", "sgd"] = "adam",
        provenance: Mapping[str, str] | None = None,
    ) -> Workload:
        """Write the recorded iterations and return the job as read back and checked.

        ``level`` is one level for all iterations, or a sequence with one per iteration.
        Raises WorkloadError if nothing was recorded or if the file cannot be written.
        """
        if not self._iterations:
            raise WorkloadError("nothing was recorded; train inside of 'with cap.at(iteration):'")
        levels = self._levels(level)
        first = self._iterations[0]
        recordings = [iteration.recording for iteration in self._iterations]
        workload = Workload(
            path=Path(path),
            name=name or Path(path).stem,
            layers=first.layers,
            steps=self._steps,
            batch=first.batch,
            dataset=dataset,
            licence=licence,
            accuracy=accuracy,
            optimizer=optimizer,
            encoding=first.encoding,
            iterations=tuple(recording.iteration for recording in recordings),
            levels=levels,
            provenance={**(provenance or {}), "versions": versions()},
            sha256="",
        )
        return write_workload(
            workload, recordings, [iteration.values for iteration in self._iterations]
        )

    def _levels(self, level: Level | Sequence[Level]) -> tuple[Level, ...]:
        """One level per iteration; refused if a surrogate without closed form is to be exact."""
        count = len(self._iterations)
        levels: tuple[Level, ...] = (level,) * count if isinstance(level, str) else tuple(level)
        if len(levels) != count:
            raise WorkloadError(f"level: expected {count} of them, got {len(levels)}")
        open_forms = self._iterations[0].open_forms
        if "exact" in levels and open_forms:
            raise WorkloadError(
                f"{open_forms[0]}: its surrogate has no closed form known here, so an exact "
                'recording could not be rebuilt; save with level="value"'
            )
        return levels


def versions() -> str:
    """Versions that a recording depends on, for its provenance."""
    import torch

    from tlm.version import __version__

    return (
        f"tlm {__version__}, torch {torch.__version__}, numpy {np.__version__}, "
        f"Python {sys.version_info.major}.{sys.version_info.minor}"
    )


def _recorded_modules(
    net: Module, declared: Mapping[Any, Declared], steps: int
) -> dict[str, RecordedModule]:
    """Modules to put hooks on, by name; nothing inside of a neuron."""
    from torch import nn

    kinds: dict[BoundaryKind, Any] = {
        "conv": nn.Conv2d,
        "linear": nn.Linear,
    }
    recorded: dict[str, RecordedModule] = {}
    inside: tuple[str, ...] = ()
    for name, module in net.named_modules():
        if name.startswith(inside) and inside:
            continue
        equation = equation_of(name, module, declared)
        if equation is not None:
            _check_constant(name, module)
            recorded[name] = RecordedModule(module, "neuron", equation)
            inside = (*inside, f"{name}.")
            continue
        check_norm_kind(name, module)
        if is_norm(module, steps):
            recorded[name] = RecordedModule(module, "norm")
            inside = (*inside, f"{name}.")
            continue
        kind = next((kind for kind, base in kinds.items() if isinstance(module, base)), None)
        if kind is not None:
            if kind == "conv":
                window_of(name, module)  # what is not modelled is refused before any training
            recorded[name] = RecordedModule(module, kind)
        elif next(module.parameters(recurse=False), None) is not None:
            raise WorkloadError(
                f"{name or 'the network'}: {type(module).__name__} has weights of its own, and "
                "only nn.Conv2d, nn.Linear and nn.BatchNorm1d, 2d and 3d can be recorded; "
                "put its weights into one of these, or declare it as a neuron"
            )
    return recorded


def _check_constant(name: str, neuron: Module) -> None:
    """Refuse a neuron that learns: its gradients and updates would be work that is not counted."""
    for parameter, value in neuron.named_parameters():
        if value.requires_grad:
            raise WorkloadError(
                f"{name}.{parameter}: a neuron's parameters must be constants, since a job holds "
                "no gradient and no update of them; fix it with requires_grad_(False)"
            )
