"""Tests that take a ``chip_kernel`` hold for both, as do those that take a ``new_bench``."""

from functools import partial

import pytest

from tests.hardware.core.bench import Bench
from tests.hardware.kernels import CHIP_KERNELS


@pytest.fixture(scope="module", params=CHIP_KERNELS)
def chip_kernel(request):
    """What a chip is built of."""
    return request.param


@pytest.fixture(scope="module")
def new_bench(chip_kernel):
    """Builds a bench of two cores of some settings."""
    return partial(Bench, chip_kernel)
