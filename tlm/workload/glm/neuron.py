"""The GLM neuron of a job: what its sums become, and the devices of its synapses."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.workload.glm.lfsr import LFSR
from tlm.workload.glm.sampling import HardwareSampler, SigmoidTable


@dataclass(frozen=True)
class GLMNeuron:
    """Parameters of a layer of GLM neurons, which spike at random.

    An input spike adds ``functions`` (K) weights to the K sums of every neuron. The membrane
    potential is U[t] = bias + sum over k < K and d < ``taps`` of basis[d, k] sums[t - d, k], with
    the raised cosines of :mod:`tlm.workload.glm.basis`. A neuron spikes if the low ``output_bits``
    of its shift register (``register_bits`` wide, shifted ``shifts`` times before each draw, one
    draw a step, sample after sample) are less than the entry of U in a table of the sigmoid with
    2^``address_bits`` entries (:mod:`tlm.workload.glm.sampling`). Nothing is reset by a spike.

    A weight is made of ``devices`` binary devices: ``weight_step`` times (code - (2^devices - 1) /
    2), code from 0 to 2^devices - 1.

    Raises:
        WorkloadError: no register has that width, or it is narrower than a table's entry.
    """

    functions: int
    taps: int
    devices: int
    weight_step: float
    register_bits: int
    shifts: int
    address_bits: int
    output_bits: int

    def __post_init__(self) -> None:
        assert self.sampler  # made here: it refuses widths that do not fit together

    @property
    def sampler(self) -> HardwareSampler:
        """What makes spikes of potentials."""
        table = SigmoidTable(self.address_bits, self.output_bits)
        return HardwareSampler(LFSR(self.register_bits, self.shifts), table)
