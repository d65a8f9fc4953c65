"""Capture: record a network's training tensors round one forward and backward pass."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from tlm.errors import CaptureWarning, WorkloadError
from tlm.workload.capture.boundary import (
    Boundary,
    BoundaryKind,
    RecordedModule,
    check_unchanged,
    settle_output,
)
from tlm.workload.capture.constants import word
from tlm.workload.capture.convolutions import check_convolution
from tlm.workload.capture.declared import Declared
from tlm.workload.capture.derived import check_plain
from tlm.workload.capture.eager import eager, module_name, uncompiled
from tlm.workload.capture.hooks import Hooks
from tlm.workload.capture.iteration import Assembled, Iteration, assemble
from tlm.workload.capture.layouts import TIME_AXES
from tlm.workload.capture.neurons import equation_of
from tlm.workload.capture.norms import check_norm_kind, is_norm
from tlm.workload.capture.options import (
    check_closed,
    checked_neurons,
    level_words,
    told_as_refusal,
    whole_number,
)
from tlm.workload.capture.verify import dead_layers, verified_iteration
from tlm.workload.file.writer import check_header, write_workload
from tlm.workload.model import Encoding, Level, Workload

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Capture:
    """Records iterations of training ``net`` over ``steps`` (T) time steps.

    Convolutions, linear layers and batch norms are found as modules, pools and residuals in the
    autograd graph. Neurons are those of SpikingJelly, snnTorch, Norse and sinabs, modules that
    carry a ``neuron: tlm.workload.Neuron``, those whose class is in ``neurons``, and named taps.
    ``encoding`` None: it is read off the input; say "events" for events, which look like "rate".
    ``time_axis`` is that of a neuron's call which holds all steps: 0 for [T, B, ...], 1 for
    [B, T, ...]; where else the network swaps or folds axes is read off the graph.
    ``level`` is what ``save`` will write, told early: what stands against it is then told before
    any training. With ``on_error="warn"`` an iteration that cannot be recorded is left out with a
    CaptureWarning, and the training goes on.

    Raises WorkloadError for a neuron whose equation is not known, or a module with weights that
    is neither convolution, linear layer nor batch norm.
    """

    # Public and called by keyword: every argument is one decision about the recording.
    def __init__(
        self,
        net: Module,
        *,
        steps: int,
        neurons: Mapping[Any, Declared] | None = None,
        encoding: Encoding | None = None,
        time_axis: Literal[0, 1] = 0,
        level: Level | Sequence[Level] = "bits",
        on_error: Literal["raise", "warn"] = "raise",
    ) -> None:
        self._net = uncompiled(net)
        self._steps = whole_number("steps", steps, "T, 1 or more", 1)
        if encoding is not None:
            word("encoding", encoding, get_args(Encoding))
        self._encoding = encoding
        if time_axis not in TIME_AXES:
            raise WorkloadError(
                f"time_axis: expected 0 for [T, B, ...] or 1 for [B, T, ...], got {time_axis!r}"
            )
        self._time_axis = int(time_axis)
        self._level = level
        self._on_error = word("on_error", on_error, ("raise", "warn"))
        declared = checked_neurons(neurons or {}, self._net)
        self._taps = {
            name: equation for name, equation in declared.items() if isinstance(name, str)
        }
        self._modules = _recorded_modules(self._net, declared, self._steps)
        self._check_level(level)
        self._hooks: Hooks | None = None
        self._open_taps: dict[str, Boundary] = {}
        self._iterations: list[Iteration] = []  # each of them verified
        self._refusal = ""  # why the last iteration was left out

    @contextmanager
    def at(self, iteration: int) -> Iterator[None]:
        """Record the one forward and backward pass inside of the block as ``iteration``.

        Raises WorkloadError at the end of the block, or inside of it, if what happened cannot be
        recorded or does not verify; warns of it with ``on_error="warn"``. An error of the block
        itself passes through.
        """
        hooks = self._hooks = Hooks(self._net, self._modules, self._steps, self._on_error == "warn")
        try:
            with eager():
                yield
        finally:
            hooks.remove()
            self._hooks, self._open_taps = None, {}
        try:
            if hooks.refusal is not None:
                raise hooks.refusal
            note = self._keep(hooks, iteration)
        except WorkloadError as error:
            self._refusal = f"iteration {iteration} is not recorded: {error}"
            if self._on_error == "raise":
                raise
            note = self._refusal
        if note:
            # The block's own line: behind this generator and contextlib's __exit__.
            warnings.warn(note, CaptureWarning, stacklevel=3)

    def _keep(self, hooks: Hooks, iteration: int) -> str:
        """Assemble, verify and keep what the hooks saw; what the user should know of it."""
        number = whole_number("iteration", iteration, "a number of 0 or more", 0)
        if self._iterations and number <= self._iterations[-1].recording.iteration:
            raise WorkloadError(f"iteration {number}: expected a later one than the last recorded")
        for boundary in hooks.boundaries.values():
            check_unchanged(boundary)
            settle_output(boundary)
        with told_as_refusal():
            assembled = assemble(
                hooks.boundaries, self._steps, number, self._encoding, self._time_axis
            )
            self._check_alike(assembled)
            recorded, evidence = verified_iteration(assembled)
            check_header(self._job([*self._iterations, recorded]))
        if self._level == "exact" or "exact" in tuple(self._level):
            check_closed(recorded.open_forms)
        self._iterations.append(recorded)
        dead = dead_layers(evidence)
        return dead and f"iteration {number}: {dead}"

    def _check_alike(self, recorded: Assembled) -> None:
        """Refuse an iteration of another network than that of the first."""
        if not self._iterations:
            return
        first, number = self._iterations[0], recorded.number
        for what, ours, theirs in (
            ("layers or neurons", recorded.layers, first.layers),
            ("batch size", recorded.batch, first.batch),
            ("input coding", recorded.encoding, first.encoding),
        ):
            if ours != theirs:
                raise WorkloadError(
                    f"iteration {number}: {what} differ from those of iteration "
                    f"{first.recording.iteration}; record one network with constant neuron "
                    "parameters, on mini-batches of one size and kind"
                )

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
        level: Level | Sequence[Level] | None = None,
        name: str | None = None,
        dataset: str = "not stated",
        licence: str = "not stated",
        accuracy: float = 0.0,
        optimizer: Literal["adam", "sgd"] = "adam",
        provenance: Mapping[str, str] | None = None,
    ) -> Workload:
        """Write the recorded iterations and return the job as read back and checked.

        ``level`` is one level for all iterations, or a sequence with one per iteration; None: what
        was told when the recorder was made. Raises WorkloadError if nothing was recorded or if the
        file cannot be written; what was recorded is kept, so that it can be saved otherwise.
        """
        if not self._iterations:
            reason = self._refusal or "train inside of 'with cap.at(iteration):'"
            raise WorkloadError(f"nothing was recorded; {reason}")
        levels = self._levels(self._level if level is None else level)
        job = self._job(self._iterations)
        workload = replace(
            job,
            path=Path(path),
            name=name or Path(path).stem,
            dataset=dataset,
            licence=licence,
            accuracy=accuracy,
            optimizer=optimizer,
            levels=levels,
            provenance={**(provenance or {}), **job.provenance},
        )
        return write_workload(
            workload,
            [iteration.recording for iteration in self._iterations],
            [iteration.values for iteration in self._iterations],
        )

    def _job(self, iterations: Sequence[Iteration]) -> Workload:
        """The job of ``iterations``, yet without what is said of it when it is saved."""
        first = iterations[0]
        return Workload(
            path=Path("recording"),
            name="recording",
            layers=first.layers,
            steps=self._steps,
            batch=first.batch,
            dataset="not stated",
            licence="not stated",
            accuracy=0.0,
            optimizer="adam",
            encoding=first.encoding,
            iterations=tuple(iteration.recording.iteration for iteration in iterations),
            levels=tuple("bits" for _ in iterations),
            provenance={"versions": versions()},
            sha256="",
        )

    def _levels(self, level: Level | Sequence[Level]) -> tuple[Level, ...]:
        """One level per iteration; refused if a surrogate without closed form is to be exact."""
        count = len(self._iterations)
        levels = level_words(level)
        if isinstance(level, str):
            levels *= count
        if len(levels) != count:
            raise WorkloadError(f"level: expected {count} of them, got {len(levels)}")
        if "exact" in levels:
            check_closed(self._iterations[0].open_forms)
        return levels

    def _check_level(self, level: Level | Sequence[Level]) -> None:
        """Hold a level told early against the neurons that are known."""
        if "exact" in level_words(level):
            neurons = {name: each.equation for name, each in self._modules.items()}
            check_closed(
                [name for name, each in {**neurons, **self._taps}.items() if each and each.slope]
            )


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
        "conv": (
            *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
            *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
        ),
        "linear": nn.Linear,
    }
    recorded: dict[str, RecordedModule] = {}
    inside: tuple[str, ...] = ()
    for path, module in net.named_modules():
        name = module_name(path)
        if name.startswith(inside) and inside:
            continue
        equation = equation_of(name, module, declared)
        if equation is not None:
            _check_constant(name, module, equation)
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
            check_plain(name, module)
            if kind == "conv":
                check_convolution(name, module)  # refused before any training
            recorded[name] = RecordedModule(module, kind)
        elif next(module.parameters(recurse=False), None) is not None:
            raise WorkloadError(
                f"{name or 'the network'}: {type(module).__name__} has weights of its own, and "
                "only convolutions, nn.Linear and nn.BatchNorm1d, 2d and 3d can be recorded; "
                "put its weights into one of these, or declare it as a neuron"
            )
    return recorded


def _check_constant(name: str, neuron: Module, equation: Declared) -> None:
    """Refuse a neuron that learns more than its equation says: work that would not be counted."""
    learnt = {each.parameter for each in equation.learnt.values()}
    for parameter, value in neuron.named_parameters():
        if value.requires_grad and parameter not in learnt:
            raise WorkloadError(
                f"{name}.{parameter}: learns, and the neuron's equation does not say how it is "
                "used; name it in declare(learnt=...), or fix it with requires_grad_(False)"
            )
