"""Bounds of DRAM bytes: by hand, for a published network, and as laws of all jobs."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests.program.jobs import conv, job, linear, loaded_chip
from tests.reliability.networks import jobs
from tlm.config.tables.core_sram import capacity_bits
from tlm.laws.dram_bounds import WAYS, bounds_by_class
from tlm.laws.least_dram import least_nbytes
from tlm.space.tensor_class import tensor_class
from tlm.workload.bundled import open_workload
from tlm.workload.model import Norm
from tlm.workload.pools import pools_behind_layers
from tlm.workload.surrogate import lif_neuron

WORD, MOMENT = 2, 4  # bytes of a weight, of U and of a gradient; of a moment
PAIRS = 3 * 2  # samples and steps of the small job
NEURONS, CLASSES, INPUTS = 3 * 4 * 4, 5, 2 * 4 * 4
FILTER, MATRIX = 3 * 2 * 3 * 3, 5 * 48  # weights of the two layers


def small_job(norm=None, **settings):
    """A convolution of 2 to 3 channels on 4 x 4, then 5 classes; T = 2, B = 3."""
    first = replace(conv((2, 4, 4), 3, 3, padding=1), norm=norm)
    return job(first, linear(NEURONS, CLASSES), batch=3, steps=2, **settings)[0]


def test_the_first_way_by_hand():
    """Every tensor of two layers, counted with a pencil; a spike is a bit."""
    both = PAIRS * (NEURONS + CLASSES)
    assert bounds_by_class(small_job(), loaded_chip().config)["V1"] == {
        "X": 2 * PAIRS * INPUTS // 8,  # FP and WG of the first layer
        "W": WORD * (3 * FILTER + 4 * MATRIX),  # nothing lies before the first layer
        "moments": 4 * MOMENT * (FILTER + MATRIX),  # two of them, read and written
        "S": -(
            -(2 * both + 2 * PAIRS * NEURONS) // 8
        ),  # written, GRAD; FP and WG of the second layer
        "m": -(-(2 * both + PAIRS * NEURONS) // 8),  # written, GRAD; BP of the second layer
        "U": 2 * WORD * both,
        "dY": WORD * (2 * PAIRS * NEURONS + 3 * PAIRS * CLASSES),
        "dX": 2 * WORD * PAIRS * NEURONS,
    }


def test_no_bound_has_m_of_a_surrogate_that_sets_every_one():
    """The support of an arctangent is unbounded: BP need not read that all dX are needed."""
    workload = small_job()
    unbounded = lif_neuron(surrogate="arctangent")
    layers = tuple(replace(layer, neuron=unbounded) for layer in workload.layers)
    bounds = bounds_by_class(replace(workload, layers=layers), loaded_chip().config)
    assert "m" in bounds_by_class(workload, loaded_chip().config)["V1"]
    assert not any("m" in tensors for tensors in bounds.values())


def test_what_the_other_ways_leave_out_behind_batch_statistics():
    """Y in place of U, then no dI and no dY but dX twice, then no Y but inputs five times."""
    norm = Norm("batch", 1e-5, per_step=False)
    bounds = bounds_by_class(small_job(norm), loaded_chip().config)
    first, last = PAIRS * NEURONS, PAIRS * CLASSES
    table = {
        way: [bounds[way].get(name, 0) // WORD for name in ("U", "Y", "dI", "dY", "dX")]
        for way in WAYS
    }
    assert table == {
        "V1": [2 * first + 2 * last, 3 * first, 2 * first, 2 * first + 3 * last, 2 * first],
        "V2": [2 * last, 4 * first, 2 * first, 2 * first + 2 * last, 2 * first],
        "V3": [2 * last, 4 * first, 0, 0, 3 * first],
        "V4": [2 * last, 0, 0, 0, 3 * first],
    }
    assert [bounds[way]["X"] for way in WAYS] == [
        reads * PAIRS * INPUTS // 8 for reads in (2, 2, 2, 5)
    ]


def test_resnet18_in_megabytes():
    """ResNet-18 on ImageNet, B = 16, T = 4: its 317.9 MB of values of 16 bit, 11.7 M weights."""
    network = pools_behind_layers(open_workload("s-resnet18[B=16,T=4]:bernoulli(0.15)"))
    first = bounds_by_class(network, loaded_chip().config)["V1"]
    megabytes = {name: round(nbytes / 1e6) for name, nbytes in first.items()}
    assert (megabytes["U"], megabytes["Y"], megabytes["dI"]) == (2 * 318, 3 * 318, 2 * 318)
    assert (megabytes["W"], megabytes["moments"], megabytes["X"]) == (93, 187, 10)
    assert round((first["S"] + first["m"]) / 1e6) == 176
    stem = 16 * 4 * 64 * 112 * 112 * WORD  # its dY is read by WG, but not by BP
    assert first["dY"] == first["Y"] + 3 * 16 * 4 * 1000 * WORD - stem


def test_the_least_of_a_job_that_fits():
    """All that has to live fits twenty cores: the input comes."""
    assert least_nbytes(small_job(), loaded_chip().config) == PAIRS * INPUTS // 8


def test_the_least_counts_what_is_trained_and_does_not_fit():
    """A core with too little room for weights and moments of a job without spikes to keep."""
    chip = loaded_chip("cores=1").config
    room = capacity_bits(chip.core)
    bits = 8 * (WORD + 2 * MOMENT)
    outputs = room // bits + 1
    wide = job(replace(linear(1, outputs), neuron=None), batch=1, steps=1)[0]
    assert least_nbytes(wide, chip) == 2 * (outputs * bits - room) // 8


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(jobs())
def test_no_way_beats_the_least(network):
    """The four ways move what is least moved, and a smaller chip never moves less."""
    network = pools_behind_layers(network)
    large, small = loaded_chip().config, loaded_chip("cores=1").config
    least = least_nbytes(network, large)
    assert all(sum(by.values()) >= least for by in bounds_by_class(network, large).values())
    assert least_nbytes(network, small) >= least


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("X", "X"), ("conv0.dX3", "dX"), ("conv0.dW.core05", "dW"), ("conv0.W", "W"),
        ("conv0.moment2", "moments"), ("conv0.bias.moment1", "moments"), ("conv0.bias", "bias"),
        ("a.conv.S_pooled", "S"), ("conv0.m_pooled", "m"), ("conv0.carry", "U"),
    ],
)  # fmt: skip
def test_the_class_of_a_tensor(name, expected):
    """Layer, core and number are left out; copies count as what they are copies of."""
    assert tensor_class(name) == expected
