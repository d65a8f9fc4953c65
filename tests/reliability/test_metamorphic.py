"""What must follow when a chip or a job is changed in a known way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.program.jobs import Densities, built, conv, job, linear, loaded_chip
from tests.reliability.networks import DENSITIES
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.config.tables.energy_actions import LEAKAGE
from tlm.hardware.chip import Chip
from tlm.hardware.energy import energy_rows
from tlm.kernel import run_until
from tlm.space.program import Program

SMALL = ("cores=4", "mesh.columns=2", "mesh.rows=2", "dram.channels=2")
CLOCKED = (
    ("core.clock={} MHz", 500),
    ("noc.clock={} MHz", 400),
    ('core.clocks=["1-2: {} MHz"]', 250),
)
FIRST = conv((4, 8, 8), 20, 3, padding=1, pool=2)


def small_job(densities: Densities | None = None, seed: int = 0):
    """A convolution and a linear layer."""
    return job(FIRST, linear(320, 10), batch=3, steps=3, seed=seed, densities=densities)


def simulated(overrides: tuple[str, ...], program: Program, slower: int = 1) -> Chip:
    """A settled run; ``slower`` stretches the DRAM clock, and with it all its timings."""
    config = loaded_chip(*overrides).config
    timing = load_dram_timing(config.dram.device)
    timing = timing.model_copy(update={"tck_ps": timing.tck_ps * slower})
    chip = Chip(config, timing, program, None, None)
    run_until(chip.env, chip.finished)
    chip.settle()
    return chip


def clocks(slower: int) -> tuple[str, ...]:
    """Three clock domains, all slower by a factor; their periods stay whole."""
    return tuple(text.format(mhz // slower) for text, mhz in CLOCKED)


@pytest.mark.parametrize("noc", ["packet", "router", "ideal"])
def test_twice_the_period_of_all_clocks_takes_twice_the_time(noc: str) -> None:
    """The makespan doubles to the ps; cycles, bursts, activates and flits stay.

    Not with the ideal DRAM, which rounds each transfer up to whole ps.
    """
    base = (*SMALL, f"noc.model={noc}")
    _, program = built(*small_job(), *base)
    seen = []
    for slower in (1, 2):
        chip = simulated((*base, *clocks(slower)), program, slower)
        assert chip.env.now % slower == 0
        spent = [[time // slower for time in engine.spent_ps] for engine in chip.engines]
        channels = [
            (c.counters.bursts, c.counters.activates, c.counters.refreshes) for c in chip.channels
        ]
        flits = [link.flits for link in chip.network.all_links()]
        seen.append((chip.env.now // slower, spent, channels, flits))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("factor", [0.5, 4.0])
def test_energies_times_k_cost_k_times_as_much(factor: float) -> None:
    """With a power of two to the last bit, row by row; counts do not change."""
    _, program = built(*small_job(), *SMALL)
    chip, table = simulated(SMALL, program), loaded_chip(*SMALL).energy
    scaled = replace(
        table,
        actions={k: replace(a, energy_pj=a.energy_pj * factor) for k, a in table.actions.items()},
        leakage={k: replace(e, power_w=e.power_w * factor) for k, e in table.leakage.items()},
    )
    before, after = energy_rows(chip, table), energy_rows(chip, scaled)
    assert [row.count for row in after] == [row.count for row in before]
    assert [row.total_pj for row in after] == [row.total_pj * factor for row in before]


def work(mode: str, density: float, seed: int) -> Mapping[str, float]:
    """Work on one core, whose cuts do not depend on density; masks of one seed are nested."""
    modes = tuple(f"core.engines.{engine}.mode={mode}" for engine in ("fp", "bp", "wg"))
    overrides = ("cores=1", "mesh.columns=1", "mesh.rows=1", "dram.model=ideal", *modes)
    drawn = Densities(density, density, density, density, 1.0)
    chip = simulated(overrides, built(*small_job(drawn, seed), *overrides)[1])
    tallies = [tally for engine in chip.engines for tally in engine.tallies.values()]
    rows = energy_rows(chip, loaded_chip(*overrides).energy)
    engines = [r for r in rows if r.action != LEAKAGE and r.component in ("fp", "bp", "wg")]
    return {
        "useful": sum(tally.work.useful for tally in tallies),
        "executed": sum(tally.work.executed for tally in tallies),
        "cycles": sum(tally.cycles for tally in tallies),
        "compute_pj": math.fsum(row.total_pj for row in engines),
    }


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(
    mode=st.sampled_from(("vector", "element")),
    densities=st.lists(DENSITIES, min_size=2, max_size=2, unique=True).map(sorted),
    seed=st.integers(0, 99),
)
def test_denser_tensors_are_never_less_work(mode: str, densities: list[float], seed: int) -> None:
    """More spikes, masks and gradients: operations, slots, cycles and compute energy not down."""
    less, more = (work(mode, density, seed) for density in densities)
    assert all(more[name] >= less[name] for name in less), (less, more)
