"""Energy of a DRAM device: the blocks ``currents`` and ``energy`` of its file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from tlm.config.quantities import Picojoules, Section
from tlm.config.tables.table_file import Confidence

Positive = Annotated[int, Field(ge=1, le=100_000)]  # 100 A or V
# Pairs of currents of which the first cannot be smaller: it includes what the second is.
_NOT_BELOW = (
    ("idd0_ma", "idd3n_ma"),
    ("idd3n_ma", "idd2n_ma"),
    ("idd4r_ma", "idd3n_ma"),
    ("idd4w_ma", "idd3n_ma"),
    ("idd5ab_ma", "idd3n_ma"),
)


class DramCurrents(Section):
    """Data-sheet currents in mA of one device, its supply in mV, and devices of the channel.

    Names are JEDEC's: IDD0 one bank activated and precharged every tRC, IDD2N and IDD3N standby
    with all banks closed and with one open, IDD4R and IDD4W bursts without a gap, IDD5AB all-bank
    refresh every tRFC.
    """

    devices: Positive
    vdd_mv: Positive
    idd0_ma: Positive
    idd2n_ma: Positive
    idd3n_ma: Positive
    idd4r_ma: Positive
    idd4w_ma: Positive
    idd5ab_ma: Positive

    @model_validator(mode="after")
    def _above_standby(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        for command, standby in _NOT_BELOW:
            low, high = getattr(self, command), getattr(self, standby)
            if low < high:
                yield (
                    f"{command}: expected {standby} = {high} or more, got {low}: its energy would "
                    "be negative"
                )


class DramEnergy(Section):
    """Energy of one bit read and written, activates, refreshes and interface included."""

    read_bit: Picojoules
    write_bit: Picojoules
    source: str
    confidence: Confidence
