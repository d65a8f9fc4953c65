"""Sections of the page on SpinAPS hardware: ``python -m tests.evidence.spinaps``.

Agreement of the arrays with NVSim, the published 4x and what carries it, widths of a weight, and
what training would cost. Figures as CSV in ``docs/studies/``, pictures in ``docs/figures/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from math import isinf

from tlm_analysis.plots.fabric import Curve, CurvePanel, curve_figure, panel_figure, write_png
from tlm_analysis.plots.study import Swings, tornado_figure

from tests.evidence.first_to_spike_points import RESULTS, curve
from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tests.evidence.spinaps_ratio import (
    PUBLISHED,
    STEP_TIME,
    Twins,
    favourable,
    least_step_ps,
    tornado,
    twins,
)
from tests.evidence.spinaps_training import training_section
from tlm.config.tables.inference_chip import inference_chips, load_inference_chip
from tlm.synapses.array_core import StepCost
from tlm.synapses.nvsim import ARRAY_FIGURES, NvsimArray, array_errors, nvsim_arrays
from tlm.validation.markdown import table

PAGE = DOCS / "spinaps-hardware.md"
CORES = {"spinaps": "STT-RAM", "spinaps-aggressive": "STT-RAM, smaller cell"}
STEPS_PS = (0.0, 1e6, 1e7, 1e8, 1e9)
BITS = range(1, 9)
TASKS = {"spinaps-mnist": "MNIST", "spinaps-motions": "BasicMotions"}
CURVE_US = [0.5 * index for index in range(41)]
SHOWN = 12


def main() -> None:
    """Write all sections, tables and pictures."""
    pair = twins()
    write_tornado(pair)
    write_curves()
    replace_section(PAGE, "arrays", arrays_section(pair))
    replace_section(PAGE, "ratio", ratio_section(pair))
    replace_section(PAGE, "tornado", tornado_section(pair))
    replace_section(PAGE, "bits", bits_section())
    replace_section(PAGE, "training", training_section(pair))
    replace_section(PAGE, "others", others_section())


def arrays_section(pair: Twins) -> str:
    """Every array of NVSim with the model's errors, and what each would make of the ratio."""
    head = ("array", *(name.rpartition("_")[0] for name in ARRAY_FIGURES))
    rows = []
    for array in nvsim_arrays():
        errors = array_errors(array, pair.arrays)
        cells = (f"{errors[name]:+.0%}" if name in errors else "" for name in ARRAY_FIGURES)
        rows.append((f"{array.technology}, {array.kib} KiB, {array.width} bit", *cells))
    return table(head, rows)


def nvsim_rows(period_ps: float) -> Iterator[tuple[str, str, str, str]]:
    """By NVSim's own figures, without logic: the ratio of arrays read all the time, and idle."""
    arrays = {(each.technology, each.kib, each.width): each for each in nvsim_arrays()}
    for (technology, *size), array in arrays.items():
        if technology != "sram":
            sram = arrays["sram", size[0], size[1]]
            area = sram.figures["area_mm2"] / array.figures["area_mm2"]
            busy = area * _read_pj(sram, period_ps) / _read_pj(array, period_ps)
            idle = area * sram.figures["leakage_mw"] / array.figures["leakage_mw"]
            name = f"{technology}, {array.kib} KiB, {array.width} bit"
            yield name, f"{area:.2f}", f"{busy:.2f}", f"{idle:.1f}"


def _read_pj(array: NvsimArray, period_ps: float) -> float:
    return array.figures["read_pj"] + array.figures["leakage_mw"] * 1e-3 * period_ps


def ratio_section(pair: Twins) -> str:
    """A step of the twins, the ratio by the time of a step, and the shortest step for 4x."""
    core, _ = pair.costs
    work_us, least_us = core.time_ps / 1e6, least_step_ps(pair) / 1e6
    smaller = twins("spinaps-aggressive")
    period_ps = 1e12 / pair.core.clock.value
    by_time = [
        (
            f"{step_ps / 1e6:g} us" if step_ps else f"{work_us:.2f} us, no pause",
            *(f"{twins(name).at(STEP_TIME, step_ps).ratio:.2f}" for name in CORES),
        )
        for step_ps in STEPS_PS
    ]
    return f"""At full speed a step takes {work_us:.2f} us:

{table(("a step", *CORES.values(), "SRAM"), _cost_rows())}
So without a pause between steps STT-RAM is {pair.ratio:.2f} times as good as SRAM, with the smaller
cell {smaller.ratio:.2f} times: what it saves in area and leakage, its reads take back. With these
assumptions the paper's {PUBLISHED:g}x needs a core that waits, and whose leakage then rules: from a
step of **{least_us:.1f} us** on ({least_us / work_us:.0f} times the work; the smaller cell
{least_step_ps(smaller) / 1e6:.1f} us). The longer the wait, the larger the ratio:

{table(("step", *CORES.values()), by_time)}
![Ratio by the time of a step](figures/spinaps.png)

SRAM leaks at full voltage here while it waits. It would lose its weights without any; a twin that
held them at a lower voltage would narrow the ratio.

NVSim's own figures, without our rule for sizes and without any logic, say the same: no array that
is read in every cycle of {period_ps / 1e3:g} ns reaches {PUBLISHED:g}x; all exceed it that only
wait.

{
        table(
            ("array", "area of SRAM / STT-RAM", "ratio, read all the time", "ratio, idle"),
            nvsim_rows(period_ps),
        )
    }"""


