"""DRAM bytes by kernel from a CSV log of Nsight Compute's ``ncu``."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tlm.errors import TraceError
from tlm.files import parse_json, read_regular, whole_file

# --cache-control none: L2 keeps what the kernel before left, as in training; ncu's default flushes
# it. Both counters fit one pass, so that no kernel is replayed. --csv has one row per counter.
NCU_COMMAND = """\
ncu --metrics dram__bytes_read.sum,dram__bytes_write.sum --cache-control none \\
    --clock-control none --profile-from-start off --target-processes all \\
    --csv --print-units base --log-file step.csv \\
    python -m tlm_analysis.gpu.measure WORKLOAD --precision amp --neuron fused --profile"""

_MAX_BYTES = 16 << 20
_COUNTERS = {
    "dram__bytes_read.sum": "dram_read_nbytes",
    "dram__bytes_write.sum": "dram_write_nbytes",
}
_UNITS = {"byte": 1, "Kbyte": 10**3, "Mbyte": 10**6, "Gbyte": 10**9}


def add_counters(into: Path, log: Path) -> Path:
    """Add DRAM bytes by kernel, from a CSV log of ``ncu``, to a measurement.

    Raises:
        TraceError: either file is missing or is not what it should be.
    """
    try:
        result: Any = parse_json(read_regular(into, _MAX_BYTES))
        kernels = read_counters(log.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise TraceError(
            f"{into} and {log}: expected a measurement and a log of ncu: {error}"
        ) from error
    result["kernels"] = kernels
    for name in _COUNTERS.values():
        result[name] = sum(kernel[name] for kernel in kernels)
    with whole_file(into) as part:
        part.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return into


def read_counters(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Kernels of an ``ncu --csv`` log in order of launch, with their DRAM bytes.

    Lines of ncu itself (``==PROF==``) and of the program are passed over.

    Raises:
        ValueError: there is no table, a counter lacks or is in an unknown unit.
    """
    rows = csv.DictReader(line for line in lines if line.startswith('"'))
    kernels: dict[int, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        counter = _COUNTERS.get(row.get("Metric Name") or "")
        if counter is None:
            continue
        unit = row["Metric Unit"]
        if unit not in _UNITS:
            raise ValueError(f"unit {unit!r}, expected one of {', '.join(_UNITS)}")
        nbytes = round(float(row["Metric Value"].replace(",", "")) * _UNITS[unit])
        kernels[int(row["ID"])] |= {"name": row["Kernel Name"], counter: nbytes}
    if not kernels:
        raise ValueError("no DRAM counters in the log")
    for number, kernel in kernels.items():
        missing = [name for name in _COUNTERS.values() if name not in kernel]
        if missing:
            raise ValueError(f"kernel {number} ({kernel['name']}) has no {missing[0]}")
    return [kernels[number] for number in sorted(kernels)]
