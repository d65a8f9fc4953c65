"""Runs a command and writes what it took: ``python -I -S launcher.py REPORT COMMAND ...``.

Linux counts the memory of whoever starts a program as part of that program's peak. This file
imports so little that its own 10 MiB or so are the least that a peak can be.
"""

import json
import os
import sys
import time


def main(report: str, *command: str) -> int:
    """Write CPU-seconds (user and system, all threads), wall seconds and peak; give its status."""
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    figures = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.perf_counter() - began,
        "peak_mib": usage.ru_maxrss / 1024,
    }
    with open(report, "w", encoding="ascii") as file:
        json.dump(figures, file, allow_nan=False)
    return os.waitstatus_to_exitcode(status) & 255


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
