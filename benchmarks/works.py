"""What is measured: the programs of each part, which are run in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.children.command import child
from benchmarks.measuring import Program
from benchmarks.peers import works as peers

JOBS = ("digits", "mnist-csnn", "cifar-sew")
LARGE = "s-resnet18[B=16,T=4]:like(cifar-sew)"
GROWING = "s-resnet18[B=1,T=1]:bernoulli(0.15)"
PAYLOADS = ("16 KiB", "4 KiB", "1 KiB", "256 B", "64 B")
# With routers of virtual channels and the DRAM controller: the most that is modelled. The chip's
# DRAM does not hold sixteen samples of s-vgg16.
GIANTS = ("s-resnet50[B=16,T=4]:like(cifar-sew)", "s-vgg16[B=8,T=4]:like(cifar-vgg8)")
FULL_MODELS = ("noc.model=router", "dram.model=controller")
KERNELS = ("simpy", "compiled")
TRACES = ("off", "transaction")
DRAM_PATTERNS = {"rand_rd": "0", "seq_rd": "256"}  # bytes of a request; 0: one burst
DRAM_REQUESTS = {"simpy": 20_000, "compiled": 300_000}
MESH_CYCLES = {"simpy": 1_000, "compiled": 10_000}


def runs() -> list[Program]:
    """Jobs on both kernels, with and without a trace."""
    return [Program(job, f"{kernel}, {trace}", child("run", job, kernel, trace))
            for job in JOBS for kernel in KERNELS for trace in TRACES]  # fmt: skip


def large() -> list[Program]:
    """A job of ImageNet's size, on the compiled kernel alone."""
    return [Program(LARGE, "compiled, off", child("run", LARGE, "compiled", "off"))]


def giant() -> list[Program]:
    """The largest networks on the fullest models, on the compiled kernel alone."""
    return [Program(job, "compiled, router", child("run", job, "compiled", "off", *FULL_MODELS))
            for job in GIANTS]  # fmt: skip


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


def training() -> list[Program]:
    """A training step of the large job in PyTorch, beside its simulation (part ``large``)."""
    python = peers.torch_python()
    return [Program("training", "PyTorch", child("training_step", LARGE, python=python))]


PARTS: Mapping[str, Callable[[], list[Program]]] = {
    "runs": runs,
    "large": large,
    "growth": growth,
    "dram": dram,
    "mesh": mesh,
    "skeleton": peers.skeleton,
    "sanafe": peers.sanafe,
    "scalesim": peers.scalesim,
    "neuromc": peers.neuromc,
    "training": training,
    "giant": giant,
}
# Not measured without being named, and once: it takes many minutes and several GB.
OPTIONAL = ("giant",)
