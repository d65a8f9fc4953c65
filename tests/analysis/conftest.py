"""A synthetic run: what a small chip might leave, made without the simulator."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trace.summaries import SUMMARY, write_summary
from tlm.running.runner import RunResult, run_job
from tlm.trace import EngineState, TraceWriter, schema

CORES = 4
CHANNELS = 2
PEAK_GB_S = 51.2
UNITS = [(f"chip.core{c:02d}.{kind}", kind) for c in range(CORES) for kind in ("fp", "bp", "wg")]
UNITS += [(f"chip.dram{d}", "dram") for d in range(CHANNELS)]
ATTRS = dict.fromkeys(schema.RUN_ATTRIBUTES, "synthetic")
PHASES = {"fp": 0, "bp": 3, "wg": 4}
TASK_PS = 4_000_000

ENERGY_CSV = """\
component,action,phase,layer,count,pj_each,total_pj,source,confidence
fp,mac_add,fp,0,4000000,0.58225,2329000,paper,published
fp,weight_read,fp,1,400000,5.3,2120000,paper,published
bp,mac,bp,1,3000000,1.36,4080000,paper,published
bp,grad_op,grad,1,40000,4.378,175120,paper,published
wg,mac_add,wg,1,3000000,0.58225,1746750,paper,published
wg,update_op_adam,update,1,200000,11.5,2300000,paper,derived
dram,read_bit,fp,0,150000,20.3125,3046875,paper,published
dram,read_bit,bp,1,150000,20.3125,3046875,paper,published
dram,write_bit,wg,1,60000,20.3125,1218750,paper,published
noc,router_bit,fp,0,2560000,0.1,256000,assumed,assumed
noc,router_bit,reduce,1,1152000,0.1,115200,assumed,assumed
core,leakage,none,-1,1,3000000,3000000,table,derived
dram,leakage,none,-1,1,800000,800000,assumed,assumed
"""


def _engine(writer: TraceWriter, unit: int, begin_ps: int, tasks: int, seed: int) -> int:
    """Idle until ``begin_ps``, then tasks with a stall before each; returns the end."""
    rng = random.Random(seed)
    phase = PHASES[UNITS[unit][1]]
    now = begin_ps
    writer.activity.append((unit, 0, now, EngineState.IDLE, 255, -1, -1, 0, -1, 0, -1))
    for task in range(tasks):
        what = rng.choice(
            (
                EngineState.STALL_DRAM,
                EngineState.STALL_DRAM,
                EngineState.STALL_NOC,
                EngineState.STALL_DEPENDENCY,
            )
        )
        stop = now + rng.randrange(1, TASK_PS)
        writer.activity.append((unit, now, stop, what, phase, 1, task, 1, 0, 4, task))
        _fetch(writer, unit, now, stop, task, rng)
        end = stop + TASK_PS + rng.randrange(TASK_PS)
        writer.activity.append(
            (unit, stop, end, EngineState.COMPUTE, phase, 1, task, 1, 0, 4, task)
        )
        now = end + rng.randrange(TASK_PS // 4)
        writer.activity.append(
            (unit, end, now, EngineState.STALL_WRITEBACK, phase, 1, task, 1, 0, 4, -1)
        )
    return now


def _fetch(
    writer: TraceWriter, unit: int, begin: int, end: int, task: int, rng: random.Random
) -> None:
    """A task's operands: 256 B every 40 ns, answered 100 ns later."""
    for at in range(begin, end, 40_000):
        times = (at, min(at + 9_000, end), min(at + 100_000, end), end)
        channel = len(UNITS) - CHANNELS + rng.randrange(CHANNELS)
        command = 0 if rng.random() < 0.7 else 1
        ident = len(writer.transactions)
        row = (ident, *times, unit, channel, command, 0, 1, task, 0, 256, 256 * ident)
        writer.transactions.append(row)


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with ``trace.h5``, ``energy.csv`` and ``summary.json``; engines tile time."""
    return make_run(tmp_path_factory.mktemp("run"))


def make_run(folder: Path, level: str = "transaction") -> Path:
    writer = TraceWriter(folder / "trace.h5", level, ATTRS, "name: chip\n", UNITS)
    begin = {"fp": 0, "bp": 30 * TASK_PS, "wg": 40 * TASK_PS}
    tasks = {"fp": 20, "bp": 24, "wg": 20}
    ends = {
        unit: _engine(writer, unit, begin[kind], tasks[kind], seed=unit)
        for unit, (_, kind) in enumerate(UNITS)
        if kind in begin
    }
    makespan = max(ends.values())
    for unit, end in ends.items():
        writer.activity.append((unit, end, makespan, EngineState.IDLE, 255, -1, -1, 0, -1, 0, -1))
    writer.close(True)
    (folder / "energy.csv").write_text(ENERGY_CSV)
    write_summary(folder, dram=replace(SUMMARY.dram, peak_gb_s=PEAK_GB_S))
    return folder


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A real run of the smallest bundled job on the default chip."""
    return run_job("digits", out=tmp_path_factory.mktemp("digits") / "run")
