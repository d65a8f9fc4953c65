"""The chip's side of the comparison: a finished run, or else a count by element."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.gpu.devices import Range
from analysis.gpu.network import Network
from tlm.errors import TraceError


@dataclass(frozen=True)
class ChipRun:
    """Figures of one training iteration on the chip, from ``summary.json``.

    ``modes`` are the sparsity modes of the three engines; ``scan_pj`` the energy of looking for
    zeros, ``slot_pj`` that of the slots executed, ``slots`` and ``executed`` their numbers.
    """

    folder: str
    workload: str
    chip: str
    modes: str
    dram_nbytes: int
    time_s: float
    energy_j: float
    scan_pj: float
    slot_pj: float
    slots: int
    executed: int


def chip_run(folder: Path) -> ChipRun:
    """Read a run folder.

    Raises:
        TraceError: there is no summary of a finished run in it.
    """
    path = folder / "summary.json"
    try:
        summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dram, rows = summary["dram"], _rows(folder / "energy.csv")
        slots, executed = _slots(folder / "stats.csv")
        return ChipRun(
            folder=folder.name,
            workload=summary["workload"]["name"],
            chip=summary["chip"]["name"],
            modes=_modes(rows),
            dram_nbytes=dram["bytes_read"] + dram["bytes_written"],
            time_s=summary["time"]["makespan_ps"] / 1e12,
            energy_j=summary["energy"]["total_pj"] / 1e12,
            scan_pj=sum(pj for name, action, pj in rows if action == "scan"),
            slot_pj=sum(pj for name, action, pj in rows if name in ("fp", "bp", "wg")),
            slots=slots,
            executed=executed,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TraceError(
            f"{path}: expected the summary of a finished run; give the folder that "
            f"python -m tlm run left ({type(error).__name__}: {error})"
        ) from error


def _rows(path: Path) -> list[tuple[str, str, float]]:
    """Component, action and energy of every row of ``energy.csv``."""
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    component, action, total = (names.index(n) for n in ("component", "action", "total_pj"))
    rows = []
    for line in lines[1:]:
        fields = line.split(",")
        rows.append((fields[component], fields[action], float(fields[total])))
    return rows


def _modes(rows: list[tuple[str, str, float]]) -> str:
    """An engine that scans for zeros skips them; one that never does is dense."""
    return "sparse" if any(action == "scan" and pj > 0 for _, action, pj in rows) else "dense"


def _slots(path: Path) -> tuple[int, int]:
    """Slots of all engines, and those executed."""
    found = {"slots": 0, "executed_slots": 0}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        fields = line.split(",")
        if fields[0] == "engines" and fields[4] in found:
            found[fields[4]] += int(fields[5])
    return found["slots"], found["executed_slots"]


# Bits a neuron and step that a chip of this kind moves, forward and backward: 1-bit spikes and
# masks, 16-bit membrane and gradients. Least: the membrane saved once, one read of dU for both
# backward engines, no BN spill; most: BN input spilled and dU read twice. A count by element.
_LEAST_NBYTES, _MOST_NBYTES = 8.8, 20.8
_WEIGHT_NBYTES = 2


def counted_dram_nbytes(network: Network) -> Range:
    """DRAM bytes of an iteration by element count (assumed, not simulated).

    Neurons as above; weights in 16 bit, read for forward and backward once a mini-batch at least
    and every step at most, and gradient and update three times.
    """
    neuron_steps = network.neurons * network.images
    weights = network.weights * _WEIGHT_NBYTES
    least = _LEAST_NBYTES * neuron_steps + (2 + 3) * weights
    most = _MOST_NBYTES * neuron_steps + (2 * network.steps + 3) * weights
    return Range(least, (least + most) / 2, most)
