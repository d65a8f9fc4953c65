"""Runs on inference cores, beside the closed form of such a core."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.evidence.spreads import with_value
from tlm.config import load_chip
from tlm.config.tables.array_core import load_array_core
from tlm.config.tables.array_cost import core_array
from tlm.config.tables.glm_unit import glm_unit
from tlm.config.tables.synapse_array import load_synapse_array
from tlm.errors import MappingError, WorkloadError
from tlm.running.request import RunRequest
from tlm.running.runner import run_job, run_request
from tlm.synapses.array_core import step_cost
from tlm.workload.bundled import open_workload
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.inference import Stop, as_inference
from tlm.workload.model import Recording, Values, Workload

CHIPS = ("spinaps", "spinaps-sram", "spinaps-aggressive")
REGISTERS = 2  # cycles a step that the closed form has not: sums leave the array, and reach filters
LANES = 10  # multipliers of the core, which serve any neuron


@pytest.mark.parametrize("stop", ["all-steps", "first-spike"])
@pytest.mark.parametrize("job", ["spinaps-mnist", "spinaps-motions"])
@pytest.mark.parametrize("chip", CHIPS)
def test_a_run_is_the_closed_form_step_by_step(
    chip: str, job: str, stop: Stop, tmp_path: Path
) -> None:
    """Rows, additions, GLM unit and time of the core are those of each recorded step, summed.

    What is apart: two registers, a cycle where a step has no spike, inputs and answers over
    network and DRAM, and for what the core waits.
    """
    result = run_request(RunRequest(job, chip=chip, stop=stop, trace="off"), tmp_path / "run")
    assert result.ok
    workload = as_inference(open_workload(job), stop=stop)
    recording, layer = workload.load(0), workload.layers[0]
    assert isinstance(layer.neuron, GLMNeuron)
    arrays, core = load_synapse_array(), load_array_core(chip)
    whole = core_array(core, arrays)
    words = core.network.outputs.value * core.network.basis.value
    row_pj = whole.read_pj * layer.product_channels / words
    for name, value in (
        ("network.outputs", layer.out_shape[0]),
        ("network.window", layer.neuron.taps),
        ("widths.multipliers", LANES / layer.out_shape[0]),
    ):
        core = with_value(core, name, value)
    spikes = recording.inputs.sum(axis=(2, 3, 4))[recording.running]
    costs = [step_cost(with_value(core, "work.spikes", int(n)), arrays) for n in spikes]
    with (result.folder / "energy.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    fp_pj = sum(float(row["total_pj"]) for row in rows if row["component"] == "fp")
    assert fp_pj == pytest.approx(sum(cost.logic_pj for cost in costs) + spikes.sum() * row_pj)
    extra = REGISTERS * len(spikes) + int(np.count_nonzero(spikes == 0))
    time_ps = sum(cost.time_ps for cost in costs) + extra * 2000
    assert result.summary.time.phases["fp"].computing_ps == time_ps
    [leakage] = [row for row in rows if (row["component"], row["action"]) == ("core", "leakage")]
    gates = glm_unit(load_array_core(chip)).gates + core.gates.control.value
    leakage_w = whole.leakage_w + gates * core.gate.leakage.value
    assert float(leakage["pj_each"]) == pytest.approx(leakage_w)
    assert int(leakage["count"]) == result.summary.time.makespan_ps
    others = {row["component"] for row in rows if float(row["total_pj"])}
    assert others - {"fp", "core"} == {"noc", "dram", "router", "dram_channel"}


@pytest.mark.parametrize("chip", CHIPS)
def test_a_chip_has_the_sizes_of_its_core(chip: str) -> None:
    """Array, multipliers, clock and widths of the chip are those of the table that prices it."""
    config, core = load_chip(chip).config, load_array_core(chip)
    network, widths, fp = core.network, core.widths, config.core.engines.fp
    assert (fp.rows, fp.cols) == (1, network.outputs.value * network.basis.value)
    assert config.core.memory.weights == 2 * network.inputs.value * fp.cols * network.devices.value
    assert config.precision.weight == network.devices.value
    assert config.precision.partial_sum == widths.sum_bits.value
    assert config.core.memory.partial_sums == fp.cols * widths.sum_bits.value
    assert config.core.unit_lanes == network.outputs.value * widths.multipliers.value == LANES
    assert config.core.clock == core.clock.value
    assert config.energy == chip


def test_no_weight_is_loaded(tmp_path: Path) -> None:
    """The devices keep their weights: DRAM gives inputs and biases alone."""
    result = run_request(RunRequest("spinaps-mnist", chip="spinaps", trace="off"), tmp_path / "run")
    read = result.summary.dram.read_by_tensor
    assert {name for name, nbytes in read.items() if nbytes} == {"X", "bias"}


@dataclass(frozen=True)
class Sample:
    """The tensors of one sample of a recording."""

    whole: Workload
    at: int
    activity: str = "recorded"
    seed: int | None = None

    def recording(self, workload: Workload, position: int) -> Recording:
        """What ``whole`` recorded of it."""
        every, some = self.whole.load(position), slice(self.at, self.at + 1)
        spikes = tuple(values[:, some] for values in every.spikes)
        assert every.answers is not None
        answers = every.answers.of(some)
        return replace(every, inputs=every.inputs[:, some], spikes=spikes, answers=answers)

    def values(self, workload: Workload, position: int) -> Values:
        """None are asked for."""
        raise NotImplementedError


@pytest.mark.parametrize("job", ["spinaps-mnist", "spinaps-motions"])
def test_a_batch_is_its_samples_one_by_one(job: str, tmp_path: Path) -> None:
    """What a core takes for a batch is the sum of single runs, and no history leaves it.

    So are bytes of inputs; the rest of the chip is near, for steps of a batch lie apart in DRAM.
    """
    asked = {"chip": "spinaps", "stop": "first-spike", "trace": "off"}
    whole = run_job(job, out=tmp_path / "all", batch=4, **asked)  # type: ignore[arg-type]
    opened = open_workload(job)
    each = [
        run_job(single, out=tmp_path / str(at), **asked)  # type: ignore[arg-type]
        for at in range(4)
        for single in [replace(opened, batch=1, tensors=Sample(opened, at))]
    ]
    assert whole.ok and all(result.ok for result in each)
    core_pj = [result.summary.energy.by_component_pj["fp"] for result in each]
    assert whole.summary.energy.by_component_pj["fp"] == pytest.approx(sum(core_pj))
    busy_ps = [result.summary.time.phases["fp"].computing_ps for result in each]
    assert whole.summary.time.phases["fp"].computing_ps == sum(busy_ps)
    read = [result.summary.dram.read_by_tensor["X"] for result in each]
    assert whole.summary.dram.read_by_tensor["X"] == sum(read)
    assert whole.summary.dram.written_by_tensor.keys() == {"output"}
    total_pj = sum(result.summary.energy.total_pj for result in each)
    assert whole.summary.energy.total_pj == pytest.approx(total_pj, rel=0.05)


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        (RunRequest("mnist-fc", chip="spinaps"), MappingError, "spinaps cannot learn"),
        (
            RunRequest("digits", chip="spinaps", mode="inference"),
            MappingError,
            "one layer of GLM",
        ),
        (RunRequest("spinaps-mnist", mode="training"), WorkloadError, "leave --mode out"),
    ],
)
def test_what_a_core_does_not_run(request_: RunRequest, error: type, text: str) -> None:
    """Is refused in one line before anything is written."""
    with pytest.raises(error, match=text) as refused:
        run_request(request_)
    assert "\n" not in str(refused.value)
