"""A measured training step beside the model of the same step on the same GPU."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tlm.errors import TraceError
from tlm.files import parse_json, read_regular
from tlm.workload import open_workload
from tlm_analysis.gpu.baseline import GpuBaseline, network_baseline
from tlm_analysis.gpu.device.devices import DEVICES, Device, device
from tlm_analysis.gpu.step.kernel import Kernel
from tlm_analysis.gpu.step.recorded import network_of

# Words in the names of PyTorch's, cuDNN's and SpikingJelly's kernels; the first class that matches
# takes a kernel. What is not named here is "other", such as neurons of elementwise launches.
_MAX_BYTES = 16 << 20
_CLASSES = (
    ("normalisation", ("bn_", "batch_norm", "batchnorm")),
    ("pooling", ("pool",)),
    ("optimizer", ("adam", "sgd", "multi_tensor", "non_finite")),
    ("neurons", ("_forward_kernel", "_backward_kernel", "fptt", "bptt")),
    (
        "products",
        ("gemm", "conv", "dgrad", "wgrad", "cutlass", "xmma", "winograd", "splitk", "cudnn"),
    ),
)
_NOT_A_KERNEL = "copy from host"  # the measured step finds its images on the device


def comparison(workload: str, measurement: Path) -> str:
    """Time, energy, memory and DRAM bytes, measured and modelled, as text.

    Raises:
        TraceError: the file is no measurement of this job, or of no GPU that is modelled.
    """
    step = _read(measurement)
    job = open_workload(workload)
    if step["sha256"] != job.sha256:
        raise TraceError(
            f"{measurement}: expected a measurement of {workload}, it is of {step['workload']}; "
            "give the job that was measured"
        )
    chosen = _device(measurement, step)
    model = network_baseline(network_of(job), chosen, step["precision"], step["neuron"])
    head = f"{job.name}, {step['precision']}, {step['neuron']}, {step['conditions']['gpu']}"
    lines = [f"{head} beside the model of {chosen.name}", _row("", "measured", "model", "")]
    lines += [*_totals(step, model), *_bytes_by_class(step, model)]
    return "\n".join(lines)


def _read(path: Path) -> dict[str, Any]:
    try:
        step: Any = parse_json(read_regular(path, _MAX_BYTES))
        for key in ("workload", "sha256", "precision", "neuron", "conditions", "time_s"):
            step[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TraceError(
            f"{path}: expected a file that python -m tlm_analysis.gpu.measure wrote "
            f"({type(error).__name__}: {error})"
        ) from error
    return dict(step)


def _device(path: Path, step: dict[str, Any]) -> Device:
    gpu = step["conditions"].get("gpu", "a CPU")
    for name in DEVICES:
        if name in gpu:
            return device(name)
    raise TraceError(f"{path}: measured on {gpu}; the model knows {', '.join(DEVICES)}")


def _totals(step: dict[str, Any], model: GpuBaseline) -> Iterable[str]:
    shortest, longest = model.time_s_range
    low, high = model.energy_j_range
    yield _row(
        "time, us",
        _spread(step["time_s"], 1e6),
        f"{1e6 * model.time_s:,.1f} ({1e6 * shortest:,.1f} to {1e6 * longest:,.1f})",
        _error(model.time_s, step["time_s"]["median"]),
    )
    if step["board_energy_j"] is not None:
        measured = step["board_energy_j"]
        usual = model.energy.total.value
        yield _row(
            "board energy, mJ",
            _spread(measured, 1e3),
            f"{1e3 * usual:,.2f} ({1e3 * low:,.2f} to {1e3 * high:,.2f})",
            _error(usual, measured["median"]),
        )
    if step.get("peak_nbytes") is not None:
        peak = step["peak_nbytes"]
        shown = f"{model.peak_nbytes / 2**20:,.1f}"
        error = _error(model.peak_nbytes, peak)
        yield _row("peak memory, MiB", f"{peak / 2**20:,.1f}", shown, error)


def _bytes_by_class(step: dict[str, Any], model: GpuBaseline) -> Iterable[str]:
    """DRAM megabytes of all kernels and by class, if counters were added."""
    if "kernels" not in step:
        yield "no DRAM counters in the file: add a log of ncu with --counters"
        return
    measured = _sums(
        (kernel_class(kernel["name"]), kernel["dram_read_nbytes"] + kernel["dram_write_nbytes"])
        for kernel in step["kernels"]
    )
    modelled = _sums(
        (model_class(kernel, step["neuron"]), moved.dram_nbytes)
        for kernel, moved in zip(model.kernels, model.traffic, strict=True)
        if kernel.name != _NOT_A_KERNEL
    )
    measured["all kernels"], modelled["all kernels"] = (
        sum(measured.values()),
        sum(modelled.values()),
    )
    for name in sorted(measured | modelled):
        mine, real = modelled.get(name, 0), measured.get(name, 0)
        shown = f"{real / 1e6:,.2f}", f"{mine / 1e6:,.2f}"
        yield _row(f"DRAM MB, {name}", *shown, _error(mine, real))


def _sums(kernels: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for kind, nbytes in kernels:
        sums[kind] = sums.get(kind, 0) + nbytes
    return sums


def kernel_class(name: str) -> str:
    """What a measured kernel is for, by its name."""
    lower = name.lower()
    for kind, words in _CLASSES:
        if any(word in lower for word in words):
            return kind
    return "other"


def model_class(kernel: Kernel, neuron: str) -> str:
    """The same of a kernel of the model; ``neuron`` unfused is not told from other launches."""
    if kernel.gemm is not None or kernel.name.endswith(" wgrad sum"):
        return "products"
    if kernel.phase == "update":
        return "optimizer"
    for kind, word in (("normalisation", " bn"), ("pooling", " pool"), ("neurons", " lif")):
        if word in kernel.name:
            return "other" if kind == "neurons" and neuron == "unfused" else kind
    return "other"


def _row(what: str, measured: str, model: str, error: str) -> str:
    return f"{what:28} {measured:>28} {model:>36} {error:>9}".rstrip()


def _spread(of: dict[str, float], scale: float) -> str:
    median, q1, q3 = (scale * of[name] for name in ("median", "q1", "q3"))
    return f"{median:,.2f} ({q1:,.2f} to {q3:,.2f})"


def _error(model: float, measured: float) -> str:
    return f"{model / measured - 1:+.1%}" if measured else ""
