"""The field types of a chip description: text with a unit outside, a plain number inside."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from tlm.config import units


class Section(BaseModel):
    """A group of keys: unknown keys refused, nothing converted silently, immutable."""

    # Built on first use: no chip asks for all of them, and most within another.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


Bits = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.MEMORY)),
    PlainSerializer(partial(units.show, units.MEMORY)),
]
Bytes = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.BYTES)),
    PlainSerializer(partial(units.show, units.BYTES)),
]
Hertz = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.FREQUENCY)),
    PlainSerializer(partial(units.show, units.FREQUENCY)),
]
Latency = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.LATENCY)),
    PlainSerializer(partial(units.show, units.LATENCY)),
]
Duration = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.TIME)),
    PlainSerializer(partial(units.show, units.TIME)),
]
Bandwidth = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.RATE)),
    PlainSerializer(partial(units.show, units.RATE)),
]
Cycles = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.CYCLES)),
    PlainSerializer(partial(units.show, units.CYCLES)),
]
DelayCycles = Annotated[
    int,
    BeforeValidator(partial(units.parse, units.DELAY)),
    PlainSerializer(partial(units.show, units.DELAY)),
]
Picojoules = Annotated[
    float,
    BeforeValidator(partial(units.parse, units.ENERGY)),
    PlainSerializer(partial(units.show, units.ENERGY)),
]
SquareMicrometres = Annotated[float, BeforeValidator(partial(units.parse, units.AREA))]
Watts = Annotated[float, BeforeValidator(partial(units.parse, units.POWER))]
Picoseconds = Annotated[
    float, BeforeValidator(partial(units.parse, replace(units.TIME, whole=False)))
]
PositiveNumber = Annotated[float, Field(gt=0, le=1e18)]
WholeNumber = Annotated[int, Field(ge=1, le=1 << 20)]
Fraction = Annotated[float, Field(gt=0, le=1)]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # may name a folder
Name = Annotated[str, Field(pattern=rf"^{_NAME}$")]
# A chip's name, and what was set of it: neuromc-20 + noc.link=256 bit.
LONGEST_CHANGES = 4000  # characters; what is beyond is cut off the name
_CHANGES = rf"[^\x00-\x1f\x7f-\x9f]{{1,{LONGEST_CHANGES}}}"
ChipName = Annotated[str, Field(pattern=rf"^{_NAME}( \+ {_CHANGES})?$")]
Side = Annotated[int, Field(ge=1, le=256)]  # rows or columns of a PE array
Count = Annotated[int, Field(ge=1, le=4096)]  # lanes, banks, entries, stages, nodes of a side
