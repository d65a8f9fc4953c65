"""Completeness: nothing is left undone, and nothing was done too early."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.laws.check import Check


def completeness(chip: Chip) -> Iterator[Check]:
    """No process is left waiting, no packet or transaction is left inside."""
    waiting = chip.waiting()
    yield Check("programs finished", not waiting, f"{len(waiting)} engines left with work")
    short = [done.label for done in chip.completions if done.remaining]
    yield Check("completions arrived", not short, f"{len(short)} completions short {short[:1]}")
    pending = sum(engine.dma.outstanding + len(engine.dma.queue) for engine in chip.engines)
    yield Check("no transaction pending", pending == 0, f"{pending} pending")
    in_flight = chip.network.in_flight
    yield Check("no packet in flight", in_flight == 0, f"{in_flight} in flight")
    controllers = chip.controllers
    queued = sum(controller.waiting for controller in controllers)
    yield Check("DRAM queues empty", queued == 0, f"{queued} bursts waiting")
    early = sum(engine.early for engine in chip.engines)
    yield Check("tiles after what they need", early == 0, f"{early} tiles too early")
    late = sum(controller.late for controller in controllers)
    yield Check("DRAM answers on time", late == 0, f"{late} answers late")
