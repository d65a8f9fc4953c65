from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tlm_analysis.gpu.baseline import network_baseline
from tlm_analysis.gpu.checks.published import points
from tlm_analysis.gpu.checks.published_layers import lif_layers, linear_lif
from tlm_analysis.gpu.comparison.chip_run import chip_run, counted_dram_nbytes
from tlm_analysis.gpu.comparison.compare import Comparison, compare
from tlm_analysis.gpu.comparison.sensitivity import (
    AssumptionEnds,
    dram_reduction,
    energy,
    outcomes,
    swings,
)
from tlm_analysis.gpu.comparison.sweep import even, read_sweep
from tlm_analysis.gpu.device.devices import A100, Range
from tlm_analysis.gpu.page.chip_tables import (
    break_even_table,
    chip_table,
    claim_table,
    count_check,
    verdict,
)
from tlm_analysis.gpu.page.plots import reduction_figure, tornado_figure
from tlm_analysis.gpu.screen import screen
from tlm_analysis.gpu.step.recorded import network_named, network_of

from tests.trace.summaries import SUMMARY, write_summary
from tlm.errors import ConfigError, TraceError
from tlm.workload import open_workload

SMALL = network_of(open_workload("s-resnet18[B=2,T=1]:dense"))

ENERGY = """component,action,phase,layer,count,pj_each,total_pj,source,confidence
fp,slot,fp,0,10,2.0,20.0,here,assumed
engine,scan,fp,0,40,0.1,4.0,here,assumed
"""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run folder of ``mnist-csnn`` with figures that can be divided in the head."""
    write_summary(tmp_path)
    (tmp_path / "energy.csv").write_text(ENERGY)
    return tmp_path


def comparison(least: float, most: float) -> Comparison:
    """A chip that saves the given shares of the DRAM bytes of a small job on the A100."""
    gpu = network_baseline(SMALL, A100)
    moved = gpu.dram_nbytes
    chip = Range((1 - most) * moved, (1 - (least + most) / 2) * moved, (1 - least) * moved)
    return Comparison("net", "fused", "amp", gpu, chip, "counted (assumed)")


def test_a_run_folder_is_read(run_dir: Path) -> None:
    """Bytes of both directions, seconds, joules; a run that scans for zeros is sparse."""
    run = chip_run(run_dir)
    assert (run.dram_nbytes, run.time_s, run.energy_j) == (4_000_000, 1e-3, 1e-3)
    assert (run.kind, run.activity) == ("sparse", "recorded")


def test_a_run_that_never_scans_is_dense(run_dir: Path) -> None:
    """The energy table tells: nothing was spent on looking for zeros."""
    (run_dir / "energy.csv").write_text(ENERGY.replace("4.0", "0.0"))
    assert chip_run(run_dir).kind == "dense"


def test_a_run_as_an_ann_is_told_by_its_activity(run_dir: Path) -> None:
    """What was drawn stands in the summary."""
    workload = replace(SUMMARY.workload, activity="dense ANN (T=1)", steps=1)
    write_summary(run_dir, workload=workload)
    run = chip_run(run_dir)
    assert (run.kind, run.batch, run.steps) == ("ann", 16, None)


def test_a_run_with_an_ideal_memory_gives_bytes_but_no_time(run_dir: Path) -> None:
    """It stands in the table of bytes, marked, and not in that of time and energy."""
    write_summary(run_dir, chip=replace(SUMMARY.chip, dram_model="ideal"))
    run = chip_run(run_dir)
    assert run.ideal
    assert compare(SMALL, run)[0].chip_by == "recorded (ideal memory)"
    assert "mnist-csnn" not in chip_table([run])


def test_the_gpu_does_the_job_that_ran(run_dir: Path) -> None:
    """Another mini-batch than usual is that of both sides; on the screen it must be named."""
    write_summary(run_dir, workload=replace(SUMMARY.workload, batch=2))
    run = chip_run(run_dir)
    one = compare(network_named("mnist-csnn"), run)[0]
    assert one.network == "mnist-csnn B=2 T=4"
    assert (
        one.gpu.traffic == network_baseline(run.same_job(network_named("mnist-csnn")), A100).traffic
    )
    with pytest.raises(ConfigError, match="expected B=16 T=4, the run has B=2 T=4"):
        screen(network_named("mnist-csnn"), "A100", "amp", "fused", [run_dir], top=0)


def test_an_invalid_run_is_refused(run_dir: Path) -> None:
    """Figures of a run that breaks a law are never compared."""
    write_summary(run_dir, status="invalid")
    with pytest.raises(TraceError, match="the run is invalid"):
        chip_run(run_dir)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """The line names the file and what leaves such a folder."""
    with pytest.raises(
        TraceError, match=r"summary\.json: no such file; give the folder of a finished run"
    ):
        chip_run(tmp_path)


def sweep_file(folder: Path, **changed: object) -> Path:
    """What the command prints: dense costs 4, the ANN 2, drawn masks 1 at 1 % to 16 at 100 %."""
    costs = {"recorded": 1, "dense": 4, "ann": 2}
    found = {
        "runs": {
            name: {"makespan_ps": cost * 10**9, "total_pj": cost * 1e9, "dram_nbytes": 10**6}
            for name, cost in costs.items()
        },
        "drawn": [
            {"density": density, "makespan_ps": cost * 10**9, "total_pj": cost * 1e9}
            for density, cost in ((0.01, 1), (0.1, 4), (1.0, 16))
        ],
    }
    path = folder / "mnist-csnn.json"
    path.write_text(json.dumps(found | changed))
    return path


def test_a_sweep_is_read_and_breaks_even_by_hand(tmp_path: Path) -> None:
    """Cost 4 is met at 10 %; cost 2, halfway from 1 to 4 by a power law, at 3.2 %."""
    sweep = read_sweep(sweep_file(tmp_path))
    assert (sweep.workload, sweep.runs["dense"].time_s) == ("mnist-csnn", 4e-3)
    assert sweep.time_even("dense") == pytest.approx(0.1)
    assert sweep.energy_even("ann") == pytest.approx(10**-1.5)


def test_nothing_is_extrapolated_beyond_the_sweep() -> None:
    """A cost outside all points is met nowhere: they are all cheaper, or all dearer."""
    points = [(0.1, 2.0), (1.0, 8.0)]
    assert even(points, 1.0) == "dearer"
    assert even(points, 9.0) == "cheaper"
    assert even(points, 8.0) == pytest.approx(1.0)
    assert even(points[::-1], 5.0) == "no rise"


def test_a_file_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    """The line names the command that prints one."""
    with pytest.raises(TraceError, match="tlm counterfactual JOB --json"):
        read_sweep(sweep_file(tmp_path, runs={}))


@pytest.mark.parametrize(
    ("least", "most", "verdict"),
    [
        (0.2, 0.5, "below"),
        (0.4, 0.7, "overlaps"),
        (0.6, 0.8, "inside"),
        (0.8, 0.9, "overlaps"),
        (0.9, 0.95, "above"),
    ],
)
def test_verdict_against_the_band(least: float, most: float, verdict: str) -> None:
    """The band is 55 to 85 %; a range wholly in it is inside, partly in it overlaps."""
    one = comparison(least, most)
    assert one.verdict == verdict
    assert one.reduction == pytest.approx((least, most))
    assert one.middle == pytest.approx((least + most) / 2)


def test_a_job_that_fits_in_l2_has_no_reduction() -> None:
    """Nothing is compared where DRAM need not be touched."""
    one = comparison(0.6, 0.8)
    inside = replace(one, gpu=replace(one.gpu, fits_in_l2=True))
    assert inside.reduction is None
    assert inside.verdict == "not applicable"


def test_counted_bytes_by_hand() -> None:
    """8.8 to 20.8 B a neuron and step, and 16-bit weights 5 to 5 times at T = 1."""
    count = counted_dram_nbytes(SMALL)
    assert count.least == pytest.approx(8.8 * 2 * SMALL.neurons + 10 * SMALL.weights)
    assert count.most == pytest.approx(20.8 * 2 * SMALL.neurons + 10 * SMALL.weights)


def test_three_of_four_published_peaks_lie_within_ten_percent() -> None:
    """CIFAR10DVSVGG's peak memory; batch 16 comes from another page and is not explained."""
    errors = [abs(p.error) for p in points("memory of the network")]
    assert len(errors) == 4
    assert sum(error <= 0.10 for error in errors) >= 3


