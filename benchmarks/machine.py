"""Names the machine and the versions behind the figures."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Processor, cores, memory, Python and the packages that speed depends on, as one sentence."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next(line.split(":")[1].strip() for line in text.splitlines() if "model name" in line)
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    compiler = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True).stdout
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "simpy", "cython"))
    return (
        f"{model}, {os.cpu_count()} cores, {memory_gib:.0f} GiB of memory, "
        f"Python {platform.python_version()}, {packages}, g++ {compiler.strip()}"
    )
