"""The time of one layer alone, by which its cut is chosen."""

from tests.program.jobs import loaded_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.counts.core_arrays import arrays_of
from tlm.placement.grid_choice import layer_ps
from tlm.placement.layer_load import LayerLoad
from tlm.placement.target import Target
from tlm.space.grid import Grid


def target(*overrides):
    """A chip to estimate for."""
    loaded = loaded_chip(*overrides)
    timing = load_dram_timing(loaded.config.dram.device)
    return Target(loaded.config, arrays_of(loaded.config), timing, loaded.energy)


def grid(parts):
    """Twelve samples of one row, cut by samples."""
    samples = tuple(12 * part // parts for part in range(parts + 1))
    return Grid((0, 16), samples, (0, 1), (0, 1), tuple(range(parts)))


def test_phases_follow_each_other():
    """The slowest slice of FP, of BP and of WG, the reduction, and what the update moves."""
    chip = target()
    update = 10**6
    load = LayerLoad((30, 40), (7, 5), (11, 12), 0, 0, update, 9, update, 3)
    assert layer_ps(load, grid(2), chip) == 40 + 7 + 12 + 3 + chip.dram_ps(update)


def test_cores_count_where_dram_bounds_fp_and_bp():
    """More cores shorten WG, which waits for BP, and so are worth a longer reduction."""
    chip = target()
    wide, narrow = (
        layer_ps(
            LayerLoad((ps,) * n, (ps,) * n, (ps,) * n, 10**6, 10**6, 0, 0, 0, n), grid(n), chip
        )
        for n, ps in ((12, 10**5), (4, 3 * 10**5))
    )
    assert wide < narrow
