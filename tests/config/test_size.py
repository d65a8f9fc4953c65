"""Chips too large to be built are refused when they are loaded, in one line each."""

import pytest

from tlm.config import load_chip
from tlm.config.quantities import LONGEST_CHANGES
from tlm.errors import ConfigError


@pytest.mark.parametrize("cores", [1, 1000])
def test_a_mesh_of_too_many_nodes_is_refused_whatever_stands_on_it(cores: int) -> None:
    """Nodes without a core cost as much as others."""
    settings = ["mesh.columns=1000", "mesh.rows=1000", f"cores={cores}"]
    with pytest.raises(ConfigError, match=r"1000 x 1000 = 1,000,000 nodes; at most 65,536") as told:
        load_chip("neuromc-20", settings)
    assert len(str(told.value).splitlines()) == 1


def test_more_clock_ranges_than_cores_are_one_line() -> None:
    """Not one for each of them."""
    clocks = ", ".join(['"0: 400 MHz"'] * 60_000)
    with pytest.raises(ConfigError, match="60000 ranges of cores; there are 20 cores") as told:
        load_chip("neuromc-20", [f"core.clocks=[{clocks}]"])
    assert len(str(told.value).splitlines()) == 1


def test_a_name_holds_as_much_of_the_changes_as_a_chip_file_may() -> None:
    """However long what was set is, the chip is the same and its record can be read again."""
    states = ", ".join(f"a_layer_with_a_long_name_{layer}=keep" for layer in range(200))
    name = load_chip("neuromc-20", [f"mapping.states=[{states}]"]).config.name
    assert name.startswith("neuromc-20 + mapping.states=[")
    assert name.endswith("…")
    assert len(name) == len("neuromc-20 + ") + LONGEST_CHANGES
