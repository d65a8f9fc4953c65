"""The time of one layer alone, by which its cut is chosen."""

from dataclasses import fields

import numpy as np

from tests.program.jobs import loaded_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.counts.core_arrays import arrays_of
from tlm.placement.grid_choice import layer_ps
from tlm.placement.layer_load import LayerLoad
from tlm.placement.slices import Slices
from tlm.placement.target import Target
from tlm.space.grid import Grid


def target(*overrides):
    """A chip to estimate for; a layer by itself asks for no stores."""
    loaded = loaded_chip(*overrides)
    timing = load_dram_timing(loaded.config.dram.device)
    return Target(loaded.config, arrays_of(loaded.config), timing, loaded.energy, lambda grids: [])


def grid(parts):
    """Twelve samples of one row, cut by samples."""
    samples = tuple(12 * part // parts for part in range(parts + 1))
    return Grid((0, 16), samples, (0, 1), (0, 1), tuple(range(parts)))


def load(parts, **given):
    """A load that is nothing but what is given; times are alike on all ``parts`` cores."""
    lengths = {field.name: parts if field.type == "Floats" else 1 for field in fields(LayerLoad)}
    values = dict.fromkeys([field.name for field in fields(LayerLoad)], 0.0) | {"reach": 1.0}
    values |= given
    return LayerLoad(
        **{
            name: np.broadcast_to(np.asarray(value, float), (lengths[name],))
            for name, value in values.items()
        }
    )


def test_phases_follow_each_other():
    """The slowest slice of FP, of BP and of WG, the reduction, and what the update moves."""
    chip, update = target(), 10**6
    layer = load(
        2, fp=[30, 40], grad=[2, 1], bp=[5, 4], wg=[11, 12], update=9, update_bytes=update,
        share_ps=3,
    )  # fmt: skip
    assert layer_ps(layer, Slices([grid(2)]), chip) == 40 + 7 + 12 + 3 + chip.dram_ps(update)


def test_replicas_send_to_one_core_at_a_time():
    """Four replicas that begin together send 3 + 2 + 1 shares through the port of one core."""
    assert layer_ps(load(4, share_ps=7), Slices([grid(4)]), target()) == 7 * 6


def test_cores_count_where_dram_bounds_fp_and_bp():
    """More cores shorten WG, which waits for BP, and so are worth a longer reduction."""
    chip = target()
    wide, narrow = (
        layer_ps(
            load(n, fp=ps, bp=ps, wg=ps, fp_bytes=10**6, bp_bytes=10**6, reduce_ps=n),
            Slices([grid(n)]),
            chip,
        )
        for n, ps in ((12, 10**5), (4, 3 * 10**5))
    )
    assert wide < narrow
