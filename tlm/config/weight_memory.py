"""How weights are laid out in DRAM and in the memories of a core."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from tlm.config.by_layer import by_layer, shown_by_layer
from tlm.config.quantities import Count, Section

_ORGANISATION = r"crossbar|pb-bmp|pb-csr|\d{1,3}:\d{1,3}"
OrganisationName = Annotated[str, Field(pattern=rf"^({_ORGANISATION})$")]


class WeightMemory(Section):
    """How weights lie in DRAM and in the cores: the ``organisation`` of :mod:`tlm.synapses`.

    ``crossbar`` has a place for every weight, ``pb-bmp`` and ``pb-csr`` for those that are not
    zero, ``N:M`` for N of every M inputs. ``layers`` lists exceptions, LAYER=ORGANISATION.
    ``lookups`` weights are looked up in a cycle where each takes one of its own. ``rewired`` is the
    share of synapses that change their place in an update.
    """

    organisation: OrganisationName = "crossbar"
    layers: Annotated[
        tuple[tuple[str, OrganisationName], ...],
        BeforeValidator(partial(by_layer, form="LAYER=ORGANISATION (fc1=pb-bmp)")),
        PlainSerializer(shown_by_layer),
    ] = ()
    lookups: Count = 1
    rewired: Annotated[float, Field(ge=0, le=1)] = 0.0

    def of(self, layer: str) -> str:
        """The organisation of a layer; the last exception that names it wins."""
        return dict(self.layers).get(layer, self.organisation)
