"""What ``workload info`` and ``workload check`` print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from tlm.cli.tables import Hanging, ScreenTable
from tlm.workload.answers import Answers
from tlm.workload.model import Layer, Workload
from tlm.workload.readers import heads
from tlm.workload.report.audit import Audit
from tlm.workload.report.density import Densities, densities, measured_tensors
from tlm.workload.report.describe import LAYER_COLUMNS, SYMBOLS, facts, layer_cells


def info_parts(workload: Workload) -> Iterator[Text | Hanging | ScreenTable]:
    """What a job is, its layers, then the densities of each recorded iteration.

    Raises:
        WorkloadError: a recording is damaged; all are read.
    """
    yield Text(workload.name, style="bold")
    for name, value in facts(workload).items():
        yield Hanging(f"{name}: {value}")
    yield Text()
    yield layer_table(workload.layers)
    for position, iteration in enumerate(workload.iterations):
        yield Text()
        recording = workload.load(position)
        yield _densities(workload, iteration, densities(recording))
        if recording.answers is not None:
            yield Text()
            yield from _answer_lines(workload, recording.answers)


def layer_table(layers: Sequence[Layer]) -> ScreenTable:
    """The layers of a job or network, one a row."""
    table = ScreenTable("Layers", *LAYER_COLUMNS, left=LAYER_COLUMNS, prose=LAYER_COLUMNS[1:2])
    ends = heads(layers)
    for layer in layers:
        table.add_row(*layer_cells(layer, is_read=layer.index not in ends))
    return table


def _densities(workload: Workload, iteration: int, measured: Densities) -> ScreenTable:
    steps = [f"t={step}" for step in range(workload.steps)]
    title = f"Non-zero share at iteration {iteration} (input {measured.inputs:.3f})"
    table = ScreenTable(title, "layer", "tensor", "mean", *steps, keys=2)
    for layer in workload.layers:
        for tensor in measured_tensors(workload, layer):
            row = getattr(measured, tensor)[layer.index]
            shares = (f"{share:.3f}" for share in row)
            name = f"{layer.index} {layer.name}"
            table.add_row(name, SYMBOLS[tensor], f"{row.mean():.3f}", *shares)
    return table


def _answer_lines(workload: Workload, answers: Answers) -> Iterator[Text | Hanging]:
    """Answers sample by sample, and what they come to."""
    spoken = answers.decision_steps < workload.steps
    silent = workload.batch - int(spoken.sum())
    mean = f"{answers.decision_steps[spoken].mean():.1f}" if spoken.any() else "-"
    yield Text("Answers by sample", style="bold")
    yield Hanging(f"labels: {' '.join(map(str, answers.labels))}")
    yield Hanging(f"decisions: {' '.join(map(str, answers.decisions))}")
    steps = ("-" if step == workload.steps else str(step) for step in answers.decision_steps)
    yield Hanging(f"first output spikes, t: {' '.join(steps)}")
    yield Hanging(
        f"right: {answers.right} of {workload.batch}; first output spike at t = {mean} in the "
        f"mean; without one (the highest potential decides): {silent}"
    )


def audit_table(audit: Audit) -> ScreenTable:
    """An iteration that was rebuilt: one row per layer."""
    columns = ("layer", "neuron-steps", "flips", "dL/dI", "free flips", "dL/dW and others")
    title = f"Iteration {audit.iteration}, level {audit.level}, rebuilt"
    table = ScreenTable(title, *columns, prose=columns[-1:])
    for layer in audit.layers:
        errors = (f"{name} {error:.1e}" for name, error in layer.parameter_errors.items())
        table.add_row(
            layer.layer,
            str(layer.neuron_steps),
            str(len(layer.flips)),
            "-" if layer.gradient_error is None else f"{layer.gradient_error:.1e}",
            str(layer.free_flips),
            ", ".join(errors) or "-",
        )
    return table
