"""The calibrated constants of ``nvsim32``: medians over the arrays that NVSim computes.

``python -m tests.evidence.array_fit`` prints least, median and greatest of each. Every constant has
one closed form: what is left of a figure when all that is known already is taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import sqrt
from statistics import median

from tlm.config.tables.synapse_array import SynapseArrayTable, load_synapse_array
from tlm.synapses.nvsim import NvsimArray, nvsim_arrays

Samples = dict[str, list[float]]


def samples(table: SynapseArrayTable, arrays: Iterable[NvsimArray]) -> Samples:
    """What each array says of each constant, by the constant's dotted name, from least on."""
    arrays = list(arrays)
    resistive = [array for array in arrays if array.technology != "sram"]
    wire = _each(resistive, lambda array: _wire(array, table), "write_pj")
    leakage = _each(resistive, lambda array: _leakage(array) / _periphery_mm2(array, table) / 1e3)
    constants: Samples = {"wire": wire, "periphery_leakage": leakage}
    for technology in table.technologies:
        group = [array for array in arrays if array.technology == technology]
        name = f"technologies.{technology}"
        constants[f"{name}.periphery"] = _each(
            group, lambda array: _periphery_mm2(array, table) / sqrt(array.bits) * 1e6
        )
        constants[f"{name}.read_bit"] = _each(
            group, lambda array: _read_bit(array, table.wire.value)
        )
    constants["technologies.sram.cell_leakage"] = _each(
        (array for array in arrays if array.technology == "sram"),
        lambda array: _cell_leakage(array, table),
    )
    return constants


def main() -> None:
    """Print all constants."""
    table = load_synapse_array()
    for name, values in samples(table, nvsim_arrays()).items():
        print(f"{name:44} {values[0]:.3g} {median(values):.3g} {values[-1]:.3g}")


def _each(
    arrays: Iterable[NvsimArray], measure: Callable[[NvsimArray], float], figure: str = "area_mm2"
) -> list[float]:
    return sorted(measure(array) for array in arrays if figure in array.figures)


def _side(array: NvsimArray) -> float:
    return sqrt(array.figures["area_mm2"])


def _leakage(array: NvsimArray) -> float:
    return array.figures["leakage_mw"]


def _wire(array: NvsimArray, table: SynapseArrayTable) -> float:
    cell = table.technologies[array.technology].write_bit.value
    return (array.figures["write_pj"] / array.width - cell) / _side(array)


def _read_bit(array: NvsimArray, wire: float) -> float:
    return array.figures["read_pj"] / array.width - wire * _side(array)


def _periphery_mm2(array: NvsimArray, table: SynapseArrayTable) -> float:
    cell = table.technologies[array.technology].cell_f2.value * table.feature_nm**2 * 1e-12
    return array.figures["area_mm2"] - array.bits * cell


def _cell_leakage(array: NvsimArray, table: SynapseArrayTable) -> float:
    periphery_mw = _periphery_mm2(array, table) * table.periphery_leakage.value * 1e3
    return (_leakage(array) - periphery_mw) / array.bits / 1e3


if __name__ == "__main__":
    main()
