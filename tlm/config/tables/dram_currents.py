"""Supply currents of a DRAM device, as the block ``currents`` of its file gives them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tlm.config.quantities import Section

Positive = Annotated[int, Field(ge=1)]


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
