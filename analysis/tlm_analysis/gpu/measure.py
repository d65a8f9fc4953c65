"""Measure a job's training step on a GPU: ``python -m tlm_analysis.gpu.measure``."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tlm.errors import TlmError
from tlm.files import whole_file
from tlm.workload import Workload, open_workload
from tlm_analysis.gpu.measuring.board import Board
from tlm_analysis.gpu.measuring.ncu import NCU_COMMAND, add_counters
from tlm_analysis.gpu.measuring.training import TrainingStep

WARM_UP_STEPS = 20
_STEPS_A_LOOK = 10  # at the clock, which waits for the device

_HELP = f"""\
Time and energy first (a profiler slows a step down), then DRAM bytes by kernel, then the model
beside them. WORKLOAD is a recorded job or a drawn one, such as 's-resnet18[B=16,T=4]:dense'.

python -m tlm_analysis.gpu.measure WORKLOAD --precision amp --neuron fused --out a100.json

{NCU_COMMAND}

python -m tlm_analysis.gpu.measure WORKLOAD --counters step.csv --into a100.json
python -m tlm_analysis.gpu.measure WORKLOAD --compare a100.json

ncu needs the right to read counters (as root, or the driver's NVreg_RestrictProfilingToAdminUsers
at 0). Its log has one row per kernel and counter. L2 is not flushed between kernels, clocks are not
locked. Time and energy are of windows of repeated steps, by the host's clock after the device is
done and by the board's energy counter (NVML), never a momentary power. Needs torch; energy and
clocks need pynvml (pip install nvidia-ml-py), fused neurons SpikingJelly.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, add counters or compare; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.counters is not None:
            print(add_counters(options.into, options.counters))
        elif options.compare is not None:
            from tlm_analysis.gpu.measuring.measured import comparison

            print(comparison(options.workload, options.compare))
        else:
            _run(options)
    except TlmError as error:
        print(f"tlm: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tlm_analysis.gpu.measure",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workload", metavar="WORKLOAD", help="a job: a bundled name or a file")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the file to write")
    parser.add_argument("--device", default="cuda", help="torch device (cpu: a dry run)")
    parser.add_argument("--precision", choices=("amp", "tf32", "fp32"), default="amp")
    parser.add_argument("--neuron", choices=("fused", "unfused"), default="fused")
    parser.add_argument("--window", type=float, default=5.0, help="seconds of one window")
    parser.add_argument("--windows", type=int, default=5, help="how many windows")
    parser.add_argument("--profile", action="store_true", help="one step between profiler marks")
    parser.add_argument("--counters", type=Path, metavar="CSV", help="a log of ncu to add")
    parser.add_argument("--into", type=Path, default=Path("gpu.json"), help="file to add it to")
    parser.add_argument("--compare", type=Path, metavar="JSON", help="set it beside the model")
    return parser


def _run(options: argparse.Namespace) -> None:
    workload = open_workload(options.workload)
    step = TrainingStep(workload, options.device, options.precision, options.neuron)
    for _ in range(WARM_UP_STEPS if options.device != "cpu" else 1):
        step.run()
    if options.profile:
        step.profile()
        return
    board = Board(options.device)
    before = board.state()
    windows = measure_windows(
        step.run, step.seconds, board.energy_j, options.window, options.windows
    )
    result = {
        **_job(workload, step),
        "precision": options.precision,
        "neuron": options.neuron,
        "conditions": conditions(options.device) | {"before": before, "after": board.state()},
        "window_s": options.window,
        **summarise(windows),
    }
    with whole_file(options.out) as part:
        part.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    print(options.out)


def _job(workload: Workload, step: TrainingStep) -> dict[str, Any]:
    return {
        "workload": workload.name,
        "sha256": workload.sha256,
        "batch": workload.batch,
        "steps": workload.steps,
        "inputs": step.inputs,
        "weights": step.weights,
        "spike_rates": step.spike_rates(),
        "loss": float(step.loss),
        "peak_nbytes": step.peak_nbytes(),
    }


def measure_windows(
    run: Callable[[], None],
    clock: Callable[[], float],
    energy_j: Callable[[], float | None],
    window_s: float,
    windows: int,
) -> list[tuple[float, float | None]]:
    """Time and energy of a step, one pair per window of repeated steps.

    ``clock`` waits for the device before it answers, s; ``energy_j`` is the board's counter.
    """
    measured = []
    for _ in range(windows):
        begin, joules = clock(), energy_j()
        steps, elapsed = 0, 0.0
        while elapsed < window_s:
            for _ in range(_STEPS_A_LOOK):
                run()
            steps += _STEPS_A_LOOK
            elapsed = clock() - begin
        after = energy_j()
        spent = None if joules is None or after is None else (after - joules) / steps
        measured.append((elapsed / steps, spent))
    return measured


def summarise(windows: Sequence[tuple[float, float | None]]) -> dict[str, Any]:
    """Median and quartiles over the windows, s and J per step; energy null where there is none."""
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


def conditions(device: str) -> dict[str, Any]:
    """Versions and the device."""
    import torch

    facts: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": device,
    }
    if device != "cpu":
        properties = torch.cuda.get_device_properties(0)
        facts |= {
            "gpu": properties.name,
            "multiprocessors": properties.multi_processor_count,
            "l2_nbytes": properties.L2_cache_size,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "energy": "board, without host",
        }
    return facts


if __name__ == "__main__":
    sys.exit(main())
