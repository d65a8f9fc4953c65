"""The studies of scaling, pipelining and mappings: what they vary, and what they say of a row."""

from tests.evidence import pipelining, random_mappings, scaling
from tlm.config import load_chip


def test_every_chip_of_the_scaling_study_is_legal() -> None:
    """1 to 64 cores on a mesh that holds them; as many channels as cores, each at a core."""
    for cores in (*scaling.CORES, 7, 61):
        for memory in scaling.MEMORIES:
            chip = load_chip("neuromc-20", scaling.overrides(cores, memory)).config
            assert chip.cores == cores <= chip.mesh.columns * chip.mesh.rows < 2 * cores + 4
            assert chip.dram.channels == (4 if memory == "4 channels" else cores)
            assert max(chip.dram_nodes) < chip.mesh.columns * chip.mesh.rows


def row(**changed: str) -> dict[str, str]:
    """A measured row of both studies."""
    return {
        "job": "a", "batch_norm": "-", "variant": "layerwise", "time_us": "100", "energy_uj": "10",
        "dram_kb": "1000", "cycles": "1000", "busiest_engine": "0.5", "dependency": "0.1",
        "samples": "4", "memory": "4 channels", "cores": "1", "computing": "0.4",
        "cores_used": "1", "waits_for": "dram", "waits": "0.2", "resource": "link x", "use": "0.5",
    } | changed  # fmt: skip


def test_speed_up_and_reason_follow_from_the_rows() -> None:
    """Twice as fast on 4 cores is an efficiency of a half; a full resource stops it."""
    rows = [row(), row(cores="4", time_us="50", cores_used="4", use="0.95")]
    text = scaling.section(rows)
    assert "| 4 channels | 4 | 50 | 2.00 | 50% |" in text
    assert "link x is full" in text
    assert scaling.stops(row(cores="4", cores_used="2")) == "layers fill 2 cores"


def test_a_loss_is_explained_by_what_has_grown() -> None:
    """DRAM bytes first where they grew most; a gain needs no reason."""
    slow = row(variant="pipelined", time_us="200", dram_kb="2000", cycles="1100")
    text = pipelining.section([row(), slow])
    assert "DRAM bytes x2.00, engine cycles x1.10" in text
    fast = row(variant="pipelined", time_us="50", dram_kb="2000")
    assert "DRAM bytes" not in pipelining.section([row(), fast]).split("|")[-2]
    alone = row(variant="pipelined", time_us="120", samples="1")
    assert "nothing to overlap" in pipelining.reason(alone, row())


def test_a_job_is_measured_against_its_random_mappings() -> None:
    """`map` is never slower than the default; its ratio is to the best of the random ones."""
    measured = random_mappings.measure("digits", "neuromc-20", 2)
    best, winner = float(measured["best_us"]), float(measured["map_us"])
    assert winner <= float(measured["default_us"])
    assert best <= float(measured["median_us"])
    line = random_mappings.section([measured]).splitlines()[-1]
    assert line.startswith("| digits | neuromc-20 | 2 |")
    assert f"| {winner / best:.2f} |" in line
