"""Membrane potentials of GLM neurons for recorded input spikes, and the gradient of the weights.

The basis is linear in time and the weights are linear in space, so the product may stand first: an
input spike adds its row of M * K weights to M * K sums, and K filters a neuron follow. Both orders
give the same U; this one costs less by the ratio of inputs to outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.workload.glm.arrays import Array


@dataclass(frozen=True, eq=False)
class GLMNetwork:
    """N inputs, M outputs: ``basis`` [taps, K], ``weights`` [N, M, K], ``bias`` [M].

    U[t, b, i] = bias[i] + sum over j, k, d of weights[j, i, k] * basis[d, k] * S[t - d, b, j].
    Step t of U follows step t of the input: the decision after step t knows the inputs up to it.
    """

    basis: Array
    weights: Array
    bias: Array

    def potentials(self, S: Array) -> Array:
        """U [T, B, M] of input spikes S [T, B, N]."""
        inputs, outputs, functions = self.weights.shape
        sums = S @ self.weights.reshape(inputs, outputs * functions)
        sums = sums.reshape(*S.shape[:2], outputs, functions)
        U = np.tile(self.bias, (*S.shape[:2], 1))
        for delay, taps in enumerate(self.basis[: len(S)]):
            U[delay:] += sums[: len(S) - delay] @ taps
        return U

    def gradient(self, S: Array, dU: Array) -> tuple[Array, Array]:
        """dW [N, M, K] and the gradient of the bias [M], summed over samples and steps."""
        inputs, outputs, functions = self.weights.shape
        sums = np.zeros((*dU.shape, functions))
        for delay, taps in enumerate(self.basis[: len(S)]):
            sums[: len(S) - delay] += dU[delay:, :, :, None] * taps
        dW = S.reshape(-1, inputs).T @ sums.reshape(-1, outputs * functions)
        return dW.reshape(self.weights.shape), dU.sum((0, 1))
