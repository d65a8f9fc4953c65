"""Every key of a chip changes a figure, or is refused where it cannot."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.config.conftest import WriteChip
from tests.program.graphs import NORM
from tests.program.jobs import DENSE, conv, job, linear
from tests.reliability.probe import APART
from tlm.config import load_chip, resolved_yaml
from tlm.config.chip import ChipConfig
from tlm.config.problems import leaf_paths
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import ConfigError, TlmError
from tlm.hardware.area import area_rows
from tlm.hardware.chip import Chip
from tlm.hardware.energy import energy_rows
from tlm.kernel import run_until
from tlm.program.build import build_program
from tlm.storage.planning import make_plan

NO_FIGURE = {"schema_version", "name"}  # they say what a file is
ELEMENT = tuple(f"core.engines.{engine}.mode=element" for engine in ("fp", "bp", "wg"))
IDEAL = ("dram.model=ideal",)
PIPELINED = ("mapping.schedule=pipelined",)
ONE_CHANNEL = (*APART, "dram.channels=1")  # kept busy
SEARCH = ("mapping.search=local", "mapping.search_steps=40")
SMALL = ("core.memory.membrane=2 Kib", "core.memory.spikes=4 Kib")  # bits move to and from DRAM

# Key: another legal value, and the settings under which it matters, if the preset's are not enough.
EFFECTS: dict[str, tuple[str, Sequence[str]]] = {
    "mesh.columns": ("6", ()),
    "mesh.rows": ("5", ()),
    "cores": ("7", ()),
    "core.clock": ("400 MHz", ()),
    "core.clocks": ('["0-3: 250 MHz"]', ()),
    **{f"core.engines.{engine}.dataflow": ("output", ()) for engine in ("fp", "bp", "wg")},
    **{f"core.engines.{engine}.mode": ("dense", ()) for engine in ("fp", "bp", "wg")},
    "core.engines.fp.skip_spikes": ("false", ()),
    "core.engines.bp.skip_gradients": ("false", ()),
    "core.engines.bp.skip_outputs": ("false", ()),
    "core.engines.wg.skip_spikes": ("false", ()),
    "core.engines.wg.skip_gradients": ("false", ()),
    "core.engines.bp.grid": ("compacted", ()),
    "core.engines.wg.grid": ("compacted", ()),
    "core.pipeline_depth": ("80 cycles", ()),
    "core.scan_slots": ("1", ()),
    "core.queue_depth": ("1", ELEMENT),
    "core.zero_operand_adds": ("false", ()),
    "core.unit_lanes": ("1", ()),
    "core.outstanding": ("1", ()),
    "core.skip_slices": ("false", ()),
    "core.memory.spikes": ("128 Kib", ()),
    "core.memory.weights": ("9 Kib", ()),
    "core.memory.partial_sums": ("32 Kib", ()),
    "core.memory.membrane": ("2 Mib", ()),
    "core.memory.gradients": ("2 Mib", ()),
    "core.memory.spike_gradients": ("2 Mib", ()),
    "core.memory.batch_norm": ("2 Mib", ()),
    "core.memory.accumulators": ("2 Mib", ()),
    "core.memory.optimizer": ("24 Mib", ()),
    "core.memory.banks": ("4", ()),
    "core.memory.sharing": ("separate", ("core.memory.optimizer=1 Kib",)),
    "core.weights.organisation": ("pb-bmp", ()),
    "core.weights.layers": ("[conv1=pb-csr]", ()),
    "core.weights.lookups": ("4", ("core.weights.organisation=pb-csr",)),
    "core.weights.rewired": ("0.5", ("core.weights.organisation=pb-csr",)),
    "precision.weight": ("8 bit", ()),
    "precision.membrane": ("8 bit", SMALL),
    "precision.gradient": ("8 bit", ()),
    "precision.input": ("8 bit", ()),
    "precision.partial_sum": ("24 bit", ()),
    "precision.optimizer": ("16 bit", ()),
    "noc.model": ("router", ()),
    "noc.clock": ("250 MHz", ()),
    "noc.link": ("64 bit", ()),
    "noc.router_stages": ("4", ()),
    "noc.synchroniser": ("5 cycles", ()),
    "noc.vcs": ("1", ()),
    "noc.vc_buffer": ("2", ()),
    "noc.routing": ("yx", ("noc.model=router",)),
    "noc.payload": ("128 B", ()),
    "noc.header": ("64 B", ()),
    "dram.model": ("ideal", ()),
    "dram.device": ("LPDDR4-2400", ()),
    "dram.channels": ("2", ()),
    "dram.nodes": ("[0, 1, 2, 3]", ()),
    "dram.interleave": ("4 KiB", tuple(APART)),
    "dram.read_queue": ("1", ONE_CHANNEL),
    "dram.write_queue": ("2", (*ONE_CHANNEL, "dram.write_high=2", "dram.write_low=1")),
    "dram.write_high": ("8", ONE_CHANNEL),
    "dram.write_low": ("1", ONE_CHANNEL),
    "dram.policy": ("hits-first", ONE_CHANNEL),
    "dram.page": ("closed", ()),
    "dram.latency": ("600 ns", IDEAL),
    "dram.energy": ("currents", ("dram.device=LPDDR4-2400",)),
    "mapping.split": ("k", ()),
    "mapping.schedule": ("pipelined", ("mapping.split=k",)),
    "mapping.group": ("2", ("mapping.split=k", *PIPELINED)),
    "mapping.in_flight": ("1", (*APART, "mapping.split=k", *PIPELINED)),
    "mapping.static_input": ("every_step", ()),
    "mapping.search": ("local", ("mapping.split=placed",)),
    "mapping.search_steps": ("2", ("mapping.search=local", "mapping.objective=edp")),
    "mapping.objective": ("energy", (*APART, *SEARCH)),
    "mapping.state": ("spill", ()),
    "mapping.states": ("[conv1=spill]", ()),
    "mapping.parameters": ("spill", ()),
    "energy": ("cacti28", ()),
}


# Keys that change together with others.
SHAPES = {
    f"core.engines.{engine}.{side}": (f"core.engines.fp.{fp}=8", f"core.engines.bp.{bp}=8",
                                      f"core.engines.wg.{fp}=8")
    for engine in ("fp", "bp", "wg")
    for side in ("rows", "cols")
    for fp, bp in [("rows", "cols") if (side == "rows") == (engine != "bp") else ("cols", "rows")]
}  # fmt: skip
TOGETHER = SHAPES | {"dram.bus": ("dram.bus=16 bit", "dram.device=LPDDR5-6400")}
NEVER_MET = {
    "core.engines.fp.skip_gradients": "FP reads no gradients",
    "core.engines.fp.skip_outputs": "FP needs every output",
    "core.engines.bp.skip_spikes": "BP reads no spikes",
    "core.engines.wg.skip_outputs": "WG needs every output",
}


@cache
def figures(*overrides: str, normed: bool = False) -> tuple[float, ...]:
    """Time, energy and area of a small job on the preset with ``overrides``."""
    layers = [
        conv((3, 9, 9), 20, 3, stride=2, padding=1),
        conv((20, 5, 5), 24, 3, stride=2, padding=1),
        linear(216, 10),
    ]
    if normed:
        layers[:2] = [replace(layer, norm=NORM) for layer in layers[:2]]
    workload, recording = job(*layers, steps=2, batch=2, encoding="direct")
    loaded = load_chip("neuromc-20", overrides)
    timing = load_dram_timing(loaded.config.dram.device)
    program = build_program(make_plan(workload, recording, loaded, timing))
    chip = Chip(loaded.config, timing, program, None, None)
    run_until(chip.env, chip.finished)
    chip.settle()
    energy_pj = sum(row.total_pj for row in energy_rows(chip, loaded.energy))
    area_mm2 = sum(row.total_mm2 for row in area_rows(loaded.config, loaded.area))
    return chip.env.now, energy_pj, area_mm2


def test_the_table_holds_every_key() -> None:
    """A new key needs a line here: where it has an effect, or why it has none."""
    keys = {".".join(leaf) for leaf in leaf_paths(ChipConfig)}
    elsewhere = NO_FIGURE | {"mapping.batch_norm", "area"} | set(TOGETHER) | set(NEVER_MET)
    assert keys == set(EFFECTS) | elsewhere


@pytest.mark.parametrize("key", EFFECTS)
def test_a_key_changes_a_figure(key: str) -> None:
    """Another legal value changes time, energy or area."""
    value, settings = EFFECTS[key]
    assert figures(*settings, f"{key}={value}") != figures(*settings)


@pytest.mark.parametrize("key", TOGETHER)
def test_a_key_changes_a_figure_with_those_it_is_bound_to(key: str) -> None:
    """Alone such a key is refused; all together change time, energy or area."""
    assert figures(*TOGETHER[key]) != figures()
    alone = next(text for text in TOGETHER[key] if text.startswith(f"{key}="))
    with pytest.raises(TlmError, match=r"core\.engines|dram\.bus"):
        figures(alone)


def test_batch_normalisation_changes_a_figure_of_a_job_that_has_it() -> None:
    """Statistics of the mini-batch cost more than those that are folded into the weights."""
    assert figures(normed=True) > figures("mapping.batch_norm=folded", normed=True)


def test_an_area_table_changes_the_area(write_chip: WriteChip) -> None:
    """A denser floorplan is a smaller chip."""
    path = write_chip("area: dense.yaml\n")
    table = (
        "extends: logic28\nname: dense\ndensity: {share: 1, source: a test, confidence: assumed}\n"
    )
    (path.parent / "dense.yaml").write_text(table)
    loaded = load_chip(path)
    assert sum(row.total_mm2 for row in area_rows(loaded.config, loaded.area)) < figures()[2]


@pytest.mark.parametrize("key", NEVER_MET)
def test_zeros_that_an_engine_never_meets_are_no_policy(write_chip: WriteChip, key: str) -> None:
    """Whoever sets such a policy is told why it has no effect; false says nothing."""
    assert refusal("neuromc-20", f"{key}=true").startswith(f"--set: {key}: {NEVER_MET[key]}, so it")
    engine, policy = key.split(".")[2:]
    path = write_chip(f"core: {{engines: {{{engine}: {{{policy}: true}}}}}}\n")
    assert refusal(path).startswith(f"{path}:2: {key}: {NEVER_MET[key]}")
    assert (
        load_chip("neuromc-20", [f"{key}=false"]).config.core == load_chip("neuromc-20").config.core
    )


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (("noc.routing=yx",), "only noc.model=router"),
        (("noc.routing=yx", "noc.model=ideal"), "only noc.model=router"),
        (("dram.latency=600 ns",), "only dram.model=ideal"),
        (("dram.page=closed", *IDEAL), "only dram.model=controller"),
        (("dram.read_queue=1", *IDEAL), "only dram.model=controller"),
        (("dram.write_queue=30", *IDEAL), "only dram.model=controller"),
        (("dram.write_high=8", *IDEAL), "only dram.model=controller"),
        (("dram.write_low=2", *IDEAL), "only dram.model=controller"),
        (("mapping.group=2",), "only mapping.schedule=pipelined"),
        (("mapping.in_flight=3", "mapping.schedule=wavefront"), "only mapping.schedule=pipelined"),
        (("mapping.search_steps=5",), "nothing is searched"),
        (("mapping.objective=energy",), "nothing is searched"),
        (("core.scan_slots=4", *DENSE), "no engine looks for zeros"),
        (("core.queue_depth=2",), "only engines of mode element"),
        (("core.weights.lookups=2",), "only weights of pb-bmp and pb-csr"),
        (("core.weights.rewired=0.1",), "a crossbar has no tables"),
        (("core.engines.bp.skip_outputs=true", "core.engines.bp.mode=dense"), "mode dense skips"),
    ],
)
def test_a_key_that_another_one_switches_off_is_refused(
    overrides: tuple[str, ...], reason: str
) -> None:
    """The line names the key and what would give it an effect; the preset's own value may stand."""
    key = overrides[0].partition("=")[0]
    text = refusal("neuromc-20", *overrides)
    assert text.startswith(f"--set: {key}: has no effect: {reason}")
    assert "\n" not in text
    load_chip("neuromc-20", overrides[1:])


def test_a_complete_file_may_hold_keys_without_effect(tmp_path: Path) -> None:
    """A file that extends nothing has to set them all, as a run's own description does."""
    path = tmp_path / "whole.yaml"
    path.write_text(resolved_yaml(load_chip("neuromc-20")))
    assert load_chip(path).config == load_chip("neuromc-20").config


def test_every_key_without_effect_has_its_line(write_chip: WriteChip) -> None:
    """All are told at once, each with file and line."""
    path = write_chip("mapping:\n  search_steps: 5\ndram: {latency: 500 ns}\n")
    starts = [line.partition(": has")[0] for line in refusal(path).splitlines()]
    assert starts == [f"{path}:4: dram.latency", f"{path}:3: mapping.search_steps"]


def refusal(source: str | Path, *overrides: str) -> str:
    """The text with which a chip is refused."""
    with pytest.raises(ConfigError) as caught:
        load_chip(source, overrides)
    return str(caught.value)