def test_the_timed_neuron_layers_are_reproduced() -> None:
    """PyTorch's layer within 5 % and CuPy's within 15 %, T = 8; nothing is fitted to them."""
    errors = {point.what: abs(point.error) for point in lif_layers((8,))}
    assert len(errors) == 4
    for what, error in errors.items():
        assert error <= (0.05 if "torch" in what else 0.15), what


def test_published_peaks_of_a_linear_layer_and_neurons_lie_within_five_percent() -> None:
    """Cleared tensors, and the last output kept while the next is made, explain the memory."""
    memory = [point for point in linear_lif() if point.unit == "GB"]
    assert len(memory) == 3
    assert all(abs(point.error) <= 0.05 for point in memory)


def test_wide_products_lie_within_five_percent() -> None:
    """The efficiency is that of the widest; shapes and waves explain all others."""
    wide = [p for p in points("products") if "12288 x 12288" in p.what]
    assert len(wide) == 8
    assert all(abs(p.error) <= 0.05 for p in wide)


@pytest.fixture(scope="module")
def cases() -> tuple[AssumptionEnds, ...]:
    """Every assumption at its ends, on the A100."""
    return outcomes(A100, SMALL)


def test_precision_and_fusion_move_the_bytes_more_than_the_cache(
    cases: tuple[AssumptionEnds, ...],
) -> None:
    """The widest swings come first, and what has no part in bytes moves nothing."""
    found = swings(cases, dram_reduction(counted_dram_nbytes(SMALL).value))
    widths = [swing.width for swing in found]
    assert widths == sorted(widths, reverse=True)
    by_name = {swing.assumption: swing.width for swing in found}
    assert by_name["precision (AMP, FP32)"] > by_name["dirty share"]
    assert by_name["idle power"] == 0


