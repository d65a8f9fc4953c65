"""The estimate of random mappings of a small job against their simulation."""

import numpy as np
import pytest

from tests.placement.agreement import Agreement, agreement, subject


@pytest.fixture(scope="module")
def measured():
    """Eight random mappings of the smallest job."""
    return agreement(subject("digits", "neuromc-20"), 8)


def test_time_energy_and_bytes_are_ranked_as_simulated(measured):
    """Spearman's correlation of each is 0.9 or more."""
    assert min(measured.spearman) >= 0.9


def test_no_time_is_far_off(measured):
    """Time within 25 % at worst, bytes within 1 %."""
    time, _, nbytes = np.abs(measured.worst)
    assert time <= 0.25
    assert nbytes <= 0.01


def test_ranks_and_errors_are_those_of_small_tables():
    """Two values that change places among four cost 0.2; errors are relative to simulation."""
    estimated = np.array([[1.0], [2.0], [4.0], [3.0]])
    table = Agreement(estimated, np.array([[2.0], [2.5], [3.0], [4.0]]))
    assert table.spearman == pytest.approx([0.8])
    assert table.worst == pytest.approx([-0.5])
