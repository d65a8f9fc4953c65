"""The products of a training iteration in SCALE-Sim: ``python scalesim_gemms.py FILE``.

FP, BP and WG of every layer as dense matrix products over all samples and steps, one after the
other on one array of 16 x 16, as our default engines have, weight-stationary, with ample bandwidth.
Writes no trace. The amount is the multiply-accumulates by SCALE-Sim's own count.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from scalesim.scale_sim import scalesim

CONFIG = """[general]
run_name = run
[architecture_presets]
ArrayHeight: 16
ArrayWidth: 16
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Dataflow: ws
Bandwidth: 10
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def products(job: dict[str, Any]) -> Iterator[tuple[int, int, int]]:
    """(M, N, K) of every product.

    A convolution is im2col forward, col2im backward; the first layer has no BP.
    """
    for layer in job["layers"]:
        places = job["batch"] * job["steps"] * prod(layer["outputs"][1:])
        outputs, taps = layer["outputs"][0], layer["inputs"][0] * prod(layer["kernel"])
        yield places, outputs, taps
        if any(source >= 0 for source in layer["sources"]):
            yield places, taps, outputs
        yield outputs, taps, places


def main(file: str) -> None:
    """Write what it reads into the working directory, and simulate."""
    loading = time.process_time()
    with open(file, encoding="ascii") as stream:
        gemms = list(products(json.load(stream)))
    names = [f"product{number}" for number in range(len(gemms))]
    lines = [f"{name},{m},{n},{k},\n" for name, (m, n, k) in zip(names, gemms, strict=True)]
    Path("config.cfg").write_text(CONFIG, encoding="ascii")
    Path("topology.csv").write_text("Layer,M,N,K,\n" + "".join(lines), encoding="ascii")
    # It reads a layout for every layer even where none is used.
    layouts = [f"{name},{'1,' * 20}\n" for name in names]
    Path("layout.csv").write_text("Layer,\n" + "".join(layouts), encoding="ascii")
    with contextlib.redirect_stdout(io.StringIO()):
        simulator = scalesim(
            save_disk_space=True, verbose=False, config="config.cfg", topology="topology.csv",
            layout="layout.csv", input_type_gemm=True,
        )  # fmt: skip
        began = time.process_time()
        simulator.run_scale(top_path="results")
        ended = time.process_time()
        amount = simulator.topo.get_all_mac_ops()
    figures = {"amount": amount, "cpu_s": ended - began, "built_cpu_s": ended - loading}
    print(json.dumps(figures, allow_nan=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
