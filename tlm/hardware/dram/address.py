"""Which bank, row and burst a byte address of a DRAM channel falls into."""

from __future__ import annotations

from tlm.config.tables.dram_timing import DramTiming, address_fields
from tlm.errors import ConfigError


class AddressMap:
    """Decoder of a map such as ``row bank column bankgroup``, most to least significant field.

    The fields sit above the burst offset. ``bankgroup`` may be left out where a device has one
    group. Banks are numbered ``bankgroup * banks_per_group + bank``.

    Raises:
        ConfigError: a field is unknown, missing or named twice.
    """

    __slots__ = (
        "bank_mask",
        "bank_shift",
        "banks_per_group",
        "burst_bytes",
        "burst_shift",
        "group_mask",
        "group_shift",
        "page_step_bytes",
        "row_mask",
        "row_shift",
        "run_mask",
        "same_bank_bytes",
    )

    def __init__(self, timing: DramTiming, order: str | None = None) -> None:
        text = timing.address_map if order is None else order
        sizes = timing.field_sizes
        try:
            names = address_fields(text, sizes)
        except ValueError as error:
            raise ConfigError(f"DRAM address map {error}") from None
        self.burst_bytes = timing.burst_bytes
        self.burst_shift = timing.burst_bytes.bit_length() - 1
        self.banks_per_group = timing.banks_per_group
        shifts, shift = {"bankgroup": 0}, self.burst_shift
        for name in reversed(names):
            shifts[name] = shift
            shift += sizes[name].bit_length() - 1
        self.row_shift, self.row_mask = shifts["row"], timing.rows - 1
        self.bank_shift, self.bank_mask = shifts["bank"], timing.banks_per_group - 1
        self.group_shift, self.group_mask = shifts["bankgroup"], timing.bank_groups - 1
        lowest = [name for name in names if sizes[name] > 1][-1]
        # Bursts b and b + 1 share bank and row unless b + 1 is a multiple of run_mask + 1.
        self.run_mask = timing.bursts_per_row - 1 if lowest == "column" else 0
        # From one row buffer to the next: what lies above the column in the address.
        self.page_step_bytes = 1 << shifts["column"] + sizes["column"].bit_length() - 1
        self.same_bank_bytes = 1 << self.row_shift  # from one row of a bank to its next

    def bank_and_row(self, address: int) -> tuple[int, int]:
        """Bank number and row of a byte address."""
        group = (address >> self.group_shift) & self.group_mask
        bank = (address >> self.bank_shift) & self.bank_mask
        return group * self.banks_per_group + bank, (address >> self.row_shift) & self.row_mask

    def runs(self, address: int, bursts: int) -> list[tuple[int, int, int]]:
        """Split ``bursts`` from ``address`` on into (bank, row, bursts) within one open row."""
        first = address >> self.burst_shift
        mask = self.run_mask
        if bursts == 1 or (first & mask) + bursts <= mask + 1:
            return [(*self.bank_and_row(address), bursts)]
        runs = []
        end = first + bursts
        while first < end:
            count = min(end - first, mask + 1 - (first & mask))
            runs.append((*self.bank_and_row(first << self.burst_shift), count))
            first += count
        return runs
