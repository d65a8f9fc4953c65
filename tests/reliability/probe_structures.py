"""Networks of every structure that is more than a chain, run with all laws on chips with much room
and little.

``python -m tests.reliability.probe_structures`` prints how the first that breaks a law ends; words
behind it choose networks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.program import test_addends, test_membrane_output, test_operands, test_shortcuts
from tests.program.graphs import (
    add,
    broken_laws,
    builder,
    identity,
    put_together,
    window,
    without_neurons,
    workload,
)
from tests.program.jobs import IDEAL_DRAM, array_overrides, built
from tests.program.test_matmul import ORDERS, trained
from tests.program.test_norm_parameters import NORMS
from tests.reliability.networks import Draw, RandomTensors
from tests.reliability.probe import APART, SMALL
from tlm.workload.identities import identities_as_shortcuts
from tlm.workload.model import Norm, Pool, Recording, Workload
from tlm.workload.operand import Term

Job = tuple[str, Workload, Recording]
DRAW = Draw(seed=3, inputs=0.4, spikes=0.4, masks=0.5, gradients=0.4, live=0.8)
PLAIN = Norm("batch", 1e-5, per_step=False)
ONES = {"bntt": NORMS["bntt"][0], "tebn": NORMS["tebn"][0], "by-step": NORMS["both by step"][0]}
LITTLE = [
    "core.memory.membrane=8 Kib", "core.memory.accumulators=8 Kib",
    "core.memory.gradients=8 Kib", "core.memory.spikes=8 Kib",
]  # fmt: skip
CHIPS: dict[str, list[str]] = {
    "default": [],
    "rows, little memory": [
        *APART, *LITTLE, *array_overrides(4, 4), "mapping.split=spatial", "mapping.state=recompute",
        "mapping.batch_norm=frozen",
    ],
    "channels, pipelined": [
        *array_overrides(8, 4), "mapping.split=k", "mapping.schedule=pipelined",
        "mapping.batch_norm=frozen", "core.memory.sharing=separate", "core.memory.gradients=2 Kib",
        "core.memory.spike_gradients=64 bit", "core.memory.accumulators=4 Kib",
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


def summed() -> Workload:
    """A sum of two layers, one of which leaves the largest values of its windows."""
    net = builder((3, 8, 8))
    first = net.conv(8, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
    second = net.conv(8, kernel=1)
    third = net.conv(8, kernel=3, padding=1, sources=(first,))
    without_neurons(net, first)
    net.conv(40, kernel=3, padding=1, sources=(second, third))
    net.linear(4)
    return workload(net.layers, steps=3)


def alone() -> Workload:
    """Neurons behind a sum, without weights, that learn a number a channel."""
    net = builder((3, 6, 6))
    first, second = net.conv(8, kernel=3, padding=1), net.conv(8, kernel=1)
    neuron = replace(net.layers[first].neuron, learnt=("leak",), by_channel=True)
    net.conv(4, kernel=1, sources=(identity(net, [first, second], neuron),))
    return workload(net.layers)


def folded() -> Workload:
    """Planes of 6 x 6 read as 4 x 9: rows of what is read are of two rows of the source."""
    net = builder((2, 6, 6))
    first = net.conv(8, kernel=3, padding=1)
    put_together(net, (8, [Term(first, (window((8, 4, 9)),))]), channels=6, kernel=3, padding=1)
    net.linear(4)
    return workload(net.layers)


def jobs(chosen: Sequence[str] = ()) -> Iterator[Job]:
    """The networks of the tests of programs, and those of numbers that learn: all, or some."""
    for name, order in zip(("matmuls", "keys-first", "one-layer"), ORDERS, strict=True):
        if name in (chosen or [name]):
            yield name, *trained(order, batch=2, steps=2)
    graphs = {
        **{name: test_operands.NETS[name] for name in ("pyramid", "decoder", "shifted")},
        "gates": test_operands.gates_on_the_way,
        **{name: test_addends.NETS[name] for name in ("attention", "parts", "values")},
        "identities": lambda: test_shortcuts.membrane(None),
        "learnt": lambda: learning(PLAIN, by_channel=False),
        "by-channel": lambda: learning(None, by_channel=True),
        **{name: lambda norm=norm: learning(norm, by_channel=False)
           for name, norm in ONES.items()},
        "summed": summed,
        "folded": folded,
        "learning-alone": alone,
        "potentials": lambda: test_membrane_output.read_by_the_loss("hard", detach=False),
    }  # fmt: skip
    for name, made in graphs.items():
        if name not in (chosen or [name]):
            continue
        job = identities_as_shortcuts(made())
        yield name, job, RandomTensors(DRAW).recording(job, 0)


def first_fault(chosen: Sequence[str] = ()) -> str:
    """How the first that breaks a law ends, or nothing."""
    for name, job, recorded in jobs(chosen):
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
    print(first_fault(sys.argv[1:]) or "ok")
