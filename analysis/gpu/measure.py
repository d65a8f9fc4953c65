"""Measure a recorded job's training step on a GPU: ``python -m analysis.gpu.measure``.

Two runs make one JSON file, because a profiler slows a step down:

    python -m analysis.gpu.measure mnist-csnn --out a100.json
    ncu --metrics dram__bytes_read.sum,dram__bytes_write.sum --clock-control none --csv \\
        --profile-from-start off --log-file step.csv \\
        python -m analysis.gpu.measure mnist-csnn --profile
    python -m analysis.gpu.measure mnist-csnn --counters step.csv --into a100.json

Time and energy are those of windows of several seconds of repeated steps: CUDA events, and the
board's energy counter (NVML), never a momentary power. Needs torch; energy needs pynvml.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from analysis.gpu.training import TrainingStep
from tlm.errors import TlmError, TraceError
from tlm.workload import open_workload

if TYPE_CHECKING:
    from collections.abc import Iterable

WARM_UP_STEPS = 20
_COUNTERS = {
    "dram__bytes_read.sum": "dram_read_nbytes",
    "dram__bytes_write.sum": "dram_write_nbytes",
}
_UNITS = {"byte": 1, "Kbyte": 10**3, "Mbyte": 10**6, "Gbyte": 10**9}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the three forms; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.counters is not None:
            print(add_counters(options.into, options.counters))
        else:
            _run(options)
    except TlmError as error:
        print(f"tlm: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis.gpu.measure", description=__doc__)
    parser.add_argument("workload", help="a recorded job: a bundled name or a file")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the file to write")
    parser.add_argument("--device", default="cuda", help="torch device (cpu: a dry run)")
    parser.add_argument("--precision", choices=("amp", "tf32", "fp32"), default="amp")
    parser.add_argument("--neuron", choices=("fused", "unfused"), default="fused")
    parser.add_argument("--window", type=float, default=5.0, help="seconds of one window")
    parser.add_argument("--windows", type=int, default=5, help="how many windows")
    parser.add_argument("--profile", action="store_true", help="one step between profiler marks")
    parser.add_argument("--counters", type=Path, help="a CSV log of ncu to add")
    parser.add_argument("--into", type=Path, default=Path("gpu.json"), help="file to add it to")
    return parser


def _run(options: argparse.Namespace) -> None:
    workload = open_workload(options.workload)
    step = TrainingStep(workload, options.device, options.precision, options.neuron)
    for _ in range(WARM_UP_STEPS if options.device != "cpu" else 1):
        step.run()
    if options.profile:
        step.profile()
        return
    clock = step.seconds if options.device != "cpu" else perf_counter
    windows = measure_windows(
        step.run, clock, energy_counter(options.device), options.window, options.windows
    )
    result = {
        "workload": workload.name,
        "sha256": workload.sha256,
        "precision": options.precision,
        "neuron": options.neuron,
        "conditions": conditions(options.device),
        **summarise(windows),
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(options.out)


def measure_windows(
    run: Callable[[], None],
    clock: Callable[[], float],
    energy_j: Callable[[], float] | None,
    window_s: float,
    windows: int,
) -> list[tuple[float, float | None]]:
    """Time and energy of a step, one pair a window of repeated steps.

    ``clock`` waits for the device before it answers, s; ``energy_j`` is the board's counter.
    """
    found = []
    for _ in range(windows):
        begin, joules = clock(), energy_j() if energy_j else None
        steps, elapsed = 0, 0.0
        while elapsed < window_s:
            for _ in range(10):
                run()
            steps += 10
            elapsed = clock() - begin
        spent = energy_j() - joules if energy_j and joules is not None else None
        found.append((elapsed / steps, None if spent is None else spent / steps))
    return found


def summarise(windows: Sequence[tuple[float, float | None]]) -> dict[str, Any]:
    """Median and quartiles over the windows, s and J a step; energy null where there is none."""
    energies = [energy for _, energy in windows if energy is not None]
    return {
        "windows": len(windows),
        "time_s": _spread([time for time, _ in windows]),
        "board_energy_j": _spread(energies) if energies else None,
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    quartiles = (
        statistics.quantiles(values, n=4, method="inclusive")
        if len(values) > 1
        else [values[0]] * 3
    )
    return {"median": statistics.median(values), "q1": quartiles[0], "q3": quartiles[2]}


def energy_counter(device: str) -> Callable[[], float] | None:
    """The board's energy counter in J, or None where there is none."""
    try:
        import pynvml
    except ImportError:
        return None
    if device == "cpu":
        return None
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


def conditions(device: str) -> dict[str, Any]:
    """Versions, the device and its clocks as they are now."""
    import torch

    found: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": device,
    }
    if device != "cpu":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": properties.name,
            "multiprocessors": properties.multi_processor_count,
            "l2_nbytes": properties.L2_cache_size,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "sm_clock_mhz": torch.cuda.clock_rate(),
            "energy": "board, without host",
        }
    return found


def add_counters(into: Path, log: Path) -> Path:
    """Add DRAM bytes by kernel, from a CSV log of ``ncu``, to a measurement.

    Raises:
        TraceError: either file is missing or is not what it should be.
    """
    try:
        result = json.loads(into.read_text(encoding="utf-8"))
        kernels = read_counters(log.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise TraceError(
            f"{into} and {log}: expected a measurement and a log of ncu: {error}"
        ) from error
    result["kernels"] = kernels
    for name in _COUNTERS.values():
        result[name] = sum(kernel[name] for kernel in kernels)
    into.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return into


def read_counters(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Kernels of an ``ncu --csv`` log in order of launch, with their DRAM bytes.

    Raises:
        ValueError: there is no table, or a counter is in an unknown unit.
    """
    table = [line for line in lines if line.startswith('"')]
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in csv.DictReader(table):
        if row["Metric Name"] in _COUNTERS:
            if row["Metric Unit"] not in _UNITS:
                raise ValueError(
                    f"unit {row['Metric Unit']!r}, expected one of {', '.join(_UNITS)}"
                )
            nbytes = float(row["Metric Value"].replace(",", "")) * _UNITS[row["Metric Unit"]]
            found[row["ID"]] |= {"name": row["Kernel Name"], _COUNTERS[row["Metric Name"]]: nbytes}
    if not found:
        raise ValueError("no DRAM counters in the log")
    return [found[number] for number in sorted(found, key=int)]


if __name__ == "__main__":
    sys.exit(main())
