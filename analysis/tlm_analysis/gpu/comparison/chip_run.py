"""The chip's side of the comparison: a finished run, or else a count by element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from tlm.errors import TraceError
from tlm.trace import energy_csv
from tlm.trace.summary_file import FILE_NAME, read_summary
from tlm.workload.model import RunMode
from tlm_analysis.gpu.device.devices import Range
from tlm_analysis.gpu.step.network import NetworkShapes

Kind: TypeAlias = Literal["sparse", "dense", "ann"]


@dataclass(frozen=True)
class ChipRun:
    """Figures of one training iteration on the chip, or of inference by ``mode``.

    ``kind`` is sparse (engines skip zeros), dense (the same masks, nothing skipped) or ann (the
    same network with T = 1 and 16 bit activations); ``activity`` says where the masks are from.
    With an ``ideal`` memory or network the bytes are exact, time and energy are not the chip's.
    ``batch`` and ``steps`` are those of the spiking job, where they differ from the usual ones.
    """

    workload: str
    chip: str
    kind: Kind
    activity: str
    dram_nbytes: int
    time_s: float
    energy_j: float
    ideal: bool = False
    batch: int | None = None
    steps: int | None = None
    mode: RunMode = "training"

    def same_job(self, network: NetworkShapes) -> NetworkShapes:
        """The network with the mini-batch and steps that ran."""
        return replace(
            network, batch=self.batch or network.batch, steps=self.steps or network.steps
        )


def chip_run(folder: Path) -> ChipRun:
    """Read a run folder.

    Raises:
        TraceError: there is no summary of a valid run in it.
    """
    summary = read_summary(folder)
    if not summary.ok:
        raise TraceError(
            f"{folder / FILE_NAME}: the run is {summary.status}; give the folder of a valid run"
        )
    job, chip = summary.workload, summary.chip
    kind = _kind(job.activity, folder / energy_csv.FILE_NAME)
    return ChipRun(
        workload=job.name,
        chip=chip.name,
        kind=kind,
        activity=job.activity,
        dram_nbytes=summary.dram.nbytes,
        time_s=summary.time.makespan_ps / 1e12,
        energy_j=summary.energy.total_pj / 1e12,
        ideal="ideal" in (chip.dram_model, chip.noc_model),
        batch=job.batch,
        steps=job.steps if kind != "ann" else None,
        mode=job.mode,
    )


def _kind(activity: str, energy: Path) -> Kind:
    """An engine that scans for zeros skips them; one that never does is dense."""
    if "ANN" in activity:
        return "ann"
    lines = energy.read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    action, total = names.index("action"), names.index("total_pj")
    rows = (line.split(",") for line in lines[1:])
    return "sparse" if any(row[action] == "scan" and float(row[total]) for row in rows) else "dense"


# Bytes per neuron and step that a chip of this kind moves, forward and backward: 1-bit spikes and
# masks, 16-bit membrane and gradients. Least: the membrane saved once, one read of dY for both
# backward engines, no BN spill; most: BN input spilled and dY read twice. A count by element.
_LEAST_NBYTES, _MOST_NBYTES = 8.8, 20.8
_WEIGHT_NBYTES = 2


def counted_dram_nbytes(network: NetworkShapes) -> Range:
    """DRAM bytes of an iteration by element count (assumed, not simulated).

    Neurons as above; weights in 16 bit, read for forward and backward once per mini-batch at least
    and once per step at most, and gradient and update three times.
    """
    neuron_steps = network.neurons * network.images
    weights = network.weights * _WEIGHT_NBYTES
    least = _LEAST_NBYTES * neuron_steps + (2 + 3) * weights
    most = _MOST_NBYTES * neuron_steps + (2 * network.steps + 3) * weights
    return Range(least, (least + most) / 2, most)
