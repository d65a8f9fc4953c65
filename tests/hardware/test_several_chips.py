"""Several chips in one environment: each does what it does alone, to the picosecond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.hardware.kernels import ChipKernel, tuples
from tests.program.jobs import IDEAL_DRAM, built, conv, job, linear, loaded_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.chip import Chip, Site, unit_names
from tlm.hardware.energy import energy_rows
from tlm.kernel import run_until

SMALL = ("cores=4", "mesh.columns=2", "mesh.rows=2")
KINDS: dict[str, tuple[str, ...]] = {
    "packet": SMALL,
    "router": (*SMALL, "noc.model=router"),
    "ideal": (*SMALL, IDEAL_DRAM, "noc.model=ideal"),
}


@dataclass
class Placed:
    """A job on a chip of some kernel, and the rows that the chip leaves."""

    kernel: ChipKernel
    plan: Any
    program: Any
    tables: tuple[Any, ...] = ()

    def stand(self, site: Site | None) -> Chip:
        """The chip, built at a site; its rows begin anew."""
        timing = load_dram_timing(self.plan.chip.dram.device)
        chip, *self.tables = self.kernel.chip(self.plan.chip, timing, self.program, site)
        return chip

    def rows(self) -> tuple[object, ...]:
        """All rows that it has left."""
        return tuple(map(tuples, self.tables))


def placed(kernel: ChipKernel, kind: str, seed: int) -> Placed:
    """A small job whose masks, and so whose time, go by ``seed``."""
    layers = conv((2, 8, 8), 6, 3, padding=1), linear(6 * 64, 10)
    return Placed(kernel, *built(*job(*layers, batch=2, seed=seed), *KINDS[kind]))


def ended(chip: Chip) -> tuple[int, object]:
    """Run a chip to its end and settle it: its time, and its energy row by row."""
    run_until(chip.env, chip.finished)
    chip.settle()
    return chip.env.now, energy_rows(chip, loaded_chip().energy)


@pytest.mark.parametrize("kinds", [("packet",) * 3, ("packet", "router", "ideal", "packet")])
def test_chips_of_one_environment_run_as_if_alone(
    kinds: tuple[str, ...], chip_kernel: ChipKernel
) -> None:
    """Every transaction, interval, counter and picojoule: chips share the time and nothing else."""
    jobs = [placed(chip_kernel, kind, seed) for seed, kind in enumerate(kinds)]
    alone = [(*ended(single.stand(None)), single.rows()) for single in jobs]
    model = chip_kernel.model
    env = model.environment()
    chips = [single.stand(Site(env, f"chip{n}", model)) for n, single in enumerate(jobs)]
    for n in sorted(range(len(jobs)), key=lambda n: alone[n][0]):
        assert (*ended(chips[n]), jobs[n].rows()) == alone[n]
    assert len({time for time, _, _ in alone}) > 1 and len(alone[0][2][0]) > 50


def test_a_chip_is_called_by_its_name(chip_kernel: ChipKernel) -> None:
    """Its paths begin with it, as the names of its units do."""
    single, model = placed(chip_kernel, "packet", 0), chip_kernel.model
    chip = single.stand(Site(model.environment(), "worker3", model))
    names = unit_names(single.plan.chip, "worker3")
    assert [engine.path for engine in chip.engines] == [path for path, _ in names[:12]]
    assert names[-1][0].startswith("worker3.dram") and "worker3.core00.fp" in chip.waiting()[0]


def test_programs_begin_before_all_else_of_their_time(chip_kernel: ChipKernel) -> None:
    """Also before what was to come then when the chip was built."""
    single, model = placed(chip_kernel, "packet", 0), chip_kernel.model
    env, begun = model.environment(), []
    env.timeout(0).callbacks.append(  # type: ignore[union-attr]
        lambda _: begun.extend(engine.dma.outstanding for engine in chip.engines)
    )
    chip = single.stand(Site(env, model=model))
    env.step()
    assert begun == []
    run_until(env, chip.finished)
    assert max(begun) > 0