def _cost_rows() -> Iterator[tuple[str, ...]]:
    costs = [twins(name).costs[0] for name in CORES] + [twins().costs[1]]
    figures = {
        "array, pJ": lambda cost: f"{cost.array_pj:.0f}",
        "logic, pJ": lambda cost: f"{cost.logic_pj:.0f}",
        "leakage, pJ": lambda cost: f"{cost.leakage_pj:.0f}",
        "array, mm2": lambda cost: f"{cost.array_mm2:.3f}",
        "logic, mm2": lambda cost: f"{cost.logic_mm2:.3f}",
        "pJ a synaptic operation": lambda cost: f"{cost.energy_pj / cost.synaptic_operations:.1f}",
        "GSOPS/W/mm2": lambda cost: f"{cost.gsops_per_w_mm2:.0f}",
    }
    for name, figure in figures.items():
        yield name, *(figure(cost) for cost in costs)


def tornado_section(pair: Twins) -> str:
    """Every parameter at both ends, and the shortest list of parameters that gives 4x."""
    swings = tornado(pair, without=[STEP_TIME])
    rows = [
        (
            f"`{swing.name}`",
            " / ".join(f"{end:g}" for end in (spread.low, spread.value, spread.high)),
            f"{swing.low:.2f} to {swing.high:.2f}",
            " to ".join(_step_us(pair.at(swing.name, end)) for end in (spread.low, spread.high)),
        )
        for swing in swings[:SHOWN]
        for spread in [pair.parameters[swing.name]]
    ]
    steps = favourable(pair, without=[STEP_TIME])
    short = [*takewhile(lambda step: step[1] < PUBLISHED, steps)]
    chain = ", ".join(f"`{name}` ({ratio:.2f})" for name, ratio in steps[: len(short) + 1])
    return f"""The {SHOWN} of {len(swings)} parameters that move the ratio most, each alone at both
ends of its range; the last column is the shortest step with {PUBLISHED:g}x. All are in
`docs/studies/spinaps-tornado.csv`.

{table(("parameter", "low / value / high", "ratio, no pause", "shortest step, us"), rows)}
![Tornado](figures/spinaps-tornado.png)

No parameter gives {PUBLISHED:g}x alone but the time of a step. Without a pause, taking next what
helps most and setting it to its better end, it takes {len(short) + 1} of them (in brackets the
ratio reached): {chain}. With all {len(steps)} at their better end the ratio is
{steps[-1][1]:.0f}."""


def _step_us(pair: Twins) -> str:
    step = least_step_ps(pair)
    return "none" if isinf(step) else f"{step / 1e6:.1f}"


def write_tornado(pair: Twins) -> None:
    """All swings as CSV, and a picture of the strongest at two step times."""
    waiting = pair.at(STEP_TIME, least_step_ps(pair))
    rows, panels = [], []
    for label, each in (("no pause", pair), (f"{_step_us(pair)} us", waiting)):
        swings = tornado(each, without=[STEP_TIME])
        rows += [
            {"step": label, "parameter": name, "low": f"{low:.4f}", "high": f"{high:.4f}"}
            for name, low, high in swings
        ]
        shown = swings[:SHOWN]
        panels.append(
            Swings(
                f"ratio {each.ratio:.2f} at a step of {label}, change (%)",
                [swing.name.replace("array.technologies.", "") for swing in shown],
                [swing.low / each.ratio for swing in shown],
                [swing.high / each.ratio for swing in shown],
            )
        )
    update_csv(DOCS / "studies" / "spinaps-tornado.csv", ("step", "parameter"), rows)
    figure = tornado_figure("GSOPS/W/mm2, STT-RAM over SRAM", panels, ("low end", "high end"))
    write_png(figure, DOCS / "figures" / "spinaps-tornado.png")


def by_bits() -> dict[str, list[StepCost]]:
    """A step of each core by the devices of a weight."""
    cores = {label: twins(name) for name, label in CORES.items()}
    costs = {
        label: [pair.at("network.devices", bits).costs[0] for bits in BITS]
        for label, pair in cores.items()
    }
    sram = [twins().at("network.devices", bits).costs[1] for bits in BITS]
    return costs | {"SRAM": sram}


