"""Tests that take a ``kernel`` hold for both."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.hardware.kernels import both, if_built
from tlm.kernel import Done, Environment


class Kernel(NamedTuple):
    """Simulated time, and what is waited for in it."""

    environment: Callable[[], Any]
    done: Callable[..., Any]


def _compiled():
    from tlm.compiled import environment, server

    return Kernel(environment.CompiledEnvironment, server.Done)


@pytest.fixture(scope="module", params=both(Kernel(Environment, Done), if_built(_compiled)))
def kernel(request):
    """Simulated time, and what is waited for in it."""
    return request.param
