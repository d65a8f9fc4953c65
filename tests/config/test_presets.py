"""The presets that ship: loadable, complete in their provenance, and written out faithfully."""

from pathlib import Path

import pytest

from tlm.config import load_chip, presets, resolved_yaml
from tlm.config.chip import ChipConfig
from tlm.config.problems import leaf_paths
from tlm.config.sources import chip_sources
from tlm.config.yaml_file import parse_yaml
from tlm.errors import ConfigError


@pytest.mark.parametrize("name", presets())
def test_every_value_of_a_preset_has_a_provenance(name: str) -> None:
    """Each leaf is assumed or has a source, written in the file that sets it or above it."""
    sources = chip_sources(name)
    assert set().union(*(source.values for source in sources)) == set(leaf_paths(ChipConfig))
    unexplained = [
        (source.origin, key) for source in sources for key in source.values if not source.note(key)
    ]
    assert unexplained == []


def test_neuromc_20_holds_the_published_core() -> None:
    """Arrays and buffers have the sizes of the authors' energy model."""
    core = load_chip("neuromc-20").config.core
    assert {(e.rows, e.cols) for e in (core.engines.fp, core.engines.bp, core.engines.wg)} == {
        (16, 16)
    }
    assert core.memory.weights == 18_432
    assert core.memory.membrane == 1_048_576
    assert (core.period_ps, core.pipeline_depth) == (2_000, 8)


@pytest.mark.parametrize("overrides", [[], ["core.clock=333 MHz", "dram.nodes=[0, 0, 1, 1]"]])
def test_the_resolved_chip_loads_to_itself(tmp_path: Path, overrides: list[str]) -> None:
    """What `config show` prints is a complete chip file: nothing is lost or rounded."""
    loaded = load_chip("neuromc-20", overrides)
    path = tmp_path / "resolved.yaml"
    path.write_text(resolved_yaml(loaded), encoding="utf-8")
    reloaded = load_chip(path)
    assert reloaded.config == loaded.config
    assert reloaded.assumed == loaded.assumed
    assert reloaded.energy == loaded.energy


def test_lines_are_looked_up_for_mistakes_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that states the provenance of every value is not read again for each of them."""

    def read_again(where: str, key: tuple[str, ...]) -> str:
        raise AssertionError(f"{where} is read again for the line of {key}")

    path = tmp_path / "resolved.yaml"
    path.write_text(resolved_yaml(load_chip("neuromc-20")), encoding="utf-8")
    monkeypatch.setattr("tlm.config.sources.located", read_again)
    assert load_chip(path).assumed


def test_the_resolved_chip_states_units_and_origins() -> None:
    """Every line of a value carries its unit and says who set it."""
    lines = resolved_yaml(load_chip("neuromc-20", ["noc.link=64 bit"])).splitlines()
    assert '  link: "64 bit"  # --set, unsourced' in lines
    assert '    weights: "18 Kib"  # preset neuromc-20' in lines
    assert '  clock: "500 MHz"  # preset neuromc-20, assumed' in lines


def test_an_origin_cannot_break_out_of_its_comment(tmp_path: Path) -> None:
    """A file name with a line break in it stays a comment."""
    path = tmp_path / "a\ncores: 1 #.yaml"
    path.write_text("extends: neuromc-20\nname: odd\n")
    value = parse_yaml(resolved_yaml(load_chip(path)), "resolved")
    assert isinstance(value, dict) and value["cores"] == 20


def test_a_preset_may_speak_for_what_it_takes_over() -> None:
    """h2learn assumes what neuromc-20 has a source for, and the other way round."""
    base, other = load_chip("neuromc-20"), load_chip("h2learn")
    assert "core.engines.fp.rows" not in base.assumed
    assert "not in the abstract" in other.assumed["core.engines.fp.rows"]
    assert "core.engines.bp.skip_outputs" in base.assumed
    assert "core.engines.bp.skip_outputs" not in other.assumed


def test_a_file_that_extends_takes_values_but_no_claims(tmp_path: Path) -> None:
    """Published figures are those of one chip, not of its variants."""
    path = tmp_path / "mine.yaml"
    path.write_text("extends: neuromc-1\nname: mine\ncore: {clock: 250 MHz}\n")
    loaded = load_chip(path)
    assert loaded.config.cores == 1
    assert loaded.origins["cores"] == "preset neuromc-1"
    assert load_chip("neuromc-1").published and not loaded.published


def test_a_published_figure_has_a_source(tmp_path: Path) -> None:
    """A figure without one is refused in one line."""
    path = tmp_path / "mine.yaml"
    path.write_text('extends: neuromc-1\npublished: [{what: a, value: "1", ours: none}]\n')
    with pytest.raises(ConfigError, match=r"^.*: published\.0\.source: missing"):
        load_chip(path)


@pytest.mark.parametrize("name", presets())
def test_every_value_of_a_preset_says_where_it_is_from(name: str) -> None:
    """Each has a source, or a word that it is assumed."""
    assert load_chip(name).unsourced == []


def test_a_value_that_nobody_vouches_for_is_unsourced(tmp_path: Path) -> None:
    """A user's value without provenance counts, also when the complete chip is read again."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: neuromc-20\nname: mine\ncore: {clock: 400 MHz, scan_slots: 8}\n"
        'provenance: {core.scan_slots: "source: our synthesis"}\n'
    )
    mine, preset = load_chip(path, ["noc.link=64 bit"]), load_chip("neuromc-20")
    assert mine.unsourced == ["core.clock", "noc.link"]
    assert len(mine.assumed) == len(preset.assumed) - 3
    whole = tmp_path / "whole.yaml"
    whole.write_text(resolved_yaml(mine))
    again = load_chip(whole)
    assert (again.unsourced, again.assumed, again.sources) == (
        mine.unsourced,
        mine.assumed,
        mine.sources,
    )
