"""Networks of every structure that is more than a chain, run with all laws on chips with much room
and little.

``python -m tests.reliability.probe_structures`` prints how the first that breaks a law ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.program import test_addends, test_membrane_output, test_operands, test_shortcuts
from tests.program.graphs import add, broken_laws, builder, workload
from tests.program.jobs import IDEAL_DRAM, array_overrides, built
from tests.program.test_matmul import ORDERS, trained
from tests.program.test_norm_parameters import NORMS
from tests.reliability.networks import Draw, RandomTensors
from tests.reliability.probe import APART, SMALL
from tlm.workload.identities import identities_as_shortcuts
from tlm.workload.model import Norm, Pool, Recording, Workload

Job = tuple[str, Workload, Recording]
DRAW = Draw(seed=3, inputs=0.4, spikes=0.4, masks=0.5, gradients=0.4, live=0.8)
PLAIN = Norm("batch", 1e-5, per_step=False)
LITTLE = [
    "core.memory.membrane=8 Kib", "core.memory.accumulators=8 Kib",
    "core.memory.gradients=8 Kib", "core.memory.spikes=8 Kib",
]  # fmt: skip
CHIPS: dict[str, list[str]] = {
    "default": [],
    "rows, little memory": [
        *APART, *LITTLE, *array_overrides(4, 4), "mapping.split=spatial", "mapping.state=recompute",
    ],
    "channels, pipelined": [
        *array_overrides(8, 4), "mapping.split=k", "mapping.schedule=pipelined",
        "mapping.batch_norm=frozen", "core.memory.spike_gradients=64 bit",
    ],
}  # fmt: skip


def learning(norm: Norm | None, *, by_channel: bool) -> Workload:
    """Neurons that learn two numbers, with a synaptic current, behind a dropout and a norm."""
    net = builder((3, 6, 6), norm)
    for _ in range(3):
        net.conv(8, kernel=3, padding=1)
    add(net, 2, 0, "current")
    add(net, 2, 1, "spikes", Pool.square("sum", 3, 1, 1))
    net.linear(5)
    first, second, third, last = net.layers
    neuron = replace(
        first.neuron, learnt=("leak", "threshold"), by_channel=by_channel, current_decay=0.5
    )
    layers = [first, replace(second, neuron=neuron, dropout=0.4), third, last]
    return workload(layers, steps=3)


def jobs() -> Iterator[Job]:
    """The networks of the tests of programs, and those of numbers that learn."""
    for name, order in zip(("matmuls", "keys first", "one layer"), ORDERS, strict=True):
        yield name, *trained(order, batch=2, steps=2)
    graphs = {
        **{name: test_operands.NETS[name] for name in ("pyramid", "decoder", "gates on the way")},
        **{name: test_addends.NETS[name] for name in ("attention", "parts", "values")},
        "identities": lambda: test_shortcuts.membrane(None),
        "learnt": lambda: learning(PLAIN, by_channel=False),
        "learnt by channel": lambda: learning(None, by_channel=True),
        **{name: lambda norm=norm: learning(norm, by_channel=False)
           for name, (norm, _) in NORMS.items() if name in ("bntt", "tebn")},
        "potentials": lambda: test_membrane_output.read_by_the_loss("hard", detach=False),
    }  # fmt: skip
    for name, made in graphs.items():
        job = identities_as_shortcuts(made())
        yield name, job, RandomTensors(DRAW).recording(job, 0)


def first_fault() -> str:
    """How the first that breaks a law ends, or nothing."""
    for name, job, recorded in jobs():
        for chip, overrides in CHIPS.items():
            asked = (*SMALL, IDEAL_DRAM, *overrides)
            try:
                broken, _ = broken_laws(*built(job, recorded, *asked), *asked)
            except Exception as error:  # an ending is noticed, too
                broken = [f"{type(error).__name__}: {error}"]
            if broken:
                laws = ", ".join(law.split(":")[0] for law in broken)
                return f"{name} on {chip}: {laws}"
    return ""


if __name__ == "__main__":
    print(first_fault() or "ok")