def accuracy_by_bits() -> dict[str, list[float]]:
    """Accuracy of each task by the devices of a weight, trained on in the weights of devices."""
    rows = read_csv(RESULTS)
    return {label: curve(rows, task, "tuned") for task, label in TASKS.items()}


def bits_section() -> str:
    """Accuracy, energy, area and ratio by the devices of a weight."""
    costs, accuracy = by_bits(), accuracy_by_bits()
    rows = [
        (
            str(bits),
            *(f"{100 * each[index]:.1f}" for each in accuracy.values()),
            *(f"{each[index].energy_pj / 1e3:.2f}" for each in costs.values()),
            *(f"{each[index].area_mm2:.3f}" for each in costs.values()),
            *(_step_us(twins(name).at("network.devices", bits)) for name in CORES),
        )
        for index, bits in enumerate(BITS)
    ]
    head = (
        "bits",
        *(f"accuracy, {task}, %" for task in accuracy),
        *(f"nJ a step, {name}" for name in costs),
        *(f"mm2, {name}" for name in costs),
        *(f"us for {PUBLISHED:g}x, {label}" for label in CORES.values()),
    )
    return f"""{table(head, rows)}
Wide weights make the array the larger part of the core, and the ratio better: logic and the width
of sums stay what they are. Accuracies are those of [learning](spinaps.md), weights tuned to the
devices; energy and area are of the core's own size, 784 inputs and 10 outputs, that of MNIST.

![Accuracy, energy, area](figures/spinaps-bits.png)"""


def others_section() -> str:
    """Accelerators of others: what is stated, what follows from it, what is missing."""
    rows = []
    for chip in map(load_inference_chip, inference_chips()):
        stated, layers = chip.stated, chip.assumed.layers if chip.assumed else []
        rows.append(
            (
                f"`{chip.name}`, {chip.task}",
                _shown(stated.latency, 1e6, "us"),
                _shown(stated.power, 1, "W"),
                _shown(chip.energy_pj, 1e6, "uJ", stated.energy is None),
                _shown(chip.pj_per_operation, 1, "pJ", True),
                f"{stated.logic_cells:,}, {stated.block_rams}" if stated.logic_cells else "",
                " x ".join(map(str, layers)),
                ", ".join(chip.missing),
            )
        )
    head = (
        *("accelerator", "latency", "power", "an inference", "an operation"),
        *("logic cells, BRAM", "shape (assumed)", "not stated"),
    )
    return table(head, rows)


def _shown(value: float | None, unit: float, name: str, derived: bool = False) -> str:
    """A figure in its unit; what is derived from others is marked."""
    if value is None:
        return ""
    rounded = float(f"{value / unit:.3g}")
    return f"{rounded:,g} {name}{' *' if derived else ''}"


def write_curves() -> None:
    """Ratio by the time of a step; accuracy, energy, area and efficiency by devices of a weight."""
    ratios = [
        Curve(label, CURVE_US, _ratios(name), group=number)
        for number, (name, label) in enumerate(CORES.items())
    ]
    ratios.append(Curve("published", [0, CURVE_US[-1]], [PUBLISHED, PUBLISHED], group=6))
    by_time = curve_figure("STT-RAM over SRAM", ratios, "time of a step (us)", "GSOPS/W/mm2, ratio")
    write_png(by_time, DOCS / "figures" / "spinaps.png")
    accuracy = [
        Curve(task, list(BITS), each, group=3 + number)
        for number, (task, each) in enumerate(accuracy_by_bits().items())
    ]
    panels = [CurvePanel("Accuracy", accuracy, "bits of a weight", "accuracy", 1.0, 0.85)]
    costs = by_bits()
    for title, unit, figure in (
        ("Energy of a step, no pause", "nJ", lambda cost: cost.energy_pj / 1e3),
        ("Area of a core", "mm2", lambda cost: cost.area_mm2),
        ("Efficiency, no pause", "GSOPS/W/mm2", lambda cost: cost.gsops_per_w_mm2),
    ):
        curves = [
            Curve(label, list(BITS), [figure(cost) for cost in each], group=number)
            for number, (label, each) in enumerate(costs.items())
        ]
        panels.append(CurvePanel(title, curves, "bits of a weight", unit))
    write_png(panel_figure(panels, columns=2), DOCS / "figures" / "spinaps-bits.png")


def _ratios(name: str) -> list[float]:
    pair = twins(name)
    return [pair.at(STEP_TIME, us * 1e6).ratio for us in CURVE_US]


if __name__ == "__main__":
    main()
