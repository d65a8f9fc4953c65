"""What FP, BP and WG leave of one layer, and what of a recording may be forced on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tlm.workload.glm.lfsr import States
from tlm.workload.golden.learnt import learnt_terms
from tlm.workload.golden.neuron import Replay, replay
from tlm.workload.golden.norm import Normalised, NormGradients
from tlm.workload.golden.product import weight_gradient
from tlm.workload.learnt import LEARNT
from tlm.workload.model import BoolArray, Layer, Neuron
from tlm.workload.surrogate import Slope
from tlm.workload.values import Numbers


@dataclass(frozen=True, eq=False)
class RecordedProducts:
    """Recorded products of a layer's weights: ``Y`` [T, B, K, E, F], the bias included, and ``dX``
    [T, B, C, H, W]; None where the gradient goes no further.
    """

    Y: Numbers
    dX: Numbers | None


@dataclass(frozen=True, eq=False)
class Forced:
    """Recorded tensors of one layer, [T, B, K, E, F], that stand in for the rebuilt ones.

    ``spikes`` and ``masks`` are None for a read-out. ``slope`` stands for the derivative of a
    surrogate without closed form. GLM neurons draw with shift registers that begin in the states
    ``registers`` [K]. ``products`` stand in for those of the layer's weights. ``output`` is
    ``spikes`` as numbers, where they are at hand. ``kept`` [T, B, C, H, W] is what a dropout kept,
    which is never rebuilt.
    """

    spikes: BoolArray | None
    masks: BoolArray | None
    dI: Numbers | None
    slope: Slope | None = None
    registers: States | None = None
    products: RecordedProducts | None = None
    kept: BoolArray | None = None
    output: Numbers | None = None

    def of(self, now: slice) -> Forced:
        """What is forced in some steps alone, of spikes, products and dropouts."""
        spikes = None if self.spikes is None else self.spikes[now]
        products = None if self.products is None else RecordedProducts(self.products.Y[now], None)
        kept = None if self.kept is None else self.kept[now]
        return replace(self, spikes=spikes, products=products, kept=kept)


FREE = Forced(None, None, None)


@dataclass(frozen=True, eq=False)
class Forward:
    """FP of one layer: ``inputs`` (X), ``current`` (I, or U of GLM neurons), ``output`` (S, or I
    of a read-out).

    ``summed`` is the operand before ``input_pool``, ``own`` the product, normalised, ``unpooled``
    that with its shortcuts, before ``current_pool``; ``held`` is what a matmul reads for its second
    operand. All are [T, B, ...].
    """

    summed: Numbers
    held: Numbers | None
    inputs: Numbers
    normalised: Normalised | None
    own: Numbers
    unpooled: Numbers
    current: Numbers
    output: Numbers


@dataclass(frozen=True, eq=False)
class NeuronBackward:
    """BP through the neurons of one layer: ``current`` (I) entered, ``dS`` arrived at the output.

    What follows from ``force`` in place of the rebuilt is not rebuilt unless it is asked for.
    """

    layer: Layer
    current: Numbers
    dS: Numbers
    force: Forced

    @cached_property
    def replayed(self) -> Replay | None:
        """The neurons' replay; None where there are none."""
        neuron, force = self.layer.neuron, self.force
        if not isinstance(neuron, Neuron):
            return None
        return replay(
            neuron, self.current, self.dS, spikes=force.spikes, masks=force.masks, slope=force.slope
        )

    @property
    def dI(self) -> Numbers:
        """Gradient at the neurons' input current, from the neurons alone."""
        return self.dS if self.replayed is None else self.replayed.dI


@dataclass(frozen=True, eq=False)
class Backward:
    """BP and WG of one layer, from its ``neurons`` on.

    ``dY`` is the gradient at the convolution's output; dW, from that and ``inputs`` (X), is not
    computed unless it is asked for.
    """

    neurons: NeuronBackward
    inputs: Numbers
    dY: Numbers
    norm: NormGradients | None

    def gradient(self, name: str) -> Numbers:
        """That of a parameter, as ``Parameters`` names it."""
        if name == "weights":
            return self.dW
        if name == "bias":
            return np.asarray(self.dY.sum((0, 1, 3, 4)))
        if name in LEARNT:
            return self._of_neurons(self.learnt_terms(name))
        return np.asarray(getattr(self.norm, name))

    def learnt_terms(self, name: str) -> Numbers:
        """What every neuron adds to the gradient of a number of its equation, [T, B, K, E, F]."""
        neurons, replayed = self.neurons, self.neurons.replayed
        assert replayed is not None and isinstance(neurons.layer.neuron, Neuron)
        spikes = replayed.spikes if neurons.force.spikes is None else neurons.force.spikes
        dI = replayed.dI if neurons.force.dI is None else neurons.force.dI
        return learnt_terms(neurons.layer.neuron, name, replayed.potential, spikes, dI)

    def rounding(self, name: str) -> Numbers:
        """The sum of the absolute values that make the gradient of such a number."""
        return self._of_neurons(np.abs(self.learnt_terms(name)))

    def _of_neurons(self, terms: Numbers) -> Numbers:
        neuron = self.neurons.layer.neuron
        if isinstance(neuron, Neuron) and neuron.by_channel:
            return np.asarray(terms.sum((0, 1, 3, 4)))
        return np.asarray([terms.sum()])

    @cached_property
    def dW(self) -> Numbers:
        """[K, C / groups, R, S]."""
        layer = self.neurons.layer
        dY = self.dY.reshape(-1, *layer.product_shape)
        return weight_gradient(layer, self.inputs.reshape(-1, *layer.in_shape), dY)
