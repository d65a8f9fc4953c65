"""How a bundled job is trained and recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tlm.workload.blocks import Block
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.model import Encoding, Level, Neuron
from tlm.workload.surrogate import lif_neuron

DataSetName: TypeAlias = Literal["mnist", "digits", "cifar10", "nmnist", "basic-motions"]


@dataclass(frozen=True)
class Scaling:
    """Standard deviations that input currents are scaled to before training.

    ``output_std`` is that of a last layer with neurons, ``current_std`` of all others.
    """

    current_std: float
    output_std: float


@dataclass(frozen=True, kw_only=True)
class TrainedRecipe:
    """A training run on a data set, to record.

    Training takes mini-batches of ``training_batch``; recorded is the forward and backward pass
    of ``batch`` (B) samples of the first, middle and last one, over ``steps`` (T), at ``levels``.
    """

    name: str
    dataset: DataSetName
    encoding: Encoding
    neuron: Neuron
    steps: int
    batch: int
    training_batch: int
    epochs: int
    learning_rate: float
    levels: tuple[Level, Level, Level]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainedRecipe):
    """A network of ``blocks`` that learns to name classes.

    ``norm`` puts a batch normalisation behind every layer with neurons; a network without one
    needs ``scaling``.
    ``channels_last`` lays tensors out with the channels innermost: a fifth faster on a CPU for
    CIFAR-10, other rounding.
    """

    blocks: tuple[Block, ...]
    norm: bool
    scaling: Scaling | None
    channels_last: bool = False


@dataclass(frozen=True, kw_only=True)
class DetectionRecipe(TrainedRecipe):
    """A detector that learns where in a frame of ``side`` S a digit is, and which.

    Its stages have ``width``, 2, 4 and 8 ``width`` channels.
    """

    width: int
    side: int


@dataclass(frozen=True)
class RetentionRecipe:
    """A network of two layers that learns to answer one frozen input with one spike pattern.

    ``neurons`` are inputs, hidden and output neurons. The pattern is drawn from ``pattern_seed``:
    inputs of ``input_rate_hz`` over ``steps`` (T) of ``step_ms``. Weights have ``weight_bits``;
    the share ``density`` of them is left after pruning. An epoch is one pass over the pattern.
    """

    name: str
    neurons: tuple[int, int, int]
    neuron: Neuron
    steps: int
    step_ms: float
    input_rate_hz: float
    pattern_seed: int
    filter_ms: float
    weight_bits: int
    density: float
    epochs: int
    learning_rate: float
    levels: tuple[Level, Level, Level]
    seed: int
    batch: int = 1
    encoding: Encoding = "rate"


@dataclass(frozen=True)
class GLMRecipe:
    """Two layers of GLM neurons, inputs and ``outputs``, over ``steps`` (T).

    A neuron remembers ``taps`` steps of its inputs through ``functions`` (K) raised cosines.
    Inputs are drawn anew, by their probabilities, in each of the ``epochs``; Adam takes
    mini-batches of ``training_batch`` with a ``learning_rate`` that falls as a cosine.

    Recorded are the answers to the first ``batch`` (B) samples of the test part, in weights of
    ``devices`` binary devices that were tuned for another tenth of the epochs. Widths of register
    and table, as in ``config/array_core/spinaps.yaml`` (assumed): see ``GLMNeuron``.
    """

    name: str
    dataset: DataSetName
    outputs: int
    steps: int
    taps: int
    functions: int
    epochs: int
    training_batch: int
    learning_rate: float
    seed: int
    batch: int = 32
    devices: int = 4
    register_bits: int = 16
    shifts: int = 16
    address_bits: int = 8
    output_bits: int = 8
    levels: tuple[Level, ...] = ("exact",)
    encoding: Encoding = "rate"

    @property
    def tuning_epochs(self) -> int:
        """Epochs that are trained on in weights of devices."""
        return self.epochs // 10

    def neuron(self, weight_step: float) -> GLMNeuron:
        """Its neurons; the step between the values of devices follows from training."""
        return GLMNeuron(
            functions=self.functions,
            taps=self.taps,
            devices=self.devices,
            weight_step=weight_step,
            register_bits=self.register_bits,
            shifts=self.shifts,
            address_bits=self.address_bits,
            output_bits=self.output_bits,
        )


@dataclass(frozen=True)
class FederatedRecipe:
    """FedAvg (McMahan et al., arXiv 1602.05629) over ``workers``, to be recorded.

    In each of the ``rounds`` every worker trains ``local`` on its own part of the data:
    ``local.epochs`` passes, or ``local_iterations`` mini-batches where these are given, with a
    constant learning rate and an optimiser that starts anew. ``alpha`` is that of the Dirichlet
    split. Both splits are trained with each of the ``compressions``. Without compression the rounds
    ``recorded`` of the Dirichlet split and ``recorded_iid`` of the other are recorded, an iteration
    of every worker, and ``round_iterations`` of the first round of worker 0. ``test_samples`` of
    the test part, drawn by the seed, measure the accuracy; None: all.
    """

    name: str
    local: Recipe
    workers: int
    rounds: int
    local_iterations: int | None
    alpha: float
    compressions: tuple[str, ...]
    recorded: tuple[int, ...]
    recorded_iid: tuple[int, ...]
    round_iterations: int
    test_samples: int | None


AnyRecipe: TypeAlias = Recipe | DetectionRecipe | RetentionRecipe | GLMRecipe | FederatedRecipe
"""What a file of the bundled folder may hold as its RECIPE."""

LIF = lif_neuron()
"""LIF with tau = 2 and decay_input (H = V + (I - V) / tau), rectangular surrogate of width 1."""
