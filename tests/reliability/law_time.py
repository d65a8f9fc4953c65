"""The share of a run that its laws take: ``python -m tests.reliability.law_time``.

Processor time of whole runs without a trace, each in a process of its own. To the laws belong the
checks at the end and what is put down before for what is due.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from tlm.running import execution, preparation
from tlm.running.runner import run_job

JOBS = ("digits", "nmnist-cnn", "mnist-csnn", "cifar-sew")


class Timed:
    """A function that adds up the processor time of its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        began = time.process_time()
        try:
            return self.function(*arguments)
        finally:
            self.seconds += time.process_time() - began


def law_time(job: str) -> tuple[float, float]:
    """Processor time of a run's laws and of the whole run, in seconds."""
    checks, due = Timed(execution.check_run), Timed(preparation.due_of)
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(execution, "check_run", checks),
        mock.patch.object(preparation, "due_of", due),
    ):
        run = Timed(lambda: run_job(job, out=Path(folder) / "run", trace="off"))
        assert run().ok, job
    return checks.seconds + due.seconds, run.seconds


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name in sys.argv[1:] or JOBS:
            laws, whole = pool.apply(law_time, (name,))
            print(f"{name}: laws {laws:.3f} of {whole:.2f} s, {laws / whole:.1%}", flush=True)
