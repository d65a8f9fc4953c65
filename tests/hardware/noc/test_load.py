"""How busy the busiest link is, stretch by stretch, and what that says of model ``packet``."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from tlm.hardware.noc.load import LinkLoad, Stretch
from tlm.hardware.noc.packet_error import PACKET_ERRORS, error_at, trusted_use


def test_a_stretch_has_the_use_of_its_own_busiest_link() -> None:
    """Flits since the look before, a cycle of 10 ps each; a look at the same time is none."""
    west, east = SimpleNamespace(flits=0), SimpleNamespace(flits=0)
    network = SimpleNamespace(period_ps=10, all_links=lambda: [west, east])
    load = LinkLoad(network)  # type: ignore[arg-type]
    west.flits, east.flits = 30, 50
    load.look(1000)
    load.look(1000)
    west.flits, east.flits = 70, 60
    load.look(1500)
    assert load.stretches == [Stretch(1000, 0.5), Stretch(500, 0.8)]


@pytest.mark.parametrize(("vcs", "trusted"), [(1, 0.3), (2, 0.5), (3, 0.5), (4, 0.5), (16, 0.5)])
def test_the_model_is_trusted_up_to_the_first_load_that_misses_by_ten_per_cent(
    vcs: int, trusted: float
) -> None:
    """Of at most as many virtual channels; every load below it misses by less."""
    assert trusted_use(vcs) == trusted
    assert error_at(vcs, trusted).p90 > 0.1
    assert error_at(vcs, trusted - 0.01).p90 <= 0.1


def test_the_error_is_that_of_the_load_at_hand() -> None:
    """From the row's load up to the next, whatever is asked beyond the last."""
    assert error_at(4, 0.69) == PACKET_ERRORS[-2]
    assert error_at(4, 0.7) == error_at(9, math.inf) == PACKET_ERRORS[-1]
    assert error_at(3, 0.0) == error_at(2, 0.29)
