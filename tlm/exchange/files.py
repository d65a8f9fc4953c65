"""Open another tool's file by its kind: a NIR graph, a CSV of SCALE-Sim, a YAML of loop nests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlm.config.yaml_file import parse_yaml
from tlm.errors import ConfigError, WorkloadError
from tlm.exchange import loop_nests, nir_graph, scale_sim
from tlm.exchange.layer_list import ListedLayer, joined
from tlm.files import read_regular
from tlm.workload.file.graph import check_layers
from tlm.workload.model import Encoding, Layer
from tlm.workload.network import Network

_MAX_BYTES = 1 << 20
_KINDS = ".nir (NIR), .csv (SCALE-Sim) or .yaml (ZigZag, Timeloop)"


def read_network(paths: Sequence[Path], batch: int, steps: int) -> Network:
    """The network that ``paths`` describe, with B samples and T steps, which no such file knows.

    Several files are layers in the order of the forward pass: Timeloop has a problem a file.

    Raises WorkloadError naming file and place of what cannot be taken over.
    """
    first = paths[0]
    coding: Encoding = "direct"
    if first.suffix == ".nir":
        if len(paths) > 1:
            raise WorkloadError(f"{paths[1]}: expected one graph, in one file")
        layers, coding, tool = _nir(first), "rate", "NIR"
    else:
        listed = [layer for path in paths for layer in _listed(path)]
        if not listed:
            raise WorkloadError(f"{first}: expected at least one layer, there is none")
        layers = joined(str(first), listed)
        tool = "SCALE-Sim" if first.suffix == ".csv" else "loop nests"
    check_layers(first, layers)
    return Network(first.stem[:64], layers, batch, steps, coding, f"{tool}: {first.name}")


def _nir(path: Path) -> tuple[Layer, ...]:
    try:
        import nir
    except ImportError:
        raise WorkloadError(
            f"{path}: reading NIR needs the package nir; install it with pip install 'snn-tlm[nir]'"
        ) from None
    if not path.is_file():
        raise WorkloadError(f"{path}: no such file; check the path")
    try:
        graph = nir.read(path, type_check=False)  # sizes are checked with the layers
    except Exception as error:  # whatever a damaged file makes of it
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise WorkloadError(
            f"{path}: no NIR graph that the package nir can read: {reason}"
        ) from None
    return nir_graph.layers_of(path, graph)


def _listed(path: Path) -> list[ListedLayer]:
    try:
        text = read_regular(path, _MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WorkloadError(f"{path}: expected UTF-8 text; byte {error.start} is not") from None
    except ValueError as error:
        raise WorkloadError(f"{path}: cannot be read: {error}") from None
    if path.suffix == ".csv":
        return scale_sim.listed_layers(path, text)
    if path.suffix not in (".yaml", ".yml"):
        raise WorkloadError(f"{path}: expected {_KINDS}")
    try:
        content = parse_yaml(text, str(path))
    except ConfigError as error:
        raise WorkloadError(str(error)) from None
    return loop_nests.listed_layers(path, content)
