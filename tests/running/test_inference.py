"""Inference of bundled jobs: the forward pass of training and nothing else."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import tlm.trace
from tests.running.test_determinism import datasets
from tlm.errors import ConfigError
from tlm.running.runner import RunResult, run_job
from tlm.space.phase import Command
from tlm.space.trace_rows import EngineState
from tlm.workload import open_workload

Both = tuple[RunResult, RunResult]
JOBS = ("mnist-fc", "mnist-csnn", "mnist-csnn-bn", "mnist-fc-t25", "digits", "nmnist-cnn",
        "cifar-vgg8", "cifar-sew", "pattern-retention")  # fmt: skip
# Batch statistics become a bias; of S and m, m is for BP alone.
FOLDED = {"norm_stat", "norm_op", "norm_write", "norm_read", "norm_channel", "norm_add", "bias_add"}
DROPPED = "state_write"


@pytest.fixture(scope="module", params=JOBS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """A training iteration, and inference with the same samples on the same slices."""
    folder = tmp_path_factory.mktemp("both")
    trained = run_job(request.param, out=folder / "trained", trace="off")
    mapping = trained.folder / "mapping.yaml"
    run = run_job(request.param, out=folder / "run", trace="off", mapping=mapping, mode="inference")
    return trained, run


def test_its_forward_pass_is_that_of_training(both: Both) -> None:
    """The same slots, operations and cycles of every layer, and no other phase."""
    trained, run = both
    assert run.ok, run.summary.broken
    assert run.summary.time.phases.keys() == {"fp"}
    for layer, phases in run.summary.work.items():
        assert phases == {"fp": trained.summary.work[layer]["fp"]}
    assert run.summary.synaptic.operations == trained.summary.synaptic.operations
    assert run.summary.time.makespan_ps < trained.summary.time.makespan_ps


def test_its_accesses_are_those_of_training(both: Both) -> None:
    """Every action of FP as often, but for m, which is not there, and for folded statistics."""
    trained, run = (_forward_actions(result.folder) for result in both)
    differing = {key[1] for key in trained | run if trained[key] != run[key]}
    folded = FOLDED if any(layer.norm for layer in both[0].workload.layers) else set()
    assert differing <= {DROPPED} | folded
    assert all(trained[key] == 2 * run[key] for key in run if key[1] == DROPPED)


def test_energy_by_operation_is_that_of_the_forward_pass(both: Both) -> None:
    """All that inference takes; of training FP, normalisation, and their share of what goes on."""
    for result in both:
        with (result.folder / "energy.csv").open(encoding="utf-8") as file:
            rows = [(row, float(row["total_pj"])) for row in csv.DictReader(file)]
        forward = [(row, pj) for row, pj in rows if row["phase"] in ("fp", "norm")]
        core_pj = sum(pj for row, pj in forward if row["component"] in ("fp", "engine"))
        spans = result.summary.time.phases
        last_ps = max(span.end_ps for name, span in spans.items() if name in ("fp", "norm"))
        share = (last_ps - spans["fp"].begin_ps) / result.summary.time.makespan_ps
        if result is both[1]:
            share = 1.0
        chip_pj = sum(pj for _, pj in forward)
        chip_pj += share * sum(pj for row, pj in rows if not row["phase"])
        synaptic, useful = result.summary.synaptic, 0
        for layer in result.workload.layers:
            direct = -1 in layer.sources and result.workload.encoding == "direct"
            useful += 0 if direct else result.summary.work[layer.name]["fp"].useful_macs
        assert synaptic.core_pj == pytest.approx(core_pj)
        assert synaptic.chip_pj == pytest.approx(chip_pj)
        assert synaptic.core_pj_per_operation == pytest.approx(core_pj / synaptic.operations)
        assert synaptic.operations == useful
    assert both[1].summary.synaptic.chip_pj == pytest.approx(both[1].summary.energy.total_pj)


def test_nothing_is_saved_for_training(both: Both) -> None:
    """No U, m or weight is written; what leaves the chip is the output of the last layer, once."""
    run = both[1].summary
    last = both[1].workload.layers[-1]
    allowed = {"S", "A", "output"} | ({"U"} if "U" in run.dram.read_by_tensor else set())
    assert run.dram.written_by_tensor.keys() <= allowed
    bits = 1 if last.neuron is not None else 16
    elements = run.workload.batch * run.workload.steps * np.prod(last.pooled_shape)
    assert run.dram.written_by_tensor["output"] >= elements * bits / 8


def _forward_actions(folder: Path) -> Counter[tuple[str, str]]:
    """How often the FP engines and their units did each action, by layer."""
    counts: Counter[tuple[str, str]] = Counter()
    with (folder / "energy.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["phase"] in ("fp", "norm") and row["component"] in ("fp", "engine"):
                counts[row["layer"], row["action"]] += int(row["count"])
    return counts


def test_one_sample_costs_less_than_all(tmp_path: Path) -> None:
    """In time and energy; by the sample it costs more, for weights serve one sample alone."""
    whole, single = (
        run_job("mnist-csnn", out=tmp_path / str(n), trace="off", mode="inference", batch=n)
        for n in (16, 1)
    )
    assert single.ok and single.summary.workload.batch == 1
    assert single.summary.time.makespan_ps < whole.summary.time.makespan_ps
    assert single.summary.energy.total_pj < whole.summary.energy.total_pj
    assert single.summary.time.per_sample_ps > whole.summary.time.per_sample_ps


@pytest.mark.parametrize("schedule", ["layerwise", "pipelined", "wavefront"])
@pytest.mark.parametrize("job", ["digits", "nmnist-cnn"])
def test_every_schedule_runs_inference(job: str, schedule: str, tmp_path: Path) -> None:
    """All laws hold, and the synaptic operations are the same."""
    overrides = [f"mapping.schedule={schedule}"]
    run = run_job(job, out=tmp_path / "run", trace="off", mode="inference", overrides=overrides)
    assert run.ok, run.summary.broken
    plain = run_job(job, out=tmp_path / "plain", trace="off", mode="inference")
    assert run.summary.synaptic.operations == plain.summary.synaptic.operations


def test_early_exit_runs_the_steps_until_the_first_output_spike(tmp_path: Path) -> None:
    """Steps are counted sample by sample from the recording; later ones are not in the trace."""
    run = run_job("mnist-fc-t25", out=tmp_path / "run", mode="inference", stop="first-spike")
    assert run.ok, run.summary.broken
    trained = open_workload("mnist-fc-t25")
    recording = trained.load(len(trained.iterations) - 1)
    spikes = recording.spikes[-1].any(axis=(2, 3, 4))
    steps = [next((t + 1 for t in range(25) if spikes[t, b]), 25) for b in range(16)]
    assert run.summary.workload.steps_run == steps
    assert max(steps) < 25
    read = sum(int(recording.inputs[:n, b].sum()) for b, n in enumerate(steps))
    first = trained.layers[0]
    assert run.summary.work[first.name]["fp"].useful_macs == read * first.out_shape[0]
    with tlm.trace.open(run.folder) as trace:
        assert trace.activity["step"].max() == max(steps) - 1
    macs = sum(layer.macs for layer in trained.layers)
    assert run.summary.efficiency.dense_equivalent_flop == 2 * macs * sum(steps)


def test_what_inference_imposes_is_no_choice_of_the_user(tmp_path: Path) -> None:
    """No value without a source; a setting that it hides is not in the name, yet must be right."""
    asked = {"mode": "inference", "stop": "first-spike", "trace": "off"}
    hidden = ["mapping.batch_norm=frozen", "core.outstanding=4"]
    run = run_job("digits", out=tmp_path / "run", overrides=hidden, **asked)  # type: ignore[arg-type]
    assert run.chip.config.mapping.schedule == "wavefront"
    assert run.chip.config.name == "neuromc-20 + core.outstanding=4"
    assert run.chip.unsourced == ["core.outstanding"]
    with pytest.raises(ConfigError, match=r"^--set: mapping\.schedule: expected 'layerwise'"):
        run_job("digits", out=tmp_path / "no", overrides=["mapping.schedule=layer"], **asked)  # type: ignore[arg-type]


def test_a_pipelined_chip_stops_group_by_group(tmp_path: Path) -> None:
    """A sample begins when the one before has been decided, and no spike is counted twice."""
    asked = {"mode": "inference", "stop": "first-spike", "batch": 5}
    groups = ["mapping.schedule=pipelined", "mapping.split=k"]
    run = run_job("mnist-fc-t25", out=tmp_path / "run", overrides=groups, **asked)  # type: ignore[arg-type]
    together = run_job("mnist-fc-t25", out=tmp_path / "all", trace="off", **asked)  # type: ignore[arg-type]
    assert run.ok, run.summary.broken
    assert run.summary.workload.steps_run == together.summary.workload.steps_run
    assert run.summary.synaptic.operations == together.summary.synaptic.operations
    with tlm.trace.open(run.folder) as trace:
        rows, moved = trace.activity, trace.transactions
    rows = rows[rows["what"] == EngineState.COMPUTE]
    for sample in range(1, 5):
        answered = rows["end"][rows["sample"] == sample - 1].max()
        assert rows["begin"][rows["sample"] == sample].min() >= answered
        reads = (moved["sample"] == sample) & (moved["command"] == Command.READ)
        assert moved["begin_req"][reads].min(initial=answered) >= answered


@pytest.mark.parametrize("job", ["mnist-fc-t25", "pattern-retention"])
def test_no_step_begins_before_the_one_before_is_decided(job: str, tmp_path: Path) -> None:
    """No core computes or fetches for a step while the last layer is at an earlier one."""
    run = run_job(job, out=tmp_path / "run", mode="inference", stop="first-spike")
    assert run.ok, run.summary.broken
    with tlm.trace.open(run.folder) as trace:
        rows, moved = trace.activity, trace.transactions
    rows = rows[rows["what"] == EngineState.COMPUTE]
    last = max(layer.index for layer in run.workload.layers)
    for step in range(1, max(run.summary.workload.steps_run or [])):
        decided = rows["end"][(rows["layer"] == last) & (rows["step"] == step - 1)].max()
        assert rows["begin"][rows["step"] == step].min() >= decided
        reads = (moved["step"] == step) & (moved["command"] == Command.READ)
        assert moved["begin_req"][reads].min(initial=decided) >= decided


def test_early_exit_of_one_sample_is_that_of_the_batch(tmp_path: Path) -> None:
    """A sample stops by itself, whoever runs beside it."""
    runs = [
        run_job("nmnist-cnn", out=tmp_path / str(n), trace="off", mode="inference", batch=n,
                stop="first-spike").summary.workload.steps_run
        for n in (1, 8)
    ]  # fmt: skip
    assert runs[0] == runs[1][:1]


def test_the_same_run_leaves_the_same_bytes(tmp_path: Path) -> None:
    """Figures and trace."""
    folders = [
        run_job("digits", out=tmp_path / name, mode="inference", stop="first-spike").folder
        for name in "ab"
    ]
    for file in ("summary.json", "energy.csv", "stats.csv", "mapping.yaml"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    first, second = (datasets(folder / "trace.h5") for folder in folders)
    assert first == second


def test_a_dense_ann_has_no_synaptic_operation(tmp_path: Path) -> None:
    """All its inputs are values; nothing is divided by zero."""
    run = run_job("mnist-fc", out=tmp_path / "run", trace="off", mode="inference", activity="ann")
    assert run.ok and run.summary.synaptic.operations == 0
    assert run.summary.synaptic.core_pj_per_operation is None
    assert run.summary.synaptic.analog_macs > 0


@pytest.mark.parametrize(
    ("asked", "key"), [({"batch": 1}, "batch"), ({"stop": "first-spike"}, "stop")]
)
def test_training_runs_as_recorded(asked: dict[str, object], key: str, tmp_path: Path) -> None:
    """What only inference has is refused, before anything is written."""
    with pytest.raises(ConfigError, match=f"^{key}: .*mode inference"):
        run_job("mnist-fc", out=tmp_path / "run", **asked)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
