"""What is measured of other simulators, and which runs of ours stand beside them."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.children.command import child
from benchmarks.measuring import ENVIRONMENT, ROOT, Program
from benchmarks.peers.environment import FOLDER, Unavailable, compiled, python_with

# Events alone in long trains, a convolution of them, and the largest that SANA-FE can hold here.
SPIKING = ("mnist-fc-t25", "nmnist-cnn", "mnist-csnn")
MODES = ("simple", "detailed")
MULTIPLIED = ("digits", "mnist-csnn")
PROFILED = "mnist-csnn"
SKELETON_JOB = "s-resnet18[B=1,T=1]:bernoulli(0.15)"
SKELETON = ("dram.model=ideal", "noc.payload=256 B")
KERNELS = ("compiled", "simpy")
PEERS = ROOT / "benchmarks" / "peers"
_QUIET = {"TQDM_DISABLE": "1"}


def torch_python() -> str:
    """The interpreter that has torch: this one, or that of the variable TORCH_PYTHON."""
    return os.environ.get("TORCH_PYTHON", sys.executable)


def _ours(work: str, job: str, kind: str, kernels: tuple[str, ...] = KERNELS) -> list[Program]:
    return [Program(work, kernel, child("macs", job, kernel, kind), agrees=True)
            for kernel in kernels]  # fmt: skip


def _recorded(job: str) -> str:
    """The file of a job for a peer, written anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{job}.json"
    _write(child("recorded", job, str(file)))
    return str(file)


def _write(command: tuple[str, ...]) -> None:
    subprocess.run(command, check=True, env={**os.environ, **ENVIRONMENT})


def sanafe() -> list[Program]:
    """The recorded spikes of a forward pass, in SANA-FE and on our chip."""
    python = python_with("sanafe", "sanafe==2.2.9")
    programs = []
    for job in SPIKING:
        work, file = f"synapses {job}", _recorded(job)
        for mode in MODES:
            command = (python, str(PEERS / "sanafe_replay.py"), file, mode)
            programs.append(Program(work, f"SANA-FE, {mode}", command, agrees=True))
        programs += _ours(work, job, "synaptic")
    return programs


def scalesim() -> list[Program]:
    """All products of a training iteration, dense, in SCALE-Sim and on our chip."""
    python = python_with("scalesim", "scalesim==3.0.0", "numpy==1.26.4")
    programs = []
    for job in MULTIPLIED:
        work = f"products {job}"
        command = (python, str(PEERS / "scalesim_gemms.py"), _recorded(job))
        programs.append(Program(work, "SCALE-Sim", command, _QUIET, agrees=True))
        programs += _ours(work, job, "dense")
    return programs


def neuromc() -> list[Program]:
    """A training iteration under SpikingJelly's NeuroMC profiler, and on our chip."""
    python, module = torch_python(), "spikingjelly.activation_based.op_counter.neuromc"
    asked = subprocess.run([python, "-c", f"import {module}"], capture_output=True, text=True)
    if asked.returncode:
        last = asked.stderr.strip().splitlines()[-1]
        raise Unavailable(f"{python}: {last}; TORCH_PYTHON names one with spikingjelly 2.0.0")
    command = (python, "-W", "ignore", str(PEERS / "neuromc_profile.py"), _recorded(PROFILED))
    work = f"profile {PROFILED}"
    return [Program(work, "NeuroMC profiler", command, agrees=True),
            *_ours(work, PROFILED, "dense")]  # fmt: skip


def skeleton() -> list[Program]:
    """The packets of a job through our chip and through the same skeleton of a chip in SystemC."""
    source = ROOT / "benchmarks" / "systemc" / "skeleton.cpp"
    program, packets = compiled(source, "-lsystemc"), FOLDER / "packets.txt"
    _write(child("packets", SKELETON_JOB, str(packets), *SKELETON))
    return [
        part
        for work, trace in (("skeleton", "off"), ("skeleton traced", "transaction"))
        for part in _skeleton(work, trace, (str(program), str(packets)))
    ]


def _skeleton(work: str, trace: str, command: tuple[str, ...]) -> list[Program]:
    rows = () if trace == "off" else ("rows.bin",)
    ours = [
        Program(work, kernel, child("run", SKELETON_JOB, kernel, trace, *SKELETON), agrees=True)
        for kernel in KERNELS
    ]
    return [*ours, Program(work, "SystemC", (*command, *rows), agrees=True)]
