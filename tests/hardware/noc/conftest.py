"""Tests that take a ``kernel`` hold for both."""

import pytest

from tests.hardware.noc.kernels import KERNELS


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request):
    """What a network is built and tried with."""
    return request.param
