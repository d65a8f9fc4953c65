"""A device that the loader accepts is one that the channel can serve: requests end, no cost < 0."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hardware.dram.kernels import Kernel
from tlm.config.tables.dram_timing import DramTiming, load_dram_timing, timing_from_mapping
from tlm.errors import ConfigError
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.energy import channel_energy
from tlm.hardware.dram.patterns import PatternGeometry, requests

DDR4 = load_dram_timing("DDR4-2400")
WHOLE = DDR4.model_dump(by_alias=True, exclude={"name"}) | {"tck": f"{DDR4.tck_ps} ps"}
CLOCKS = [key for key in WHOLE if key.endswith("_clk")]
SHAPE = ["bank_groups", "banks_per_group", "rows", "columns", "burst_length", "bus_bits"]
CURRENTS = [key for key in DDR4.model_dump()["currents"] if key.startswith("idd")]

changes = st.fixed_dictionaries(
    {},
    optional={
        **{key: st.sampled_from([0, 1, 2, 4, 9, 60, 430, 500, 10**6]) for key in CLOCKS},
        **{key: st.sampled_from([1, 2, 8, 64, 1024]) for key in SHAPE},
    },
)
currents = st.fixed_dictionaries({}, optional={key: st.integers(1, 60) for key in CURRENTS})


def accepted(change: dict[str, int], current: dict[str, int]) -> DramTiming | None:
    """The device DDR4-2400 with those changes, if the loader takes it."""
    whole = DDR4.model_dump()["currents"]
    try:
        return timing_from_mapping("X", WHOLE | change | {"currents": whole | current}, "X")
    except ConfigError:
        return None


@settings(max_examples=150, deadline=None)
@given(changes, currents)
def test_what_is_accepted_is_served(
    kernel: Kernel, change: dict[str, int], current: dict[str, int]
) -> None:
    """Reads and writes of an odd device come to an end, and no part of their energy is negative."""
    timing = accepted(change, current)
    if timing is None:
        return
    offered = requests("mix21_rand", 40, PatternGeometry(line=timing.burst_bytes))
    measured = drive(timing, offered, DramLoad(), replay=kernel.replay)
    energy = channel_energy(timing, measured.counters, measured.time_ps)
    assert energy is not None
    parts = (energy.activate_pj, energy.read_pj, energy.write_pj, energy.refresh_pj)
    assert min(*parts, energy.background_pj) >= 0
