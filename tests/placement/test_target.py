"""The target of a mapping: its tables are those of now, not those of an earlier plan."""

from tests.program.jobs import conv, job
from tlm.config.layers import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.config.tables.energy import ENERGY_FOLDER
from tlm.storage.planning import job_on_chip, make_plan


def test_an_edited_energy_file_is_seen_by_the_next_plan(tmp_path):
    """The same path, ten times the energy of a bit read from DRAM, in one process."""
    path = tmp_path / "mine.yaml"
    drawn = job(conv((3, 6, 6), 8, 3, padding=1), conv((8, 6, 6), 8, 3, padding=1))
    energies = []
    text = (ENERGY_FOLDER / "neuromc.yaml").read_text(encoding="utf-8")
    for content in (
        text,
        text.replace("read_bit: {energy: 20.3125 pJ", "read_bit: {energy: 203.125 pJ"),
    ):
        path.write_text(content, encoding="utf-8")
        loaded = load_chip("neuromc-20", [f"energy={path}"])
        timing = load_dram_timing(loaded.config.dram.device)
        energies.append(make_plan(*drawn, loaded, timing).chosen.best.estimate.energy_pj)
    assert energies[1] > energies[0]


def test_readers_in_step_keep_busy_the_channels_that_a_window_spans():
    """Windows of 8 packets of 256 B span 2.75 channels of 1 KiB; two anywhere leave 0.3125^2."""
    loaded = load_chip("neuromc-20")
    timing = load_dram_timing(loaded.config.dram.device)
    drawn = job(conv((3, 6, 6), 8, 3, padding=1), conv((8, 6, 6), 8, 3, padding=1))
    target = job_on_chip(*drawn, loaded, timing).target()
    assert target.channels_reached(1) == 2.75 / 4
    assert target.channels_reached(2) == 1 - (1.25 / 4) ** 2
