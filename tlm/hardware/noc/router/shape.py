"""What a router is built of: pipeline, virtual channels, buffers, routing."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.errors import ConfigError
from tlm.space.mesh_routes import ROUTINGS, Routing

STAGES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class RouterShape:
    """A router's architecture; every network of a mesh has routers of one shape.

    ``stages`` 4: route, lane, switch, crossbar; 3: the route is looked ahead; 2: lane and switch
    in one cycle, the switch on speculation. ``vcs`` lanes per input, ``vc_buffer`` flits each.

    Raises:
        ConfigError: a number of stages or a routing that is not modelled, no lane or no buffer.
    """

    stages: int = 3
    vcs: int = 4
    vc_buffer: int = 8
    routing: Routing = "xy"

    def __post_init__(self) -> None:
        if self.stages not in STAGES:
            raise ConfigError(
                f"noc.router_stages: model router has 2, 3 or 4 stages, got {self.stages}"
            )
        if self.vcs < 1 or self.vc_buffer < 1:
            raise ConfigError(
                f"noc.vcs, noc.vc_buffer: expected at least 1, got {self.vcs}, {self.vc_buffer}"
            )
        if self.routing not in ROUTINGS:
            raise ConfigError(f"noc.routing: {self.routing!r}; there are {', '.join(ROUTINGS)}")
