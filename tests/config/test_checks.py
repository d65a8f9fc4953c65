"""Checks across keys: contradictions are found before time 0, with the keys and the remedy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.config import load_chip
from tlm.config.fabric import Mesh
from tlm.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("cores=21", "cores: more cores than mesh nodes: 21 cores on a mesh of 5 x 4 = 20 nodes;"),
        ("core.clock=3 GHz", "core.clock: time is counted in whole ps and 3000 MHz"),
        ("noc.clock=2000 GHz", 'noc.clock: expected at most 1000 GHz, got "2000 GHz"'),
        ("noc.link=100 bit", "noc.link: expected a multiple of 8 bit"),
        ("noc.payload=96 B", "noc.payload: expected a power of two of at least 64 B"),
        ("noc.payload=32 B", "noc.payload: expected a power of two of at least 64 B"),
        ("dram.interleave=1280 B", "dram.interleave: expected a power of two and a multiple of"),
        ("dram.interleave=128 B", "dram.interleave: expected a power of two and a multiple of"),
        ("dram.nodes=[0, 1, 2, 20]", "dram.nodes: node 20 is not on the mesh; its nodes are 0 to"),
        ("dram.nodes=[0, 1]", "dram.nodes: expected one node for each of dram.channels (4), got 2"),
        ("dram.write_low=26", "dram.write_high: expected dram.write_low < dram.write_high <="),
        ("dram.write_high=33", "dram.write_high: expected dram.write_low < dram.write_high <="),
        ("dram.bus=64 bit", "dram.bus: a channel of LPDDR4-3200 has a bus of 32 bit, got 64 bit"),
        (
            "core.pipeline_depth=9007199254740991 cycles",
            "core.pipeline_depth: expected at most 10000",
        ),
        ("noc.synchroniser=10001 cycles", "noc.synchroniser: expected at most 10000 cycle, got"),
        ("dram.latency=2 ms", 'dram.latency: expected at most 1 ms, got "2 ms"'),
        ("core.clock=1 kHz", 'core.clock: expected at least 10 kHz, got "1 kHz"'),
        ("noc.clock=1 Hz", 'noc.clock: expected at least 10 kHz, got "1 Hz"'),
        ('core.clocks=["0: 1 Hz"]', "core.clocks: expected at least 10 kHz"),
        ("core.engines.fp.rows=257", "core.engines.fp.rows: expected 256 or less, got 257"),
    ],
)
def test_a_contradiction_is_one_line(override: str, text: str) -> None:
    """Values that are fine alone but not together are refused, naming both keys."""
    with pytest.raises(ConfigError) as caught:
        load_chip("neuromc-20", [override])
    assert str(caught.value).splitlines()[0].split(": ", 1)[1].startswith(text)


def test_an_ideal_channel_has_no_commands_to_price() -> None:
    """Supply currents price activates and refreshes, of which the ideal model knows nothing."""
    device = ["dram.device=DDR4-2400", "dram.bus=64 bit", "dram.energy=currents"]
    assert load_chip("neuromc-20", device).config.dram.energy == "currents"
    with pytest.raises(ConfigError, match="currents price commands"):
        load_chip("neuromc-20", [*device, "dram.model=ideal"])


def test_the_suggested_clock_is_accepted() -> None:
    """The remedy that a refused clock is answered with works."""
    with pytest.raises(ConfigError) as caught:
        load_chip("neuromc-20", ["core.clock=3 GHz"])
    suggested = str(caught.value).rsplit('"', 2)[1]
    assert load_chip("neuromc-20", [f"core.clock={suggested}"]).config.core.period_ps == 333


@settings(max_examples=30)
@given(st.integers(10**6, 5 * 10**9))
def test_accepted_clocks_have_periods_within_a_thousandth(clock: int) -> None:
    """No accepted clock is simulated at another speed, to 0.1 %."""
    try:
        core = load_chip("neuromc-20", [f"core.clock={clock} Hz"]).config.core
    except ConfigError:
        exact = 10**12 / clock
        assert abs(round(exact) - exact) / exact >= 0.99e-3
    else:
        assert core.period_ps * clock == pytest.approx(10**12, rel=1e-3)


def test_edge_middles_of_the_preset() -> None:
    """On 5 x 4 nodes the channels stand in the middle of north, east, south and west."""
    assert load_chip("neuromc-20").config.dram_nodes == (2, 14, 17, 10)


@given(st.integers(1, 20), st.integers(1, 20))
def test_edge_middles_lie_on_their_edges(columns: int, rows: int) -> None:
    """Whatever the mesh, the four nodes are on it and on the edges they are named after."""
    north, east, south, west = Mesh(columns=columns, rows=rows).edge_middles()
    assert north // columns == 0
    assert east % columns == columns - 1
    assert south // columns == rows - 1
    assert west % columns == 0


def test_more_channels_than_edges_go_round_again() -> None:
    """Six channels at the edges: the fifth shares the node of the first."""
    nodes = load_chip("neuromc-20", ["dram.channels=6"]).config.dram_nodes
    assert nodes == (2, 14, 17, 10, 2, 14)
