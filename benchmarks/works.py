"""What is measured: the programs of each part, which are run in turn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.measuring import ENVIRONMENT, ROOT, Program

JOBS = ("digits", "mnist-csnn", "cifar-sew")
LARGE = "s-resnet18[B=16,T=4]:like(cifar-sew)"
GROWING = "s-resnet18[B=1,T=1]:bernoulli(0.15)"
PAYLOADS = ("16 KiB", "4 KiB", "1 KiB", "256 B", "64 B")
SKELETON = ("dram.model=ideal", "noc.payload=256 B")
KERNELS = ("simpy", "compiled")
TRACES = ("off", "transaction")
DRAM_PATTERNS = {"rand_rd": "0", "seq_rd": "256"}  # bytes of a request; 0: one burst
DRAM_REQUESTS = {"simpy": 20_000, "compiled": 300_000}
MESH_CYCLES = {"simpy": 1_000, "compiled": 10_000}


def child(name: str, *words: str, python: str = sys.executable) -> Sequence[str]:
    """The command of one of our measured programs."""
    return (python, "-m", f"benchmarks.children.{name}", *words)


def runs() -> list[Program]:
    """Jobs on both kernels, with and without a trace."""
    return [Program(job, f"{kernel}, {trace}", child("run", job, kernel, trace))
            for job in JOBS for kernel in KERNELS for trace in TRACES]  # fmt: skip


def large() -> list[Program]:
    """A job of ImageNet's size, on the compiled kernel alone."""
    return [Program(LARGE, "compiled, off", child("run", LARGE, "compiled", "off"))]


def growth() -> list[Program]:
    """One job in ever smaller packets on the compiled kernel."""
    return [
        Program(f"growth {payload}", trace, child(
            "run", GROWING, "compiled", trace,
            f"noc.payload={payload}", f"dram.interleave={payload}",
        ))
        for payload in PAYLOADS
        for trace in TRACES
    ]  # fmt: skip


def dram() -> list[Program]:
    """A DRAM channel alone, on both kernels."""
    return [
        Program(f"dram {pattern}", kernel, child("dram", kernel, pattern, str(count), nbytes))
        for pattern, nbytes in DRAM_PATTERNS.items()
        for kernel, count in DRAM_REQUESTS.items()
    ]


def mesh() -> list[Program]:
    """The router mesh alone, on both kernels."""
    return [Program("mesh", kernel, child("mesh", kernel, str(cycles)))
            for kernel, cycles in MESH_CYCLES.items()]  # fmt: skip


def skeleton() -> list[Program]:
    """The packets of a job through our chip and through the same skeleton of a chip in SystemC."""
    folder = ROOT / "build" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    program, packets = folder / "skeleton", folder / "packets.txt"
    source = ROOT / "benchmarks" / "systemc" / "skeleton.cpp"
    subprocess.run(["g++", "-O2", "-std=c++17", "-o", program, source, "-lsystemc"], check=True)
    subprocess.run(
        child("packets", GROWING, str(packets), *SKELETON),
        check=True,
        env={**os.environ, **ENVIRONMENT},
    )
    ours = [
        Program("skeleton", kernel, child("run", GROWING, kernel, "off", *SKELETON))
        for kernel in KERNELS
    ]
    return [*ours, Program("skeleton", "SystemC", (str(program), str(packets)))]


def training() -> list[Program]:
    """A training step of the large job in PyTorch, beside its simulation (part ``large``)."""
    python = os.environ.get("TORCH_PYTHON", sys.executable)
    return [Program("training", "PyTorch", child("training_step", LARGE, python=python))]


PARTS = {
    "runs": runs,
    "large": large,
    "growth": growth,
    "dram": dram,
    "mesh": mesh,
    "skeleton": skeleton,
    "training": training,
}
