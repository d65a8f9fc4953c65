"""Layering: preset < file < --set, with origins, provenance and one-line errors."""

from pathlib import Path

import pytest

from tests.config.conftest import WriteChip, without_line
from tlm import config
from tlm.config import load_chip
from tlm.config.chip import ChipConfig
from tlm.errors import ConfigError


def refusal(source: str | Path, *overrides: str) -> str:
    """The text with which loading ``source`` is refused."""
    with pytest.raises(ConfigError) as caught:
        load_chip(source, overrides)
    return str(caught.value)


def test_a_file_changes_what_it_names_and_nothing_else(write_chip: WriteChip) -> None:
    """A file over a preset replaces single values, deep in the tree too."""
    path = write_chip("name: mine\ncore: {memory: {weights: 36 Kib}}\n")
    mine, preset = load_chip(path).config, load_chip("neuromc-20").config
    assert mine.core.memory.weights == 36 * 1024
    assert mine.core.memory.spikes == preset.core.memory.spikes
    assert mine.noc == preset.noc


def test_set_wins_over_file_and_the_last_set_wins(write_chip: WriteChip) -> None:
    """The command line has the last word."""
    path = write_chip("core: {clock: 400 MHz}\n")
    chip = load_chip(path, ["core.clock=250 MHz", "core.clock=200MHz"]).config
    assert chip.core.clock == 200_000_000
    assert chip.core.period_ps == 5_000


def test_origins_name_the_layer_of_every_value(write_chip: WriteChip) -> None:
    """Every value says whether a preset, a file or an option set it."""
    path = write_chip("core: {clock: 400 MHz}\n")
    origins = load_chip(path, ["noc.link=64 bit"]).origins
    assert origins["core.clock"] == str(path)
    assert origins["noc.link"] == "--set"
    assert origins["core.memory.weights"] == "preset neuromc-20"


def test_an_assumption_ends_where_a_file_sets_the_value(write_chip: WriteChip) -> None:
    """A value of the user's own is no assumption of the preset's."""
    assert "core.clock" in load_chip("neuromc-20").assumed
    assert "core.clock" not in load_chip(write_chip("core: {clock: 400 MHz}\n")).assumed
    assert "core.clock" not in load_chip("neuromc-20", ["core.clock=400 MHz"]).assumed


def test_a_file_may_mark_its_own_assumptions(write_chip: WriteChip) -> None:
    """Provenance stands beside the values, in a file as in a preset."""
    text = 'core: {clock: 400 MHz}\nprovenance: {core.clock: "assumed: a guess"}\n'
    assert load_chip(write_chip(text)).assumed["core.clock"] == "a guess"


def test_lists_are_replaced_whole() -> None:
    """A list given on the command line is the list."""
    chip = load_chip("neuromc-20", ["dram.nodes=[0, 4, 15, 19]"]).config
    assert chip.dram_nodes == (0, 4, 15, 19)


@pytest.mark.parametrize(
    ("key", "shipped"),
    [
        ("energy", "energy/neuromc.yaml"),
        ("area", "area/logic28.yaml"),
        ("dram.device", "dram/LPDDR4-3200.yaml"),
    ],
)
def test_a_file_is_found_beside_the_file_that_names_it(
    write_chip: WriteChip, monkeypatch: pytest.MonkeyPatch, key: str, shipped: str
) -> None:
    """A path in a chip file counts from there, one on the command line from where it is typed."""
    group, _, name = key.rpartition(".")
    text = f"{name}: tables/own.yaml"
    path = write_chip(f"{group}: {{{text}}}\n" if group else f"{text}\n")
    own = path.parent / "tables" / "own.yaml"
    own.parent.mkdir()
    own.write_bytes((Path(config.__file__).parent / shipped).read_bytes())
    assert file_of(load_chip(path).config, key) == str(own.resolve())
    monkeypatch.chdir(own.parent)
    assert file_of(load_chip("neuromc-20", [f"{key}=own.yaml"]).config, key) == str(own.resolve())
    own.rename(own.with_name("other.yaml"))
    (own.parent / "tables").mkdir()
    assert refusal(path).startswith((f"{path}:2: {key}: no ", f"{own.resolve()}: cannot be read"))


