"""Rows of sizes: which organisation is least, what does not fit, and where weights come from."""

from pathlib import Path

import numpy as np
import pytest

from tlm.errors import ConfigError, WorkloadError
from tlm.synapses.sizes import MemorySize, memory_sizes
from tlm.synapses.sources import open_source
from tlm.workload import open_workload


def row(rows: list[MemorySize], name: str) -> MemorySize:
    """The row of an organisation."""
    return next(size for size in rows if size.organisation == name)


def test_a_drawn_shape_has_the_density_asked_for_at_any_width() -> None:
    """No drawn weight rounds to zero; the same seed draws the same."""
    source = open_source("40x30", None, 3)
    rows = memory_sizes(source, [2, 5, 16], [0.25, 1.0], ["pb-bmp"])
    assert [size.synapses for size in rows] == [300, 1200] * 3
    again = open_source("40x30", None, 3)
    assert np.array_equal(source.weights, again.weights)
    assert not np.array_equal(source.weights, open_source("40x30", None, 4).weights)


def test_the_least_holds_all_synapses() -> None:
    """2:4 is smaller than the crossbar and is not named: it drops half of the synapses."""
    rows = memory_sizes(open_source("784x128", None, 1), [8], [1.0], [])
    assert [size.organisation for size in rows if size.is_smallest] == ["crossbar"]
    assert row(rows, "2:4").bits < row(rows, "crossbar").bits
    assert row(rows, "2:4").synapses == 784 * 128 // 2
    assert row(rows, "crossbar").bits == 784 * 128 * 8


def test_what_does_not_fit_says_why_and_is_never_least() -> None:
    """Loihi has no weights of 12 bits; alone, that is an error."""
    source = open_source("8x8", None, 1)
    rows = memory_sizes(source, [12], [1.0], ["loihi", "crossbar"])
    assert row(rows, "loihi").unfit.startswith("Loihi stores no weight of 12 bits")
    assert row(rows, "loihi").tables == ()
    assert row(rows, "crossbar").is_smallest
    with pytest.raises(WorkloadError, match="Loihi stores no weight of 12 bits"):
        memory_sizes(source, [12], [1.0], ["loihi"])


def test_recorded_weights_of_a_layer_are_those_of_the_job() -> None:
    """Inputs by outputs, the last iteration."""
    source = open_source("mnist-fc:fc1", None, 1)
    job = open_workload("mnist-fc")
    weights = job.load_values(len(job.iterations) - 1).parameters[1].weights
    assert np.array_equal(source.weights, weights[:, :, 0, 0].T)
    assert source.origin == f"recorded in iteration {job.iterations[-1]}"
    assert np.array_equal(open_source("mnist-fc", "fc1", 1).weights, source.weights)


def test_a_convolution_is_compared_in_both_forms() -> None:
    """Filters come back from the matrix; their geometry is the layer's."""
    source = open_source("digits:conv1", None, 1)
    filters = source.filters(source.matrix(8, 1.0))
    assert filters.codes.shape == (32, 16, 3, 3)
    assert np.array_equal(filters.matrix().codes, source.matrix(8, 1.0).codes)
    rows = memory_sizes(source, [8], [1.0], [])
    assert row(rows, "conv func-rowcol").bits == 11 * 16 + 32 * 16 * 9 * 8
    with pytest.raises(ConfigError, match="is no convolution"):
        memory_sizes(open_source("4x4", None, 1), [8], [1.0], ["conv pb-bmp"])


def test_weights_of_a_job_that_records_none_are_drawn() -> None:
    """The origin says so."""
    source = open_source("cifar-vgg8:conv1", None, 7)
    assert source.weights.shape == (24 * 9, 48)
    assert source.origin == "drawn (seed 7): the job records none"


def test_whole_numbers_of_a_file_are_codes(tmp_path: Path) -> None:
    """They are not scaled; the smallest code of a type is the largest of all."""
    path = tmp_path / "codes.npy"
    np.save(path, np.array([[-128, 1], [0, 127]], np.int8))
    source = open_source(str(path), None, 1)
    assert source.matrix(8, 1.0).codes.tolist() == [[-128, 1], [0, 127]]
    assert source.matrix(8, 0.25).codes.tolist() == [[-128, 0], [0, 0]]
    with pytest.raises(WorkloadError, match="codes of 4 bits lie between -8 and 7"):
        source.matrix(4, 1.0)


def test_a_number_that_is_none_is_refused_before_it_is_pruned(tmp_path: Path) -> None:
    """It would be the first to go."""
    path = tmp_path / "weights.npy"
    np.save(path, np.array([[np.nan, 1.0]]))
    with pytest.raises(WorkloadError, match="infinite or no number"):
        open_source(str(path), None, 1).matrix(8, 0.5)
