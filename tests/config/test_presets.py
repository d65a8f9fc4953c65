"""The presets that ship: loadable, complete in their provenance, and written out faithfully."""

from pathlib import Path

import pytest

from tlm.config import load_chip, presets, resolved_yaml
from tlm.config.layers import source_layers
from tlm.config.problems import leaf_paths
from tlm.config.schema import ChipConfig
from tlm.config.yaml_file import parse_yaml


@pytest.mark.parametrize("name", presets())
def test_every_value_of_a_preset_has_a_provenance(name: str) -> None:
    """Each leaf is assumed or has a source, written in the file that sets it or above it."""
    layers = source_layers(name)
    assert set().union(*(layer.values for layer in layers)) == set(leaf_paths(ChipConfig))
    assert [(key, one.origin) for one in layers for key in one.values if not one.note(key)] == []


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
    again = load_chip(path)
    assert again.config == loaded.config
    assert again.assumed == loaded.assumed
    assert again.energy == loaded.energy


def test_the_resolved_chip_states_units_and_origins() -> None:
    """Every line of a value carries its unit and says who set it."""
    lines = resolved_yaml(load_chip("neuromc-20", ["noc.link=64 bit"])).splitlines()
    assert '  link: "64 bit"  # --set' in lines
    assert '    weights: "18 Kib"  # preset neuromc-20' in lines
    assert '  clock: "500 MHz"  # preset neuromc-20, assumed' in lines


def test_an_origin_cannot_break_out_of_its_comment(tmp_path: Path) -> None:
    """A file name with a line break in it stays a comment."""
    path = tmp_path / "a\ncores: 1 #.yaml"
    path.write_text("extends: neuromc-20\nname: odd\n")
    value = parse_yaml(resolved_yaml(load_chip(path)), "resolved")
    assert isinstance(value, dict) and value["cores"] == 20
