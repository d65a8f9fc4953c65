"""A core: its three engines, its memories and the precision of what they hold."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, PlainSerializer

from tlm.config import units
from tlm.config.number_format import Format
from tlm.config.quantities import Bits, Count, Cycles, Hertz, Section, Side
from tlm.config.weight_memory import WeightMemory

WORD_BITS = 16  # of the registers that energy tables price whole

Dataflow = Literal["weight", "output", "input"]
Mode = Literal["dense", "vector", "element"]
BackwardGrid = Literal["inserted", "compacted"]


class EngineConfig(Section):
    """A PE array of ``rows`` operands times ``cols`` outputs, and which zeros it skips.

    ``dataflow`` names what the array holds while the rest streams. ``dense`` executes every slot;
    ``vector`` skips a slot that cannot change the result, as far as the three ``skip_*`` policies
    look for it; in ``element`` every lane skips its own.
    """

    rows: Side
    cols: Side
    dataflow: Dataflow
    mode: Mode
    skip_spikes: bool
    skip_gradients: bool
    skip_outputs: bool


class GradientEngine(EngineConfig):
    """An engine that reads dU, on a ``grid`` with the stride's zeros ``inserted`` or left out."""

    grid: BackwardGrid


class Engines(Section):
    """Feedforward propagation, back-propagation, weight gradient."""

    fp: EngineConfig
    bp: GradientEngine
    wg: GradientEngine


class Memory(Section):
    """Local SRAM of one core, in bits, and the banks that bound its accesses per cycle.

    ``membrane`` is the memory of U, of which FP and BP have one each; ``gradients`` holds dY
    between the gradient unit and BP and WG, ``spike_gradients`` dS as it arrives, ``batch_norm``
    what batch normalisation keeps until its statistics are known, ``optimizer`` the weights
    and moments of an update.

    ``sharing`` says what the dividing lines between them are worth. In a ``pool`` the banks of all
    memories are lent to whatever has to stay, but for the room that the engines work in; weight
    buffers and partial sums, which feed the arrays every cycle, belong to no pool. Where memories
    are ``separate``, each keeps data of its own kind.
    """

    spikes: Bits
    weights: Bits
    partial_sums: Bits
    membrane: Bits
    gradients: Bits
    spike_gradients: Bits
    batch_norm: Bits
    accumulators: Bits
    optimizer: Bits
    banks: Count
    sharing: Literal["pool", "separate"] = "separate"

    @property
    def sizes(self) -> dict[str, int]:
        """The capacity in bits of each memory, by its key."""
        return {name: bits for name, bits in self if isinstance(bits, int) and name != "banks"}

    def kept(self, name: str) -> int:
        """The most bits that may stay in a memory, or in all that share their banks with it.

        Working room of the engines is left out: half of the spike memory for rows on their way to
        FP and all of WG's, both memories of U in a pool, half of one apart, and that of dY.
        """
        rooms = {"spikes": self.spikes // 2, "spike_gradients": self.spike_gradients,
                 "batch_norm": self.batch_norm, "accumulators": self.accumulators,
                 "optimizer": self.optimizer}  # fmt: skip
        if self.sharing == "pool":
            return sum(rooms.values())
        return (rooms | {"membrane": self.membrane // 2})[name]

    @property
    def idle_in_inference(self) -> int:
        """Bits of a pool that BP and WG alone work in: WG's spikes, U of the gradient unit, dY."""
        return self.spikes + self.membrane + self.gradients if self.sharing == "pool" else 0


class Precision(Section):
    """Formats of what is stored, sent and calculated with; a spike is always 1 bit.

    ``partial_sum`` is that of every sum that is not complete: of products in FP and BP, within a
    core and between cores, and of dW over samples and steps, until they are rounded once.
    """

    weight: Format
    membrane: Format
    gradient: Format
    input: Format
    partial_sum: Format
    optimizer: Format


class ClockDomain(NamedTuple):
    """Cores ``first`` to ``last`` with a clock of their own, in Hz."""

    first: int
    last: int
    clock: int


_DOMAIN = re.compile(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?:(.*)")


def _domains(value: object) -> tuple[ClockDomain, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'expected a list (such as ["0-3: 400 MHz", "7: 250 MHz"]), got {value!r}')
    return tuple(_domain(text) for text in value)


def _domain(text: object) -> ClockDomain:
    match = _DOMAIN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"expected CORE: CLOCK or FIRST-LAST: CLOCK, got {text!r}")
    first, last, clock = match.groups()
    return ClockDomain(int(first), int(last or first), int(units.parse(units.FREQUENCY, clock)))


def _shown(domains: tuple[ClockDomain, ...]) -> list[str]:
    return [f"{d.first}-{d.last}: {units.show(units.FREQUENCY, d.clock)}" for d in domains]


class Core(Section):
    """One core; ``clocks`` gives cores that have a clock domain of their own (GALS).

    ``clock`` in Hz; ``pipeline_depth`` in cycles; ``scan_slots`` in slots a zero-scan looks at in
    one cycle; ``queue_depth`` in such groups that wait in front of a lane of mode ``element``;
    ``zero_operand_adds`` says that a zero operand in an executed slot costs an addition all the
    same; ``unit_lanes`` in elements per cycle of the soma, gradient and optimizer units;
    ``outstanding`` in transactions in flight of one engine. ``skip_slices`` leaves out every
    (step, sample) whose gradient is zero everywhere.
    """

    clock: Hertz
    clocks: Annotated[tuple[ClockDomain, ...], BeforeValidator(_domains), PlainSerializer(_shown)]
    engines: Engines
    pipeline_depth: Cycles
    scan_slots: Count
    queue_depth: Count
    zero_operand_adds: bool
    unit_lanes: Count
    outstanding: Count
    skip_slices: bool
    memory: Memory
    weights: WeightMemory = WeightMemory()

    @property
    def period_ps(self) -> int:
        """The clock's period in ps, rounded; the rounding is checked when a chip is loaded."""
        return period_ps(self.clock)

    def domain(self, core: int) -> ClockDomain | None:
        """The clock domain that names ``core``; None if it runs on the common clock."""
        return next((d for d in self.clocks if d.first <= core <= d.last), None)

    def period_of(self, core: int) -> int:
        """The period in ps of one core's clock."""
        domain = self.domain(core)
        return period_ps(domain.clock) if domain else self.period_ps


def period_ps(clock: int) -> int:
    """The period in whole ps of a ``clock`` in Hz."""
    return round(10**12 / clock)
