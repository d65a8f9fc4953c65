"""Prices of inference cores: made of their tables, and of nothing else."""

from pathlib import Path

import pytest

from tlm.config import load_chip
from tlm.config.tables.array_core import array_core_tables, load_array_core
from tlm.config.tables.array_cost import core_array
from tlm.config.tables.energy import load_energy
from tlm.config.tables.glm_unit import glm_unit
from tlm.config.tables.synapse_array import load_synapse_array
from tlm.errors import ConfigError

CHIP = load_chip("spinaps").config
DRAM = "dram: {activate: {energy: 1 pJ, source: ours, confidence: assumed}}"
SCAN = "engine: {scan: {energy: 1 pJ, source: ours, confidence: assumed}}"


@pytest.mark.parametrize("name", array_core_tables())
def test_the_words_of_a_row_are_the_row(name: str) -> None:
    """80 words read are a row of the array, 80 additions those of a row; nothing else is priced."""
    core, table = load_array_core(name), load_energy(name, CHIP)
    array, unit = core_array(core, load_synapse_array(core.array)), glm_unit(core)
    assert 80 * table.pj("fp", "weight_read") == pytest.approx(array.read_pj)
    assert 80 * table.pj("fp", "mac_add") == pytest.approx(unit.row_pj)
    step_pj = 1280 * table.pj("fp", "glm_product") + 10 * table.pj("fp", "glm_draw")
    assert step_pj + table.pj("fp", "glm_arbitration") == pytest.approx(unit.step_pj)
    priced = {action for (part, action), entry in table.actions.items() if entry.energy_pj}
    assert priced == {
        *("weight_read", "mac_add", "glm_product", "glm_draw", "glm_arbitration"),
        *("router_bit", "link_bit", "read_bit", "write_bit"),
    }


def test_what_no_inference_core_does_has_no_price() -> None:
    """A run that did it would end with an error, not with a wrong figure."""
    with pytest.raises(ConfigError, match=r"missing energy action fp\.mac_mul"):
        load_energy("spinaps", CHIP).pj("fp", "mac_mul")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (f"actions: {{{SCAN}}}", "actions.engine: the inference core spinaps gives these"),
        ("array_core: spinap", r'array_core: no table of inference cores or file "spinap"'),
        ("array_core: 3", "array_core: "),
    ],
)
def test_a_table_that_contradicts_its_core_is_refused(body: str, text: str, tmp_path: Path) -> None:
    """In one line that says what to leave out."""
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: spinaps\nname: own\n{body}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=text):
        load_energy(path, CHIP)


def test_other_prices_stand_beside(tmp_path: Path) -> None:
    """DRAM and network are the table's own."""
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: spinaps\nname: own\nactions: {{{DRAM}}}\n", encoding="utf-8")
    assert load_energy(path, CHIP).pj("dram", "activate") == 1
