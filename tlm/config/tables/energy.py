"""Energy tables: what one action of one component costs, with the source of every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tlm.config import units
from tlm.config.chip import ChipConfig
from tlm.config.core import WORD_BITS, Precision
from tlm.config.number_format import NumberFormat
from tlm.config.problems import did_you_mean, validated
from tlm.config.quantities import Bits, Picojoules, Section, Watts
from tlm.config.tables import core_sram, sram
from tlm.config.tables.action_numbers import operations_ratio, words_ratio
from tlm.config.tables.array_core import ArrayCoreTable
from tlm.config.tables.core_prices import with_core
from tlm.config.tables.dram_prices import dram_prices
from tlm.config.tables.energy_actions import ACTIONS, LEAKING
from tlm.config.tables.power_law import power_law
from tlm.config.tables.priced import Action
from tlm.config.tables.table_file import Confidence, read_table, table_names
from tlm.errors import ConfigError

ENERGY_FOLDER = Path(__file__).parent.parent / "energy"


@dataclass(frozen=True, slots=True)
class Leakage:
    """Static power of one instance of a component, in W."""

    power_w: float
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class EnergyTable:
    """A complete table: every action the model counts has an energy.

    ``actions`` is keyed by (component, action), ``leakage`` by component; ``path`` is its file,
    ``entries`` what is written there. Where it prices an inference core, ``array_core`` is the
    table of that, of which its actions are made; it has those of inference with GLM neurons alone.
    """

    name: str
    node: str
    path: Path
    actions: dict[tuple[str, str], Action]
    leakage: dict[str, Leakage]
    entries: Mapping[str, object]
    array_core: ArrayCoreTable | None = None

    def pj(self, component: str, action: str) -> float:
        """Energy in pJ of one ``action`` of ``component``.

        Raises:
            ConfigError: the table has no such action.
        """
        try:
            return self.actions[component, action].energy_pj
        except KeyError:
            raise ConfigError(_missing(f"action {component}.{action}", str(self.path))) from None


_FORMS = ({"energy"}, {"energy", "sram", "size"}, {"sram", "port"}, {"sram", "port", "share"})


class _ActionEntry(Section):
    """An energy, of a memory of some ``size`` if it names one; or ``share`` bits of a ``port``."""

    energy: Picojoules | None = None
    sram: str | None = None
    size: Bits | None = None
    port: Bits | None = None
    share: Bits | None = None
    source: str
    confidence: Confidence

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        names = ("energy", "sram", "size", "port", "share")
        if {name for name in names if getattr(self, name) is not None} not in _FORMS:
            raise ValueError(
                "expected either energy, perhaps of a memory of the core (sram) with a size, or "
                "sram (a memory of the core, or a capacity) with port and perhaps share"
            )
        return self


class _Buffer(Section):
    """What an access costs in a memory of some size."""

    size: Bits
    energy: Picojoules


def _priced_by_size(buffers: list[_Buffer]) -> list[_Buffer]:
    """Whether a price follows for every size, between and beyond those of ``buffers``."""
    sizes = [buffer.size for buffer in buffers]
    rising = all(small < large for small, large in pairwise(sizes))
    if len(sizes) == 1 or not rising or any(buffer.energy == 0 for buffer in buffers):
        got = ", ".join(
            f"{units.show(units.MEMORY, b.size)}: {units.show(units.ENERGY, b.energy)}"
            for b in buffers
        )
        raise ValueError(
            "expected two or more memories (or none, for the prices of CACTI), each larger than "
            f"the one before, each with an energy above zero; got {got}"
        )
    return buffers


class _LeakageEntry(Section):
    """A power; with ``memories``, that of all memories of the core comes on top."""

    power: Watts
    memories: bool = False
    source: str
    confidence: Confidence


def _half_precision() -> Precision:
    """What a table that states no formats is taken for: FP16, the optimizer's state in FP32."""
    half, single = NumberFormat(16, "fp16"), NumberFormat(32, "fp32")
    names = dict.fromkeys(Precision.model_fields, half) | {"optimizer": single}
    return Precision.model_validate(names)


class _EnergyFile(Section):
    schema_version: Literal[1]
    name: str
    node: str
    dram_devices: list[str] = Field(default_factory=list)
    precision: Precision = Field(default_factory=_half_precision)
    array_core: str | None = None
    buffers: Annotated[list[_Buffer], AfterValidator(_priced_by_size)] = Field(default_factory=list)
    actions: dict[str, dict[str, _ActionEntry]]
    leakage: dict[str, _LeakageEntry]


def energy_tables() -> list[str]:
    """Names of the tables that ship, sorted."""
    return table_names(ENERGY_FOLDER)


