"""Energy tables: complete, with a source for every number."""

import math
import re
from collections import Counter
from pathlib import Path

import pytest

import tlm
from tests.config.conftest import without_line
from tlm.config.layers import load_chip
from tlm.config.tables.core_sram import capacity_bits
from tlm.config.tables.energy import EnergyTable, load_energy
from tlm.config.tables.energy_actions import ACTIONS
from tlm.config.tables.sram import SOURCE, access_pj, leakage_w
from tlm.errors import ConfigError
from tlm.hardware.area import area_rows

CHIP = load_chip("neuromc-20").config
WHOLE = ("cacti28", "neuromc")  # they price any job, those of inference cores one kind


@pytest.fixture
def shipped() -> str:
    """The text of the table that ships."""
    return load_energy("neuromc", CHIP).path.read_text(encoding="utf-8")


def refusal(tmp_path: Path, text: str) -> list[str]:
    """The lines with which a table holding ``text`` is refused."""
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_energy(path, CHIP)
    lines = str(caught.value).splitlines()
    return [without_line(line, path).replace(str(path), "own.yaml") for line in lines]


@pytest.mark.parametrize("name", WHOLE)
def test_every_number_has_a_source(name: str) -> None:
    """Each table that ships states where each energy and each power comes from."""
    table = load_energy(name, CHIP)
    assert all(entry.source for entry in [*table.actions.values(), *table.leakage.values()])
    assert len(table.actions) == sum(len(names) for names in ACTIONS.values())


def test_every_action_that_the_model_counts_is_listed() -> None:
    """Names such as ``fp.soma_op`` in the source are actions that a table must price."""
    listed = {f"{component}.{name}" for component, names in ACTIONS.items() for name in names}
    action = re.compile(rf'"((?:{"|".join(ACTIONS)})\.[a-z]\w*)"')
    rooms = [Path(tlm.__file__).parent / room for room in ("counts", "program", "hardware", "laws")]
    texts = [path.read_text(encoding="utf-8") for room in rooms for path in room.rglob("*.py")]
    counted = {name for text in texts for name in action.findall(text)}
    assert len(counted) > 20
    assert counted <= listed


@pytest.fixture
def neuromc() -> EnergyTable:
    """The table of the NeuroMC authors' model."""
    return load_energy("neuromc", CHIP)


def test_engine_slots_follow_from_the_arithmetic(neuromc: EnergyTable) -> None:
    """Slot, unit and update energies are sums of the published operations."""
    add, multiply, mux, compare, root = 0.548, 0.812, 0.548 / 16, 0.056, 0.514
    assert neuromc.pj("fp", "mac_add") == pytest.approx(add + mux)
    assert neuromc.pj("bp", "mac") == pytest.approx(add + multiply)
    assert neuromc.pj("fp", "soma_op") == pytest.approx(mux + add + multiply + 3 * compare)
    assert neuromc.pj("bp", "grad_op") == pytest.approx(mux + 2 * add + 4 * multiply)
    assert neuromc.pj("wg", "update_op_adam") == pytest.approx(4 * add + 11 * multiply + root)
    assert neuromc.pj("wg", "update_op_sgd") == pytest.approx(add + multiply)


def test_registers_and_dram_scale_with_bits(neuromc: EnergyTable) -> None:
    """A 16 bit register access is 16 single ones; a DRAM bit is a 64th of a 1300 pJ access."""
    assert neuromc.pj("fp", "reg1") == pytest.approx(0.00901 / 7.1 * 2)
    assert neuromc.pj("fp", "reg16") == pytest.approx(16 * neuromc.pj("fp", "reg1"))
    assert neuromc.pj("dram", "read_bit") * 64 == 1300


def test_an_action_that_is_not_there_is_named(neuromc: EnergyTable) -> None:
    """Asking for an unknown action is refused with the table's file."""
    with pytest.raises(ConfigError, match=r"missing energy action fp\.mac in .*neuromc\.yaml"):
        neuromc.pj("fp", "mac")


def test_a_missing_action_is_refused_at_load(tmp_path: Path, shipped: str) -> None:
    """A table must hold every action the model counts."""
    without = "\n".join(line for line in shipped.splitlines() if "link_bit" not in line)
    assert refusal(tmp_path, without) == [
        "missing energy action noc.link_bit in own.yaml; add it with its energy, source and "
        "confidence"
    ]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "mac_mul:",
            "mac_mull:",
            'own.yaml: actions.fp.mac_mull: unknown action; did you mean "mac',
        ),
        (
            "  noc:",
            "  nok:",
            'own.yaml: actions.nok.router_bit: unknown action; did you mean "noc"',
        ),
        (
            "  router: {power",
            "  ruter: {power",
            "own.yaml: leakage.ruter: unknown component; did y",
        ),
        (
            "0.056 pJ",
            "0.056",
            "own.yaml: actions.engine.scan.energy: expected an energy with its u",
        ),
        (
            "0.056 pJ",
            "0.056 W",
            "own.yaml: actions.engine.scan.energy: expected an energy with its",
        ),
        (
            "0.056 pJ",
            "-1 pJ",
            "own.yaml: actions.engine.scan.energy: expected an energy of zero or",
        ),
        ("1 mW", "1 mJ", "own.yaml: leakage.router.power: expected a power with its unit"),
        ("node: 28/32 nm", "knot: 28", "own.yaml: node: missing"),
        (
            "confidence: derived",
            "confidence: sure",
            "own.yaml: actions.wg.update_op_sgd.confidence",
        ),
    ],
)
def test_a_wrong_entry_is_one_line(
    tmp_path: Path, shipped: str, old: str, new: str, text: str
) -> None:
    """A mistake in a table names the file, the entry and what was expected."""
    assert any(line.startswith(text) for line in refusal(tmp_path, shipped.replace(old, new)))


