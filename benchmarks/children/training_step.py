"""A training step in PyTorch on one core: ``python -m benchmarks.children.training_step JOB``."""

from __future__ import annotations

import json
import sys
import time

from tlm_analysis.gpu.measuring.training import TrainingStep

from tlm.workload import open_workload


def main(job: str) -> None:
    """Warm up with one step, measure the next; the amount is one step."""
    import torch

    torch.set_num_threads(1)
    step = TrainingStep(open_workload(job), "cpu", "fp32", "unfused")
    step.run()
    began = time.process_time()
    step.run()
    print(json.dumps({"amount": 1, "cpu_s": time.process_time() - began}))


if __name__ == "__main__":
    main(*sys.argv[1:])
