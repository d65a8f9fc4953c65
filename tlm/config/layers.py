"""Loading a chip: preset < file < ``--set``, with the origin and the provenance of every value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlm.config.chip import ChipConfig
from tlm.config.effects import idle, never_met
from tlm.config.problems import KeyPath, validated
from tlm.config.published import Published
from tlm.config.quantities import LONGEST_CHANGES
from tlm.config.sources import (
    PRESET,
    ValueSource,
    chip_sources,
    imposed_source,
    override_source,
)
from tlm.config.tables.area import AreaTable, load_area
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.config.tables.energy import EnergyTable, load_energy
from tlm.config.yaml_lines import located
from tlm.errors import ConfigError

_NO_CLAIM = {"schema_version", "name"}  # keys that say nothing about a chip


@dataclass(frozen=True)
class LoadedChip:
    """A checked chip, its tables of energy and area, and where each of its values came from.

    ``origins`` maps every dotted key to the preset, file or option that set it; ``assumed`` maps
    those that no publication states to a note (empty where there is nothing to add), ``sources``
    the others to where they are from, as far as anybody says so. ``published`` are
    figures of this very chip: what extends it does not inherit them.
    """

    config: ChipConfig
    energy: EnergyTable
    area: AreaTable
    origins: dict[str, str]
    assumed: dict[str, str]
    sources: dict[str, str]
    published: tuple[Published, ...]

    @property
    def unsourced(self) -> list[str]:
        """The keys whose values have neither a source nor a word that they are assumed."""
        noted = self.assumed.keys() | self.sources.keys() | _NO_CLAIM
        return [key for key in self.origins if key not in noted]

    def located(self, text: str) -> str:
        """``text`` behind the file and line, or the option, that set the key it starts with.

        Of a group's values the first is taken that no preset set. Any other text stays as it is.
        """
        key = text.split(":", 1)[0]
        inside = [name for name in self.origins if name == key or name.startswith(f"{key}.")]
        if not inside:
            return text
        changed = [name for name in inside if not self.origins[name].startswith(PRESET)]
        name = (changed or inside)[0]
        return f"{located(self.origins[name], tuple(name.split('.')))}: {text}"


def load_chip(
    source: str | Path,
    overrides: Sequence[str] = (),
    mapping: ValueSource | None = None,
    imposed: Sequence[str] = (),
) -> LoadedChip:
    """Load and check the chip ``source``, a preset's name or a file, with ``--set`` overrides.

    ``mapping`` is what a mapping file sets; it stands above the chip's files and below the
    overrides (see :func:`tlm.config.sources.mapping_source`). The overrides become part of the
    chip's name; ``imposed`` ones, which no user chose, win over all and do not, nor do overrides
    of the same keys: what they leave without effect is no mistake.

    Raises:
        ConfigError: nothing of that name, or anything wrong in it: one line for each problem,
            with the file or option, the key, what was expected and what was found.
    """
    sources = chip_sources(source)
    named = sources[-1]
    sources += [mapping] if mapping is not None else []
    sources += [override_source(text) for text in overrides]
    users = [setter for setter in sources[1:] if setter is not mapping and setter.preset is None]
    values, setters = _merge(sources)

    def place(key: KeyPath) -> str:
        return _where(key, setters, named)

    if imposed:
        validated(ChipConfig, _nested(values), place, extends="PRESET")  # what they hide as well
        sources += [imposed_source(text) for text in imposed]
        values, setters = _merge(sources)
    if isinstance(name := values.get(("name",)), str):
        hidden = {text.partition("=")[0] for text in imposed}
        values["name",] = _label(name, overrides, hidden)
    config = validated(ChipConfig, _nested(values), place, extends="PRESET")
    _check_device(config, place)
    _check_effects(config, {key for key, setter in setters.items() if setter in users}, place)
    notes = {key: _note(key, sources, setter) for key, setter in setters.items()}
    return LoadedChip(
        config=config,
        energy=load_energy(config.energy, config, f"{place(('energy',))}: energy"),
        area=load_area(config.area, f"{place(('area',))}: area"),
        origins={".".join(key): setter.origin for key, setter in setters.items()},
        assumed=_notes(notes, "assumed"),
        sources=_notes(notes, "source"),
        published=named.published,
    )


def _label(name: str, overrides: Sequence[str], hidden: Collection[str]) -> str:
    """The name of a chip of which something was set, the last value of each key but ``hidden``."""
    changes = {}
    for text in overrides:
        key, _, value = text.partition("=")
        changes[key.strip()] = " ".join(value.split())
    changes = {key: value for key, value in changes.items() if key not in {"name", *hidden}}
    if not changes:
        return name
    short, _, before = name.partition(" + ")
    listed = ", ".join([before] * bool(before) + [f"{key}={text}" for key, text in changes.items()])
    if len(listed) > LONGEST_CHANGES:
        listed = f"{listed[: LONGEST_CHANGES - 1]}…"
    return f"{short} + {listed}"


def _notes(notes: Mapping[KeyPath, str], kind: str) -> dict[str, str]:
    """The notes of a kind by dotted key, without the word that says which."""
    return {
        ".".join(key): note.removeprefix(kind).removeprefix(":").strip()
        for key, note in notes.items()
        if note.startswith(kind)
    }


def _note(key: KeyPath, sources: Sequence[ValueSource], setter: ValueSource) -> str:
    """The note on a value: the topmost of its ``setter`` and the sources above it that has one.

    So a preset can say where a value comes from that it takes over from another.
    """
    above = sources[sources.index(setter) :]
    return next((note for source in reversed(above) if (note := source.note(key))), "")


def _merge(
    sources: Sequence[ValueSource],
) -> tuple[dict[KeyPath, object], dict[KeyPath, ValueSource]]:
    """The values of all ``sources``, later ones winning, and the source that set each."""
    values: dict[KeyPath, object] = {}
    setters: dict[KeyPath, ValueSource] = {}
    for source in sources:
        for key, value in source.values.items():
            for other in [other for other in values if _exclude(key, other)]:
                del values[other], setters[other]
            values[key], setters[key] = value, source
    return values, setters


def _exclude(key: KeyPath, other: KeyPath) -> bool:
    """Whether two keys cannot both stand, because one is a group that the other is inside of."""
    shorter = min(len(key), len(other))
    return len(key) != len(other) and key[:shorter] == other[:shorter]


def _nested(values: Mapping[KeyPath, object]) -> dict[str, object]:
    """The groups and keys of a chip file, from the values by path."""
    tree: dict[str, object] = {}
    for key, value in values.items():
        group = tree
        for name in key[:-1]:
            inner = group.setdefault(name, {})
            assert isinstance(inner, dict)
            group = inner
        group[key[-1]] = value
    return tree


def _where(key: KeyPath, setters: Mapping[KeyPath, ValueSource], named: ValueSource) -> str:
    """The origin of the value at ``key`` or of any inside it; else of the chip as ``named``."""
    if not key:
        return named.origin
    inside = (setter for path, setter in setters.items() if path[: len(key)] == key)
    return located(next(inside, named).origin, key)


def _check_effects(
    chip: ChipConfig, keys: Collection[KeyPath], place: Callable[[KeyPath], str]
) -> None:
    """Refuse what has no effect on any chip, and of the user's ``keys`` what has none on this."""
    problems = [*never_met(chip), *((key, why) for key, why in idle(chip) if key in keys)]
    if problems:
        lines = dict.fromkeys(f"{place(key)}: {'.'.join(key)}: {why}" for key, why in problems)
        raise ConfigError("\n".join(lines))


def _check_device(chip: ChipConfig, place: Callable[[KeyPath], str]) -> None:
    """Refuse an unknown DRAM device, and one that the channel's keys contradict."""
    timing = load_dram_timing(chip.dram.device, f"{place(('dram', 'device'))}: dram.device")
    if chip.dram.energy == "currents" and timing.currents is None:
        raise ConfigError(
            f"{place(('dram', 'energy'))}: dram.energy: no supply currents are known of "
            f"{timing.name}; use dram.energy=auto, or a device file with a block currents"
        )
    if chip.dram.energy == "device" and timing.energy is None:
        raise ConfigError(
            f"{place(('dram', 'energy'))}: dram.energy: the file of {timing.name} states no "
            "energy; use dram.energy=auto, or add a block energy with read_bit, write_bit, source "
            "and confidence"
        )
    if chip.dram.bus != timing.bus_bits:
        raise ConfigError(
            f"{place(('dram', 'bus'))}: dram.bus: a channel of {timing.name} has a bus of "
            f"{timing.bus_bits} bit, got {chip.dram.bus} bit; change dram.bus or dram.device"
        )