@pytest.mark.parametrize(
    "buffers",
    [
        "{size: 18 Kib, energy: 5 pJ}",
        "{size: 64 Kib, energy: 5 pJ}, {size: 18 Kib, energy: 6 pJ}",
        "{size: 18 Kib, energy: 5 pJ}, {size: 18 Kib, energy: 6 pJ}",
        "{size: 18 Kib, energy: 0 pJ}, {size: 64 Kib, energy: 6 pJ}",
    ],
)
def test_memories_without_a_law_of_price_are_refused(tmp_path: Path, buffers: str) -> None:
    """A single memory, sizes that do not rise, or one free of charge: no price for other sizes."""
    (line,) = refusal(tmp_path, f"extends: neuromc\nbuffers: [{buffers}]\n")
    got = buffers.replace("{size: ", "").replace(", energy:", ":").replace(" pJ}", ".0 pJ")
    assert line.startswith("own.yaml: buffers: expected two or more memories")
    assert line.endswith(f"got {got}")


def test_prices_that_no_number_holds_are_refused(tmp_path: Path) -> None:
    """From 1e-90 pJ to 1e90 pJ within a bit: a price beyond all numbers at 18 Kib."""
    steep = "{size: 1 bit, energy: 1e-90 pJ}, {size: 2 bit, energy: 1e90 pJ}"
    (line,) = refusal(tmp_path, f"extends: neuromc\nbuffers: [{steep}]\n")
    assert line.startswith("own.yaml: buffers: no price of fp.weight_read follows for 18 Kib")


def table_file(tmp_path: Path, text: str) -> Path:
    """A table ``own.yaml`` that extends cacti28."""
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: cacti28\n{text}", encoding="utf-8")
    return path


def test_an_access_follows_the_memory_of_the_chip() -> None:
    """In cacti28 a larger weight buffer makes reading a weight dearer, and nothing else."""
    small = load_energy("cacti28", CHIP)
    larger = load_energy("cacti28", load_chip("neuromc-20", ["core.memory.weights=72 Kib"]).config)
    changed = {key for key in small.actions if small.actions[key] != larger.actions[key]}
    assert changed == {(e, f"weight_{rw}") for e in ("fp", "bp") for rw in ("read", "write")}
    assert larger.pj("fp", "weight_read") == pytest.approx(access_pj(72 * 1024, 16))
    assert larger.leakage["core"].power_w > small.leakage["core"].power_w


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("mode", ["vector", "element"])
def test_what_takes_area_leaks_and_is_counted_once(name: str, mode: str) -> None:
    """Area, leakage and capacity of a core follow from one list, copies of lanes included."""
    modes = [f"core.engines.{engine}.mode={mode}" for engine in ("fp", "bp", "wg")]
    chip = load_chip("neuromc-1", [*modes, "core.engines.bp.dataflow=output"])
    placed = Counter[str]()
    for row in area_rows(chip.config, chip.area):
        if row.source == SOURCE:
            placed[row.part.rpartition(" ")[2]] += row.count
    assert placed["weights"] == (2 + 15 if mode == "element" else 2)
    assert placed["partial_sums"] == (2 + 15 if mode == "element" else 2)
    sizes = dict(chip.config.core.memory)
    leaking = math.fsum(count * leakage_w(sizes[memory]) for memory, count in placed.items())
    logic = {"neuromc": 0.0, "cacti28": 0.02}[name]
    assert load_energy(name, chip.config).leakage["core"].power_w == pytest.approx(logic + leaking)
    bits = sum(count * sizes[memory] for memory, count in placed.items())
    assert capacity_bits(chip.config.core) == bits


def test_an_accumulator_is_charged_by_width_and_size() -> None:
    """The authors' 18 Kib of 16 bit cost what they say; 1 Mib more, and 32 bit twice as much."""

    def access_of(*overrides: str) -> float:
        return load_chip("neuromc-20", list(overrides)).energy.pj("wg", "accumulator_write")

    published = access_of("core.memory.accumulators=18 Kib")
    assert published == 5.302477904
    slope = math.log(7.1768 / 5.792676768) / math.log(4)  # between their 64 and 256 Kib
    assert access_of() == pytest.approx(7.1768 * 4**slope)
    assert access_of("precision.partial_sum=fp32") == pytest.approx(2 * access_of())