def test_more_idle_power_is_more_energy(cases: tuple[AssumptionEnds, ...]) -> None:
    """Every energy assumption moves the energy in its own direction."""
    found = {swing.assumption: swing for swing in swings(cases, energy)}
    for name in ("idle power", "DRAM pJ/bit", "L2 pJ/bit", "arithmetic", "launch interval"):
        assert found[name].most > found[name].least


def test_figures_draw(cases: tuple[AssumptionEnds, ...]) -> None:
    """A row per network with a mark per baseline, two bars per assumption."""
    figure = reduction_figure([comparison(0.4, 0.7), replace(comparison(-3, -2), network="far")])
    assert [one.get_text() for one in figure.axes[0].get_yticklabels()] == [
        "net\ncounted (assumed)",
        "far\ncounted (assumed)",
    ]
    found = swings(cases, energy)
    tornado = tornado_figure(found, energy(network_baseline(SMALL, A100)), "J")
    assert len(tornado.axes[0].patches) == 2 * len(found)


def test_the_page_says_where_every_network_lies() -> None:
    """Words are made of the table: below, within and above the band, and what fits in L2."""
    here = [comparison(0.6, 0.7), comparison(0.2, 0.3), comparison(0.9, 0.95)]
    names = ("inside", "under", "over")
    compared = [replace(one, network=name) for one, name in zip(here, names, strict=True)]
    small = replace(comparison(0.6, 0.7), network="tiny")
    compared.append(replace(small, gpu=replace(small.gpu, fits_in_l2=True)))
    text = verdict(compared)
    assert "within the band: inside (65%, counted); below the band: under (25%, counted)" in text
    assert "the claim is open under fused amp" in text
    simulated = [replace(one, chip_by="recorded") for one in compared]
    assert "holds for 1 of 3 under fused amp; is open under fused fp32" in verdict(simulated)
    assert "the claim holds for 1 of 1 under fused amp" in verdict(simulated[:1])
    assert "Everything fits in L2 under one baseline at least: tiny." in text
    assert "fits in L2" in claim_table(compared)


def test_the_page_stands_every_run_beside_the_gpu(tmp_path: Path) -> None:
    """Sparse, dense and ANN runs of a job are one row; ratios are those of the sparse one."""
    sweep = read_sweep(sweep_file(tmp_path))
    row = chip_table(list(sweep.runs.values())).splitlines()[-1]
    assert "| 1,000, 1 | 4,000, 4 | 2,000, 2 |" in row
    assert "10.0%" in break_even_table([sweep])
    count = counted_dram_nbytes(network_named("mnist-csnn")).value
    assert f"mnist-csnn {1e6 / count:.2f}" in count_check(list(sweep.runs.values()))


def test_screen_shows_conditions_and_runs(run_dir: Path) -> None:
    """Every comparison stands above the conditions it holds under."""
    text = screen(network_named("mnist-csnn"), "A100", "amp", "fused", [run_dir], top=3)
    assert "chip chip, sparse: 1,000 us" in text
    assert text.index("chip chip") < text.index("Conditions") < text.index("not applicable")


def test_screen_of_a_network_known_by_its_shapes() -> None:
    """Without a run the chip is counted, and says so."""
    text = screen(network_named("s-resnet18"), "H100", "amp", "fused", [], top=0)
    assert "counted by element (assumed, not simulated)" in text


def test_a_run_of_another_job_is_refused(run_dir: Path) -> None:
    """Figures of two jobs are never compared."""
    with pytest.raises(ConfigError, match="expected a run of mnist-fc, it is of mnist-csnn"):
        screen(network_named("mnist-fc"), "A100", "amp", "fused", [run_dir], top=0)


def test_time_lies_between_its_ends() -> None:
    """Better efficiencies and shorter launches bound the time below, the worse ones above."""
    found = network_baseline(SMALL, A100)
    shortest, longest = found.time_s_range
    assert shortest < found.time_s < longest
