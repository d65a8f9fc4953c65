"""Loading a chip: preset < file < ``--set``, with the origin and the provenance of every value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlm.config.chip import ChipConfig
from tlm.config.problems import did_you_mean, known_keys, leaf_paths, validated
from tlm.config.published import Published, published_figures
from tlm.config.tables.area import AreaTable, area_tables, load_area
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.config.tables.energy import EnergyTable, energy_tables, load_energy
from tlm.config.yaml_file import parse_yaml, read_mapping
from tlm.errors import ConfigError

PRESET_FOLDER = Path(__file__).parent / "presets"
_OVERRIDE = "--set"
_TABLES = {"energy": energy_tables, "area": area_tables}

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class LoadedChip:
    """A checked chip, its tables of energy and area, and where each of its values came from.

    ``origins`` maps every dotted key to the preset, file or option that set it; ``assumed`` maps
    those that no publication states to a note (empty where there is nothing to add).
    ``published`` are figures of this very chip: what extends it does not inherit them.
    """

    config: ChipConfig
    energy: EnergyTable
    area: AreaTable
    origins: dict[str, str]
    assumed: dict[str, str]
    published: tuple[Published, ...]


@dataclass(frozen=True)
class ConfigLayer:
    """The values of one preset, file or override, and what it says of their sources."""

    origin: str
    values: dict[KeyPath, object]
    provenance: dict[str, str]
    published: tuple[Published, ...] = ()

    def note(self, key: KeyPath) -> str:
        """What it says of ``key``: the longest dotted prefix with an entry, or ``""``."""
        for length in range(len(key), 0, -1):
            note = self.provenance.get(".".join(key[:length]))
            if note is not None:
                return note
        return ""


def presets() -> list[str]:
    """Names of the chip presets that ship, sorted."""
    return sorted(path.stem for path in PRESET_FOLDER.glob("*.yaml"))


def load_chip(
    source: str | Path, overrides: Sequence[str] = (), mapping: ConfigLayer | None = None
) -> LoadedChip:
    """Load and check the chip ``source``, a preset's name or a file, with ``--set`` overrides.

    ``mapping`` is what a mapping file sets, under the overrides; see :func:`mapping_layer`.

    Raises:
        ConfigError: nothing of that name, or anything wrong in it: one line a problem, each
            naming the file or option, the key, what was expected and what was found.
    """
    layers = source_layers(source)
    top = layers[-1]
    layers += [mapping] if mapping is not None else []
    layers += [_override(text) for text in overrides]
    values, setters = _merge(layers)
    config = validated(
        ChipConfig, _nested(values), lambda key: _where(key, setters, top.origin), extends="PRESET"
    )
    _check_device(config, setters)
    notes = {key: _note(key, layers, setter) for key, setter in setters.items()}
    return LoadedChip(
        config=config,
        energy=load_energy(
            config.energy, config.core.memory, f"{setters['energy',].origin}: energy"
        ),
        area=load_area(config.area, f"{setters['area',].origin}: area"),
        origins={".".join(key): layer.origin for key, layer in setters.items()},
        assumed={
            ".".join(key): note.removeprefix("assumed").removeprefix(":").strip()
            for key, note in notes.items()
            if note.startswith("assumed")
        },
        published=top.published,
    )


def mapping_layer(origin: str, values: Mapping[str, object]) -> ConfigLayer:
    """The layer that sets keys of the chip's section ``mapping``, as read from a mapping file."""
    return ConfigLayer(origin, {("mapping", key): value for key, value in values.items()}, {})


def _note(key: KeyPath, layers: Sequence[ConfigLayer], setter: ConfigLayer) -> str:
    """The provenance of a value: of the layer that set it, or what one above it says of it."""
    above = layers[layers.index(setter) :]
    return next((note for layer in reversed(above) if (note := layer.note(key))), "")


def source_layers(source: str | Path) -> list[ConfigLayer]:
    """The layers of ``source``, lowest first: what it extends, and its own.

    Raises:
        ConfigError: no such preset or file, or a file that cannot be read.
    """
    if isinstance(source, str) and source in presets():
        return _preset(source)
    path = Path(source)
    if not path.exists():
        hint = did_you_mean(str(source), presets())
        raise ConfigError(f'--chip: no preset or file "{source}"{hint}')
    return _extended(path, str(path))


def _preset(name: str) -> list[ConfigLayer]:
    return _extended(PRESET_FOLDER / f"{name}.yaml", f"preset {name}")


def _extended(path: Path, origin: str) -> list[ConfigLayer]:
    """The layer of one file, over those of the preset that it extends."""
    data = read_mapping(path, origin)
    base = data.pop("extends", None)
    if base is None:
        return [_layer(origin, data, path.parent)]
    if base not in presets():
        hint = did_you_mean(str(base), presets())
        raise ConfigError(f'{origin}: extends: no preset "{base}"{hint}')
    return [*_preset(str(base)), _layer(origin, data, path.parent)]


def _layer(origin: str, data: dict[str, object], folder: Path) -> ConfigLayer:
    provenance = _provenance(origin, data.pop("provenance", {}))
    published = published_figures(data.pop("published", []), origin)
    values = dict(_flattened(data, ()))
    for table in _TABLES:
        if table in data:
            values[table,] = _located(table, data[table], folder)
    return ConfigLayer(origin, values, provenance, published)


