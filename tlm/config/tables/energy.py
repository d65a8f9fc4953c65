"""Energy tables: what one action of one component costs, with the source of every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from tlm.config import units
from tlm.config.chip import ChipConfig
from tlm.config.problems import did_you_mean, validated
from tlm.config.quantities import Bits, Picojoules, Section, Watts
from tlm.config.tables import core_sram, sram
from tlm.config.tables.dram_prices import dram_prices
from tlm.config.tables.energy_actions import ACTIONS, LEAKING
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
    ``entries`` what is written there.
    """

    name: str
    node: str
    path: Path
    actions: dict[tuple[str, str], Action]
    leakage: dict[str, Leakage]
    entries: Mapping[str, object]

    def pj(self, component: str, action: str) -> float:
        """Energy in pJ of one ``action`` of ``component``.

        Raises:
            ConfigError: the table has no such action.
        """
        try:
            return self.actions[component, action].energy_pj
        except KeyError:
            raise ConfigError(_missing(f"action {component}.{action}", str(self.path))) from None


class _ActionEntry(Section):
    """An energy; or, for an access, the memory: ``share`` bits of a ``port`` of ``sram``."""

    energy: Picojoules | None = None
    sram: str | None = None
    port: Bits | None = None
    share: Bits | None = None
    source: str
    confidence: Confidence

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        access = self.sram is not None and self.port is not None and self.energy is None
        plain = self.energy is not None and (self.sram, self.port, self.share) == (None,) * 3
        if not access and not plain:
            raise ValueError(
                "expected either energy, or sram (a memory of the core, or a capacity) with port "
                "and perhaps share"
            )
        return self


class _LeakageEntry(Section):
    """A power; with ``memories``, that of all memories of the core comes on top."""

    power: Watts
    memories: bool = False
    source: str
    confidence: Confidence


class _EnergyFile(Section):
    schema_version: Literal[1]
    name: str
    node: str
    dram_devices: list[str] = Field(default_factory=list)
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
    file = validated(_EnergyFile, table.data, table.where, extends="TABLE")
    problems = _coverage(file, table.where)
    if problems:
        raise ConfigError("\n".join(problems))
    actions = {
        (part, action): _action(entry, chip, f"{table.where}: actions.{part}.{action}")
        for part, entries in file.actions.items()
        for action, entry in entries.items()
    }
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
    )


def _action(entry: _ActionEntry, chip: ChipConfig, where: str) -> Action:
    """The energy of an entry, which an access has from its memory's capacity and port."""
    if entry.energy is not None:
        return Action(entry.energy, entry.source, entry.confidence)
    assert entry.sram is not None and entry.port is not None  # one form, checked by the entry
    capacity = _capacity(entry.sram, chip, where)
    share = entry.share or entry.port
    energy_pj = sram.access_pj(capacity, entry.port) * share / entry.port
    size, port = units.show(units.MEMORY, capacity), units.show(units.MEMORY, entry.port)
    source = f"{entry.source}; {sram.SOURCE}: {share} of {port} of {size}"
    return Action(energy_pj, source, entry.confidence)


def _capacity(named: str, chip: ChipConfig, where: str) -> int:
    """Bits of a memory of the core, or of a capacity with its unit."""
    known = core_sram.capacities_bits(chip.core.memory)
    if named in known:
        return known[named]
    try:
        return int(units.parse(units.MEMORY, named))
    except ValueError as error:
        hint = did_you_mean(named, known)
        raise ConfigError(f"{where}.sram: no memory of the core{hint} or {error}") from None


def _coverage(file: _EnergyFile, where: str) -> list[str]:
    """One line for every action that is missing or that the model does not count."""
    required = [f"{part}.{action}" for part, names in ACTIONS.items() for action in names]
    priced = [f"{part}.{action}" for part, names in file.actions.items() for action in names]
    return [
        *(
            f"{where}: actions.{name}: unknown action{_like(name)}"
            for name in priced
            if name not in required
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
