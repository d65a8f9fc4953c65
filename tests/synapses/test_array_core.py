"""An inference core in closed form: by hand, by its laws, and its published figure."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.spreads import with_value
from tlm.config.tables.array_core import ArrayCoreTable, load_array_core
from tlm.config.tables.array_cost import array_cost, core_array
from tlm.config.tables.glm_unit import glm_unit
from tlm.config.tables.synapse_array import load_synapse_array
from tlm.errors import ConfigError
from tlm.synapses.array_core import step_cost

ARRAYS = load_synapse_array()
TWINS = {name: load_array_core(name) for name in ("spinaps", "spinaps-sram", "spinaps-aggressive")}
SPINAPS = TWINS["spinaps"]
NAMES = st.sampled_from(sorted(TWINS))


def at(core: ArrayCoreTable, **values: float) -> ArrayCoreTable:
    """The core with other values; two underscores stand for a dot."""
    for name, value in values.items():
        core = with_value(core, name.replace("__", "."), value)
    return core


def test_a_neuron_by_hand() -> None:
    """One output, a basis function of 3 steps, sums of 4 bits, coefficients of 2, an LFSR of 8."""
    core = at(
        SPINAPS,
        network__outputs=1, network__basis=1, network__window=3, widths__sum_bits=4,
        widths__coefficient_bits=2, widths__lfsr_bits=8, widths__table_entries=4,
        widths__table_bits=3,
    )  # fmt: skip
    accumulate, history, product = 4 * (6 + 5), 3 * 4 * 5, 4 * (2 * 7.5 + 6 + 5)
    draw, table, arbiter = 8 * 5 + 3 * 2.5 + 3 * 3, 4 * 3 * 0.25, 3 + 4 * (3 + 5)
    unit = glm_unit(core)
    assert unit.gates == accumulate + history + product + draw + table + arbiter
    assert unit.row_pj == pytest.approx(accumulate * 0.2e-3)
    assert unit.step_pj == pytest.approx((history + 3 * product + draw + table + arbiter) * 0.2e-3)
    assert unit.step_cycles == 3 + 1 + 1


@given(st.integers(1, 64), st.integers(1, 16), st.integers(1, 16), st.integers(1, 16))
def test_more_multipliers_save_cycles_and_no_energy(
    outputs: int, basis: int, window: int, multipliers: int
) -> None:
    """Products of a step are K x tau a neuron, however many multipliers share them."""
    shape = at(SPINAPS, network__outputs=outputs, network__basis=basis, network__window=window)
    few, many = (glm_unit(at(shape, widths__multipliers=count)) for count in (1, multipliers))
    assert few.step_pj == many.step_pj
    assert few.step_cycles == basis * window + outputs + 1
    assert many.step_cycles == ceil(basis * window / multipliers) + outputs + 1
    assert many.gates >= few.gates


def test_a_step_is_its_rows_its_neurons_and_its_leakage() -> None:
    """784 rows of 10 x 8 x 8 bits; 104 rows and 8 x 16 + 10 + 1 cycles of 2 ns."""
    cost, unit = step_cost(SPINAPS, ARRAYS), glm_unit(SPINAPS)
    array = array_cost(784, 640, "stt-ram", ARRAYS)
    assert cost.synaptic_operations == 1040
    assert cost.time_ps == 243 * 2000
    assert cost.array_pj == pytest.approx(104 * array.read_pj)
    assert cost.logic_pj == pytest.approx(104 * unit.row_pj + unit.step_pj)
    gates = unit.gates + 5000
    assert cost.leakage_pj == pytest.approx((array.leakage_w + gates * 1e-9) * 486_000)
    assert cost.area_mm2 == pytest.approx(array.area_mm2 + gates * 0.64e-6 / 0.7)
    expected = 1e3 * 1040 / (cost.array_pj + cost.logic_pj + cost.leakage_pj) / cost.area_mm2
    assert cost.gsops_per_w_mm2 == pytest.approx(expected)


def test_a_slow_array_takes_several_cycles_a_row() -> None:
    """1.44 ns are one cycle of 2 ns, two of 1 ns."""
    fast = step_cost(at(SPINAPS, clock=1_000_000_000), ARRAYS)
    assert fast.time_ps == (2 * 104 + 139) * 1000


@given(NAMES, st.floats(0, 1e9))
def test_waiting_costs_leakage_alone(name: str, step_ps: float) -> None:
    """A step time below that of the work changes nothing; beyond, only leakage grows with it."""
    busy = step_cost(TWINS[name], ARRAYS)
    waiting = step_cost(at(TWINS[name], work__step_time=step_ps), ARRAYS)
    leakage = busy.leakage_pj * max(1.0, step_ps / busy.time_ps)
    time = max(busy.time_ps, step_ps)
    assert waiting == replace(busy, time_ps=time, leakage_pj=waiting.leakage_pj)
    assert waiting.leakage_pj == pytest.approx(leakage)


@given(NAMES, st.integers(1, 400))
def test_energy_is_linear_in_spikes(name: str, spikes: int) -> None:
    """One spike more is a row, its additions and a cycle of leakage, whatever came before."""
    few, more = (
        step_cost(at(TWINS[name], work__spikes=float(count)), ARRAYS)
        for count in (spikes, spikes + 1)
    )
    row = core_array(TWINS[name], ARRAYS).read_pj + glm_unit(TWINS[name]).row_pj
    leakage = few.leakage_pj / few.time_ps * 2000
    assert more.energy_pj - few.energy_pj == pytest.approx(row + leakage, rel=1e-6)


def test_twins_differ_in_their_cells_alone() -> None:
    """Same logic, same work, same time."""
    costs = [step_cost(core, ARRAYS) for core in TWINS.values()]
    assert len({(cost.logic_pj, cost.logic_mm2, cost.time_ps) for cost in costs}) == 1
    assert len({cost.array_pj for cost in costs}) == 3
    assert TWINS["spinaps-sram"].network == SPINAPS.network


def test_stt_ram_wins_by_waiting() -> None:
    """At full speed both are alike; where leakage rules the ratio is twice the published 4x."""

    def ratio(step_ps: float) -> float:
        stt, sram = (
            step_cost(at(TWINS[name], work__step_time=step_ps), ARRAYS).gsops_per_w_mm2
            for name in ("spinaps", "spinaps-sram")
        )
        return stt / sram

    assert 0.9 < ratio(0) < 1.1
    assert ratio(1e6) < 4 < ratio(1e7)
    assert ratio(1e9) > 8


def test_an_unknown_technology_is_refused() -> None:
    """With those that the table has."""
    core = SPINAPS.model_copy(update={"technology": "pcm"})
    with pytest.raises(ConfigError, match=r'spinaps: .* nvsim32 has no "pcm"; it has sram, stt-'):
        step_cost(core, ARRAYS)