def _located(key: str, named: object, folder: Path) -> object:
    """A table named by a path relative to its chip file, made absolute."""
    if not isinstance(named, str) or named in _TABLES[key]():
        return named
    path = folder / named
    return str(path.resolve()) if path.is_file() else named


def _provenance(origin: str, notes: object) -> dict[str, str]:
    where = f"{origin}: provenance"
    if not isinstance(notes, dict):
        raise ConfigError(f"{where}: expected dotted keys with notes, got {notes!r}")
    leaves = list(leaf_paths(ChipConfig))
    keys = sorted(
        {".".join(leaf[:length]) for leaf in leaves for length in range(1, len(leaf) + 1)}
    )
    for key, note in notes.items():
        if key not in keys:
            raise ConfigError(f'{where}: unknown key "{key}"{did_you_mean(key, keys)}')
        if not isinstance(note, str) or not note.startswith(("assumed", "source:")):
            raise ConfigError(
                f'{where}: {key}: expected "assumed", "assumed: why" or "source: ...", got {note!r}'
            )
    return notes


def _override(text: str) -> ConfigLayer:
    """The layer of one ``--set a.b=value``."""
    dotted, equals, written = text.partition("=")
    key = tuple(dotted.strip().split("."))
    if not equals:
        raise ConfigError(
            f'{_OVERRIDE}: expected KEY=VALUE (such as noc.link="64 bit"), got "{text}"'
        )
    leaves = list(leaf_paths(ChipConfig))
    if key not in leaves:
        raise ConfigError(f"{_OVERRIDE}: {_unknown_path(key, leaves)}")
    value = parse_yaml(written, f"{_OVERRIDE}: {dotted.strip()}")
    if key[0] in _TABLES:
        value = _located(key[0], value, Path())
    return ConfigLayer(_OVERRIDE, {key: value}, {})


def _unknown_path(key: KeyPath, leaves: list[KeyPath]) -> str:
    dotted = ".".join(key)
    if any(leaf[: len(key)] == key for leaf in leaves):
        inside = ", ".join(known_keys(ChipConfig, key))
        return f"{dotted}: is a group of keys; set one of them ({inside})"
    same_name = [".".join(leaf) for leaf in leaves if leaf[-1] == key[-1]]
    if same_name:
        return f'{dotted}: unknown key; did you mean "{same_name[0]}"?'
    depth = max(n for n in range(len(key)) if any(leaf[:n] == key[:n] for leaf in leaves))
    if key[:depth] in leaves:
        return f"{dotted}: unknown key; {'.'.join(key[:depth])} is a single value"
    return f"{dotted}: unknown key{did_you_mean(key[depth], known_keys(ChipConfig, key[:depth]))}"


def _flattened(data: Mapping[str, object], above: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Every single value under ``data`` with its path; a list is one value."""
    for name, value in data.items():
        key = (*above, name)
        if isinstance(value, dict):
            yield from _flattened(value, key)
        else:
            yield key, value


def _merge(
    layers: Sequence[ConfigLayer],
) -> tuple[dict[KeyPath, object], dict[KeyPath, ConfigLayer]]:
    """The values of all ``layers``, later ones winning, and the layer that set each."""
    values: dict[KeyPath, object] = {}
    setters: dict[KeyPath, ConfigLayer] = {}
    for layer in layers:
        for key, value in layer.values.items():
            for other in [other for other in values if _covers(key, other)]:
                del values[other], setters[other]
            values[key], setters[key] = value, layer
    return values, setters


def _covers(key: KeyPath, other: KeyPath) -> bool:
    """Whether one is a group and the other inside it, so that they cannot both stand."""
    shorter = min(len(key), len(other))
    return len(key) != len(other) and key[:shorter] == other[:shorter]


def _nested(values: Mapping[KeyPath, object]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for key, value in values.items():
        group = tree
        for name in key[:-1]:
            inner = group.setdefault(name, {})
            assert isinstance(inner, dict)
            group = inner
        group[key[-1]] = value
    return tree


def _where(key: KeyPath, setters: Mapping[KeyPath, ConfigLayer], named: str) -> str:
    """The origin of the value at ``key``, of anything inside it, or of the chip as named."""
    for setter, layer in setters.items():
        if setter[: len(key)] == key:
            return layer.origin
    return named


def _check_device(chip: ChipConfig, setters: Mapping[KeyPath, ConfigLayer]) -> None:
    """Refuse an unknown DRAM device, and one that the channel's keys contradict."""
    try:
        timing = load_dram_timing(chip.dram.device)
    except ConfigError as error:
        origin = setters["dram", "device"].origin
        lines = [f"{origin}: {line}" for line in str(error).splitlines()]
        raise ConfigError("\n".join(lines)) from None
    if chip.dram.energy == "currents" and timing.currents is None:
        raise ConfigError(
            f"{setters['dram', 'energy'].origin}: dram.energy: no supply currents are known of "
            f"{timing.name}; use dram.energy=table, or a device file with a block currents"
        )
    if chip.dram.bus != timing.bus_bits:
        raise ConfigError(
            f"{setters['dram', 'bus'].origin}: dram.bus: a channel of {timing.name} has a bus of "
            f"{timing.bus_bits} bit, got {chip.dram.bus} bit; change dram.bus or dram.device"
        )
