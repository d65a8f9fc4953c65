"""A DRAM channel alone: ``python -m benchmarks.children.dram KERNEL PATTERN REQUESTS BYTES``.

LPDDR4-3200, a saturating source; 0 bytes are one burst a request.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from tlm.compiled.driver import dram_replay
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import PatternGeometry, requests
from tlm.hardware.dram.replay import replay


def main(kernel: str, pattern: str, count: str, size: str) -> None:
    """Drive it; the amount is the requests."""
    timing = load_dram_timing("LPDDR4-3200")
    nbytes = int(size) or timing.burst_bytes
    offered = np.array(requests(pattern, int(count), PatternGeometry(line=nbytes)))
    model = dram_replay() if kernel == "compiled" else replay
    began = time.process_time()
    drive(timing, offered, DramLoad(), nbytes=nbytes, replay=model)
    print(json.dumps({"amount": len(offered), "cpu_s": time.process_time() - began}))


if __name__ == "__main__":
    main(*sys.argv[1:])
