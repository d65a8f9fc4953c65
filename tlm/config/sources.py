"""Where a chip's values come from: presets, files, mapping files and ``--set``, each a source.

A new preset is a file ``presets/NAME.yaml``. It needs no code: it sets every key, or extends
another preset and sets what differs, and says in ``provenance`` where its values come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tlm.config.chip import ChipConfig
from tlm.config.problems import KeyPath, did_you_mean, known_keys, leaf_paths, unknown_key
from tlm.config.published import Published, published_figures
from tlm.config.tables.area import area_tables
from tlm.config.tables.dram_timing import dram_devices
from tlm.config.tables.energy import energy_tables
from tlm.config.yaml_file import parse_yaml, read_mapping
from tlm.config.yaml_lines import located
from tlm.errors import ConfigError

PRESET_FOLDER = Path(__file__).parent / "presets"
_OVERRIDE = "--set"
_IMPOSED = "what is run"
PRESET = "preset "
_SHIPPED = {  # keys that name something that ships, or its file
    ("energy",): energy_tables,
    ("area",): area_tables,
    ("dram", "device"): dram_devices,
}


@dataclass(frozen=True)
class ValueSource:
    """One preset, file or override: the values it sets, and what it says of their provenance.

    ``origin`` names it in errors and comments. ``provenance`` maps dotted keys, of values or of
    groups, to ``assumed``, ``assumed: why`` or ``source: ...``.
    """

    origin: str
    values: dict[KeyPath, object]
    provenance: dict[str, str]
    published: tuple[Published, ...] = ()

    @property
    def preset(self) -> str | None:
        """Its name, if it ships with the program."""
        return self.origin.removeprefix(PRESET) if self.origin.startswith(PRESET) else None

    def note(self, key: KeyPath) -> str:
        """The note on ``key``, or on the smallest group around it that has one; else ``""``."""
        for length in range(len(key), 0, -1):
            note = self.provenance.get(".".join(key[:length]))
            if note is not None:
                return note
        return ""


def presets() -> list[str]:
    """Names of the chip presets that ship, sorted."""
    return sorted(path.stem for path in PRESET_FOLDER.glob("*.yaml"))


def chip_sources(source: str | Path) -> list[ValueSource]:
    """What the preset or file ``source`` extends, lowest first, and then itself.

    Raises:
        ConfigError: no such preset or file, or a file that cannot be read.
    """
    if str(source) in presets():
        return _preset(str(source))
    path = Path(source)
    if not path.exists():
        hint = did_you_mean(str(source), presets())
        raise ConfigError(f'chip "{source}": no preset or file of that name{hint}')
    return _extended(path, str(path))


def _preset(name: str) -> list[ValueSource]:
    return _extended(PRESET_FOLDER / f"{name}.yaml", f"{PRESET}{name}")


def _extended(path: Path, origin: str) -> list[ValueSource]:
    """The source at ``path``, after those of the preset that it extends."""
    data = read_mapping(path, origin)
    base = data.pop("extends", None)
    if base is None:
        return [_file_source(origin, data, path.parent)]
    if base not in presets():
        hint = did_you_mean(str(base), presets())
        raise ConfigError(f'{origin}: extends: no preset "{base}"{hint}')
    return [*_preset(str(base)), _file_source(origin, data, path.parent)]


def _file_source(origin: str, data: dict[str, object], folder: Path) -> ValueSource:
    """The source with the content ``data`` of a file in ``folder``."""
    provenance = _provenance(origin, data.pop("provenance", {}))
    published = published_figures(data.pop("published", []), origin)
    values = dict(_flattened(data, ()))
    for key in _SHIPPED:
        if key in values:
            values[key] = _from_folder(key, values[key], folder)
    return ValueSource(origin, values, provenance, published)


def _from_folder(key: KeyPath, named: object, folder: Path) -> object:
    """A file named by a path, which counts from the ``folder`` of what names it, made absolute."""
    if not isinstance(named, str) or named in _SHIPPED[key]():
        return named
    path = folder / named
    is_path = path.suffix in (".yaml", ".yml") or path.is_file()
    return str(path.resolve()) if is_path else named


def _provenance(origin: str, notes: object) -> dict[str, str]:
    """The block ``provenance`` of a file, checked: known keys, each with a note that says which."""
    if not isinstance(notes, dict):
        raise ConfigError(f"{origin}: provenance: expected dotted keys with notes, got {notes!r}")
    leaves = list(leaf_paths(ChipConfig))
    keys = sorted(
        {".".join(leaf[:length]) for leaf in leaves for length in range(1, len(leaf) + 1)}
    )
    for key, note in notes.items():
        fault = ""
        if key not in keys:
            fault = f'unknown key "{key}"{did_you_mean(key, keys)}'
        elif not isinstance(note, str) or not note.startswith(("assumed", "source:")):
            fault = f'{key}: expected "assumed", "assumed: why" or "source: ...", got {note!r}'
        if fault:
            raise ConfigError(f"{located(origin, ('provenance', key))}: provenance: {fault}")
    return notes


def mapping_source(origin: str, values: Mapping[str, object]) -> ValueSource:
    """The keys of the chip's section ``mapping`` that a mapping file sets."""
    return ValueSource(origin, {("mapping", key): value for key, value in values.items()}, {})


def override_source(text: str) -> ValueSource:
    """The source that one ``--set a.b=value`` is.

    Raises:
        ConfigError: no ``=``, an unknown key, a group of keys, or a value that is no YAML.
    """
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
    if key in _SHIPPED:
        value = _from_folder(key, value, Path())
    return ValueSource(_OVERRIDE, {key: value}, {})


def imposed_source(text: str) -> ValueSource:
    """The source of a setting ``a.b=value`` that no user chose: it goes with what is run."""
    setting = override_source(text)
    notes = {".".join(key): f"source: goes with {_IMPOSED}" for key in setting.values}
    return replace(setting, origin=_IMPOSED, provenance=notes)


def _unknown_path(key: KeyPath, leaves: list[KeyPath]) -> str:
    """What is wrong with ``key``, which is none of ``leaves``, and what may be meant."""
    dotted = ".".join(key)
    if any(leaf[: len(key)] == key for leaf in leaves):
        inside = ", ".join(known_keys(ChipConfig, key))
        return f"{dotted}: is a group of keys; set one of them ({inside})"
    single = next((leaf for leaf in leaves if key[: len(leaf)] == leaf), None)
    if single is not None:
        return f"{dotted}: unknown key; {'.'.join(single)} is a single value"
    return f"{dotted}: {unknown_key(key, ChipConfig)}"


def _flattened(data: Mapping[str, object], above: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Every single value under ``data`` with its path; a list is one value."""
    for name, value in data.items():
        key = (*above, name)
        if isinstance(value, dict):
            yield from _flattened(value, key)
        else:
            yield key, value