def load_energy(
    name_or_path: str | Path, chip: ChipConfig, asked_by: str = "energy"
) -> EnergyTable:
    """Read an energy table: one that ships, by its name, or a file.

    ``chip`` is what it prices: its memories decide what an access costs where the table says so;
    ``asked_by`` names the key or option that asks for it in the error text.

    Raises:
        ConfigError: no such table, an unknown or missing action, or a value without its unit.
    """
    table = read_table(ENERGY_FOLDER, name_or_path, "energy table", asked_by)
    core = with_core(table)
    file = validated(_EnergyFile, table.data, table.where, extends="TABLE")
    problems = _coverage(file, table.where)
    if problems:
        raise ConfigError("\n".join(problems))
    try:
        actions = {
            (part, action): _action(entry, file, chip, f"{part}.{action}")
            for part, entries in file.actions.items()
            for action, entry in entries.items()
        }
    except ConfigError as error:
        raise ConfigError(f"{table.where}: {error}") from None
    return EnergyTable(
        name=file.name,
        node=file.node,
        path=table.path,
        actions=actions | dram_prices(actions, file.dram_devices, chip),
        leakage={
            component: Leakage(
                entry.power + (core_sram.leakage_w(chip.core) if entry.memories else 0.0),
                entry.source,
                entry.confidence,
            )
            for component, entry in file.leakage.items()
        },
        entries=table.data,
        array_core=core,
    )


def _action(entry: _ActionEntry, file: _EnergyFile, chip: ChipConfig, name: str) -> Action:
    """The price of an action, for the memories and the formats of a chip."""
    words = words_ratio(name, chip.precision, file.precision)
    if entry.energy is None:
        return _access(entry, chip, words, name)
    by_size = _size_ratio(entry, file.buffers, chip, name)
    factor = words * by_size * operations_ratio(name, chip.precision, file.precision)
    if factor == 1:
        return Action(entry.energy, entry.source, entry.confidence)
    note = f"x {factor:.4g} for the chip's sizes and formats"
    confidence = "derived" if entry.confidence == "published" else entry.confidence
    return Action(entry.energy * factor, f"{entry.source}; {note}", confidence)


def _size_ratio(
    entry: _ActionEntry, buffers: Sequence[_Buffer], chip: ChipConfig, name: str
) -> float:
    """What an access costs in the chip's memory, of that in one of the size of an entry."""
    if entry.sram is None or entry.size is None:
        return 1.0
    capacity = _capacity(entry.sram, chip, name)
    if not buffers:
        return sram.access_pj(capacity, WORD_BITS) / sram.access_pj(entry.size, WORD_BITS)
    sizes, energies = [b.size for b in buffers], [b.energy for b in buffers]
    law = partial(power_law, xs=sizes, ys=energies)
    try:
        return law(capacity) / law(entry.size)
    except ArithmeticError:
        raise ConfigError(
            f"buffers: no price of {name} follows for {units.show(units.MEMORY, capacity)}: they "
            "rise or fall too steeply; check their energies"
        ) from None


def _access(entry: _ActionEntry, chip: ChipConfig, words: float, name: str) -> Action:
    """The price of an access by CACTI; narrow words share a port, wide ones have a wider."""
    assert entry.sram is not None and entry.port is not None  # one form, checked by the entry
    capacity = _capacity(entry.sram, chip, name)
    bits = (entry.share or entry.port) * words
    port = entry.port if entry.share else max(entry.port, int(bits))
    energy_pj = sram.access_pj(capacity, port) * bits / port
    size, width = units.show(units.MEMORY, capacity), units.show(units.MEMORY, port)
    source = f"{entry.source}; {sram.SOURCE}: {bits:g} of {width} of {size}"
    return Action(energy_pj, source, entry.confidence)


def _capacity(named: str, chip: ChipConfig, action: str) -> int:
    """Bits of a memory of the core, or of a capacity with its unit."""
    known = chip.core.memory.sizes
    if named in known:
        return known[named]
    try:
        return int(units.parse(units.MEMORY, named))
    except ValueError as error:
        hint = did_you_mean(named, known)
        raise ConfigError(
            f"actions.{action}.sram: no memory of the core{hint} or {error}"
        ) from None


def _coverage(file: _EnergyFile, where: str) -> list[str]:
    """One line for every action that is missing or that the model does not count."""
    known = [f"{part}.{action}" for part, names in ACTIONS.items() for action in names]
    required = (
        known
        if file.array_core is None
        else [name for name in known if name.startswith(("noc.", "dram."))]
    )
    priced = [f"{part}.{action}" for part, names in file.actions.items() for action in names]
    return [
        *(
            f"{where}: actions.{name}: unknown action{_like(name)}"
            for name in priced
            if name not in known
        ),
        *(_missing(f"action {name}", where) for name in required if name not in priced),
        *(
            f"{where}: leakage.{name}: unknown component{did_you_mean(name, LEAKING)}"
            for name in file.leakage
            if name not in LEAKING
        ),
        *(_missing(f"leakage {name}", where) for name in LEAKING if name not in file.leakage),
    ]


def _like(name: str) -> str:
    """A suggestion among the component's own actions, or among the components."""
    component, _, action = name.partition(".")
    if component in ACTIONS:
        return did_you_mean(action, ACTIONS[component])
    return did_you_mean(component, ACTIONS)


def _missing(what: str, where: str) -> str:
    value = "energy" if what.startswith("action") else "power"
    return f"missing energy {what} in {where}; add it with its {value}, source and confidence"