@pytest.mark.parametrize("table", WHOLE)
@pytest.mark.parametrize(
    ("text", "action", "ratio"),
    [
        ("weight=fp32", "bp.mac", (0.4 + 3.7) / (0.4 + 1.1)),
        ("partial_sum=fp32", "bp.mac", (0.9 + 1.1) / (0.4 + 1.1)),
        ("partial_sum=int32", "wg.reduce_add", 0.1 / 0.4),
        ("partial_sum=int8", "wg.reduce_add", 0.03 / 0.4),
        ("partial_sum=bf16", "wg.reduce_add", 0.11 / 0.16),
        ("gradient=fp32", "bp.norm_scale", 3.7 / 1.1),
        ("weight=fp8", "fp.weight_read", 8 / 16),
        ("gradient=fp8", "wg.gradient_read", 8 / 16),
        ("membrane=fp8", "bp.mac", 1.0),
    ],
)
def test_prices_follow_the_formats(table: str, text: str, action: str, ratio: float) -> None:
    """By Horowitz' figures for arithmetic, by the width for what moves a word."""
    component, _, name = action.partition(".")
    stock, other = (
        load_chip("neuromc-20", [f"energy={table}", *formats]).energy.actions[component, name]
        for formats in ([], [f"precision.{text}"])
    )
    assert other.energy_pj == pytest.approx(stock.energy_pj * ratio, rel=1e-6)
    assert ratio == 1.0 or other.confidence != "published"


def test_a_share_of_a_port_costs_its_part() -> None:
    """One spike is a 16th of an access of 16 spikes; 16 dU bits a 16th of one of 256."""
    table = load_energy("cacti28", CHIP)
    assert table.pj("fp", "spike_read") == pytest.approx(
        access_pj(CHIP.core.memory.spikes, 16) / 16
    )
    assert table.pj("bp", "gradient_read") == pytest.approx(
        access_pj(CHIP.core.memory.gradients, 256) / 16
    )


def test_arithmetic_of_cacti28_is_horowitz_scaled() -> None:
    """45 nm figures by the ratio of feature sizes at the same voltage."""
    table, scale = load_energy("cacti28", CHIP), 28 / 45
    add, multiply, compare = 0.4 * scale, 1.1 * scale, 0.05 * scale
    mux = add / 16
    assert table.pj("fp", "mac_add") == pytest.approx(add + mux)
    assert table.pj("bp", "mac") == pytest.approx(add + multiply)
    assert table.pj("fp", "soma_op") == pytest.approx(mux + add + multiply + 3 * compare)
    assert table.pj("bp", "grad_op") == pytest.approx(mux + 2 * add + 4 * multiply)
    assert table.pj("wg", "update_op_adam") == pytest.approx(4 * add + 12 * multiply)
    assert table.pj("bp", "reduce_add") == pytest.approx(add)


def test_memories_of_the_authors_cost_more_than_cacti() -> None:
    """What distinguishes the two tables: 4 to 13 times for the same access."""
    theirs, ours = load_energy("neuromc", CHIP), load_energy("cacti28", CHIP)
    for key in (("fp", "weight_read"), ("fp", "partial_read"), ("fp", "membrane_read")):
        assert 4 < theirs.pj(*key) / ours.pj(*key) < 13


def test_a_table_may_extend_one(tmp_path: Path) -> None:
    """An own table holds what differs; a capacity may stand instead of a memory's name."""
    text = (
        "name: mine\nactions:\n  bp:\n"
        '    mac: {energy: 0.7 pJ, source: "own synthesis", confidence: derived}\n'
        '    state_read: {sram: 8 KiB, port: 64 bit, source: "own buffer", confidence: derived}\n'
    )
    table = load_energy(table_file(tmp_path, text), CHIP)
    assert (table.name, table.pj("bp", "mac")) == ("mine", 0.7)
    assert table.pj("bp", "state_read") == pytest.approx(1.84)
    assert table.pj("fp", "mac_mul") == load_energy("cacti28", CHIP).pj("fp", "mac_mul")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("sram: wieghts, port: 16 bit", 'no memory of the core; did you mean "weights"'),
        ("sram: weights", "expected either energy, perhaps of"),
        ("sram: weights, port: 16 bit, energy: 1 pJ", "expected either energy, perhaps of"),
        ("energy: 1 pJ, share: 1 bit", "expected either energy, perhaps of"),
        ("sram: weights, port: 16", "expected an amount of data with its unit"),
    ],
)
def test_an_access_has_one_form(tmp_path: Path, entry: str, text: str) -> None:
    """Either an energy, or a memory with a port: anything else is one line."""
    path = table_file(
        tmp_path, f"actions:\n  bp:\n    mac: {{{entry}, source: x, confidence: assumed}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_energy(path, CHIP)
    (line,) = str(caught.value).splitlines()
    assert without_line(line, path).startswith(f"{path}: actions.bp.mac") and text in line
