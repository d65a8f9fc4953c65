"""Number formats: how wide a number is, and how its bits are read.

A format is its width in bits, so that it sizes what it names, and remembers its kind, by which
arithmetic is priced. ``16 bit`` without a name is a floating-point number of that width.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from tlm.config import units

WIDEST = 64  # bits of a number

NumberKind = Literal["float", "integer"]


class BitLayout(NamedTuple):
    """How a named format reads its bits; ``significand`` counts the hidden bit."""

    kind: NumberKind
    bits: int
    significand: int


# IEEE 754 binary16 and binary32; bfloat16; FP8 is E4M3 of the OCP 8-bit Floating Point
# Specification (2023); integers in two's complement.
ENCODINGS = {
    "fp8": BitLayout("float", 8, 4),
    "fp16": BitLayout("float", 16, 11),
    "bf16": BitLayout("float", 16, 8),
    "fp32": BitLayout("float", 32, 24),
    "int8": BitLayout("integer", 8, 8),
    "int16": BitLayout("integer", 16, 16),
    "int32": BitLayout("integer", 32, 32),
}
_IEEE_SIGNIFICANDS = {8: 4, 16: 11, 32: 24, 64: 53}


class NumberFormat(int):
    """A width in bits with the name of its format; ``""`` where only the width is given."""

    name: str

    def __new__(cls, bits: int, name: str = "") -> NumberFormat:
        """The format ``name`` of ``bits``."""
        number = super().__new__(cls, bits)
        number.name = name
        return number

    @property
    def encoding(self) -> BitLayout:
        """How the bits are read; a bare width as in the next wider of FP8, FP16, FP32, FP64."""
        if self.name:
            return ENCODINGS[self.name]
        wider = min(bits for bits in _IEEE_SIGNIFICANDS if bits >= self)
        return BitLayout("float", int(self), _IEEE_SIGNIFICANDS[wider])

    def __str__(self) -> str:
        """As a chip file writes it."""
        return self.name or units.show(units.MEMORY, int(self))


def parsed(value: object) -> NumberFormat:
    """The format that a chip file's text stands for.

    Raises:
        ValueError: neither a known format nor a width; the text says what was expected.
    """
    if isinstance(value, str) and value.strip().lower() in ENCODINGS:
        name = value.strip().lower()
        return NumberFormat(ENCODINGS[name].bits, name)
    if isinstance(value, NumberFormat):
        return value
    named = f"one of {', '.join(ENCODINGS)}, or a width of at most {WIDEST} bit"
    try:
        bits = int(units.parse(units.MEMORY, value))
    except ValueError as error:
        raise ValueError(f"expected {named}; {error}") from None
    if bits > WIDEST:
        raise ValueError(f"expected {named}, got {bits} bit")
    return NumberFormat(bits)


Format = Annotated[InstanceOf[NumberFormat], BeforeValidator(parsed), PlainSerializer(str)]
