"""A small summary for tests of those who read one, with figures that can be divided in the head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tlm.running.folder import write_json
from tlm.trace import summary
from tlm.trace.summary_file import FILE_NAME, as_json

SUMMARY = summary.Summary(
    status="ok",
    checks=0,
    broken={},
    workload=summary.JobPart("mnist-csnn", "0", 0, 16, 4, "mnist", None, "recorded"),
    chip=summary.ChipPart("chip", 20, "packet", "controller", "neuromc", {}),
    time=summary.TimePart(10**9, 10**9 / 16, 5e5, {}),
    work={},
    energy=summary.EnergyPart(1e9, 1e9, 0.0, {}, {}, {}, {}, 0.0),
    efficiency=summary.EfficiencyPart(
        0, 0, 0, 1e9, *[summary.TflopsPerWatt(0.0, 0.0)] * 3, 0.0, 0.0
    ),
    synaptic=summary.SynapticPart(10**6, 0, 1e6, 1e7, 1.0, 10.0),
    engines={},
    dram=summary.DramPart("DDR4-2400", 1, 3_000_000, 1_000_000, 19.2, 4.0, None, {}, {}, {}, {}, 0),
    noc=summary.NocPart(0, 0, 0, 0, "", 0.0, {}),
    sparsity=summary.SparsityPart(0.0, {}),
    busiest=[],
    stalls=[],
    lower_bounds_ps={},
)


def write_summary(folder: Path, **parts: object) -> None:
    """Leave ``SUMMARY``, with other ``parts`` if given, as a run would."""
    write_json(folder / FILE_NAME, as_json(replace(SUMMARY, **parts)))  # type: ignore[arg-type]
