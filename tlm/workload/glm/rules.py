"""Two rules of maximum likelihood for GLM neurons: losses of U and labels, and dU.

Source: Bagheri, Simeone, Rajendran, arXiv 1710.10704.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from tlm.workload.glm.arrays import Array, Classes

Rule: TypeAlias = Literal["first-to-spike", "rate"]


def sigmoid(U: Array) -> Array:
    """Probability of a spike; no argument overflows."""
    return 0.5 * (1 + np.tanh(0.5 * U))


def loss_and_gradient(rule: Rule, U: Array, labels: Classes) -> tuple[Array, Array]:
    """Loss [B] and dU [T, B, M] of ``rule`` for potentials U [T, B, M] and classes [B]."""
    return first_to_spike(U, labels) if rule == "first-to-spike" else rate(U, labels)


def first_to_spike(U: Array, labels: Classes) -> tuple[Array, Array]:
    """-log of the probability that output ``label`` spikes first, and alone at that step.

    p_t = g(u_c,t) * product of (1 - g) of c before t * product of (1 - g) of others up to t, so
    log p_t = u_c,t - sum over t' <= t and all i of log(1 + exp(u_i,t')), as
    log g(u) - log(1 - g(u)) = u. With q_t = p_t / sum p and h_t = sum of q from t on:
    dU_i,t = h_t g(u_i,t) - [i = c] q_t.
    """
    log_p = U[:, np.arange(len(labels)), labels] - np.logaddexp(0, U).sum(2).cumsum(0)
    most = log_p.max(0)
    p = np.exp(log_p - most)
    q = p / p.sum(0)
    h = q[::-1].cumsum(0)[::-1]
    dU = h[:, :, None] * sigmoid(U)
    dU[:, np.arange(len(labels)), labels] -= q
    return -(most + np.log(p.sum(0))), dU


def rate(U: Array, labels: Classes) -> tuple[Array, Array]:
    """-log of the probability that output ``label`` spikes at every step and no other ever does.

    The conventional rule: the target train is all ones for the class and all zeros for others;
    dU = g(U) - target.
    """
    target = np.zeros_like(U)
    target[:, np.arange(len(labels)), labels] = 1
    return (np.logaddexp(0, U) - target * U).sum((0, 2)), sigmoid(U) - target