def file_of(chip: ChipConfig, key: str) -> str:
    """What the chip says of a key that names a file."""
    return {"energy": chip.energy, "area": chip.area, "dram.device": chip.dram.device}[key]


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("core.clock=500", 'core.clock: expected a frequency with its unit (such as "500'),
        ("core.clok=500 MHz", 'core.clok: unknown key; did you mean "core.clock"?'),
        (
            "precision.weights=8 bit",
            'precision.weights: unknown key; did you mean "precision.weight"?',
        ),
        ("cor.clock=500 MHz", 'cor.clock: unknown key; did you mean "core.clock"?'),
        (
            "core.memori.weight=1 Kib",
            'core.memori.weight: unknown key; did you mean "core.mem',
        ),
        (
            "core.memory.weight=1 Kib",
            'core.memory.weight: unknown key; did you mean "core.mem',
        ),
        ("dram.channel=2", 'dram.channel: unknown key; did you mean "dram.channels"?'),
        ("noc.banks=2", 'noc.banks: unknown key; did you mean "core.memory.banks"?'),
        ("zzz=1", "zzz: unknown key; known are schema_version, name, mesh, cores"),
        ("clock=500 MHz", 'clock: unknown key; did you mean "core.clock"?'),
        ("cores.max=5", "cores.max: unknown key; cores is a single value"),
        ("noc=packet", "noc: is a group of keys; set one of them (model, clock, link"),
        ("noc.model", "expected KEY=VALUE"),
        (
            "noc.model=pocket",
            "noc.model: expected 'ideal', 'packet' or 'router', got 'pocket'",
        ),
        ("cores=many", "cores: expected a whole number, got 'many'"),
        ("cores=true", "cores: expected a whole number, got true"),
        ("cores=0", "cores: expected 1 or more, got 0"),
        ("core.skip_slices=on", "core.skip_slices: expected true or false, got 'on'"),
        ("name=../../etc", "name: expected up to 64 letters, digits"),
        ("name=", "name: expected text, got nothing"),
        ("energy=neuromcc", 'energy: no energy table or file "neuromcc"; did you mean'),
        ("dram.device=LPDDR4", "dram.device: no device 'LPDDR4'"),
        ("dram.nodes=edge", 'dram.nodes: expected "edges" or a list of node numbers'),
        ("noc.link=!!int 4", "noc.link:1: the tag tag:yaml.org,2002:int is not accepted"),
    ],
)
def test_a_wrong_override_is_one_line(override: str, text: str) -> None:
    """A mistake on the command line names the option, the key and what was expected."""
    assert refusal("neuromc-20", override).startswith(f"--set: {text}")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (
            "core: {memory: {weights: 18432}}",
            'core.memory.weights: expected an amount of data with its unit (such as "128 bit"), '
            "got 18432",
        ),
        ("noc: {clok: 1 GHz}", 'noc.clok: unknown key; did you mean "noc.clock"?'),
        ("core: 5", "core: expected a group of keys, got 5"),
        ("noc:", "noc: expected a group of keys, got nothing"),
        ("noc.link: 64 bit", "noc.link: unknown key"),
        ("schema_version: 2", "schema_version: expected 1, got 2"),
        ("provenance: {core.clok: assumed}", 'provenance: unknown key "core.clok"'),
        ("provenance: {core.clock: guess}", 'provenance: core.clock: expected "assumed"'),
        ("provenance: assumed", "provenance: expected dotted keys with notes"),
    ],
)
def test_a_wrong_file_is_one_line(write_chip: WriteChip, written: str, text: str) -> None:
    """A mistake in a file names the file, the key and what was expected."""
    path = write_chip(written + "\n")
    assert without_line(refusal(path), path).startswith(f"{path}: {text}")


def test_every_problem_has_its_own_line(write_chip: WriteChip) -> None:
    """All mistakes are reported at once, each line with the layer it comes from."""
    path = write_chip("core: {clock: 500}\nnoc: {widht: 3}\n")
    lines = refusal(path, "cores=x").splitlines()
    places = sorted(line.split(": ")[0] for line in lines)
    assert places == ["--set", f"{path}:2", f"{path}:3"]


def test_a_file_that_extends_nothing_must_be_complete(tmp_path: Path) -> None:
    """Without a preset below it, a missing key is named, with the remedy."""
    path = tmp_path / "bare.yaml"
    path.write_text("name: bare\n")
    missing = (
        "cores, core, precision, noc, dram, mapping, energy, area: missing; add them, or start"
    )
    assert f"{path}: schema_version, mesh, {missing} the file with `extends:" in refusal(path)
    assert len(refusal(path).splitlines()) == 1


def test_an_unknown_chip_lists_what_there_is() -> None:
    """A misspelt preset gets a suggestion, anything else the list."""
    assert 'did you mean "neuromc-20"?' in refusal("neuromc20")
    assert "known are h2learn, neuromc-1, neuromc-20" in refusal("/no/such/file.yaml")


def test_only_presets_can_be_extended(tmp_path: Path) -> None:
    """There is one level of `extends`, and it names a preset."""
    path = tmp_path / "my.yaml"
    path.write_text("extends: other.yaml\n")
    assert refusal(path).startswith(f'{path}: extends: no preset "other.yaml"')
