"""A mesh of routers alone: ``python -m benchmarks.children.mesh KERNEL CYCLES``.

8 x 8 nodes, uniform traffic of 5 flits a packet at half of what the busiest link can pass.
"""

from __future__ import annotations

import json
import sys
import time

from tlm.compiled.driver import mesh_driver
from tlm.hardware.noc.driver import REFERENCE, NocRun, drive
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.traffic import TrafficPattern

FLITS = 5


def main(kernel: str, cycles: str) -> None:
    """Drive it; the amount is the packets of the window, all of which arrive."""
    bound = TrafficPattern("uniform", 8, 8, FLITS, FLITS, 1).bound()
    traffic = TrafficPattern("uniform", 8, 8, FLITS, bound / 2, 1)
    driver = mesh_driver() if kernel == "compiled" else REFERENCE
    began = time.process_time()
    measured = drive(traffic, RouterShape(), NocRun(0, int(cycles)), "router", driver)
    spent = time.process_time() - began
    if not measured.stable:
        raise SystemExit("half a load that does not settle")
    print(json.dumps({"amount": measured.packets, "cpu_s": spent}))


if __name__ == "__main__":
    main(*sys.argv[1:])
