"""The second operand of a matmul: what other layers leave, in the place of weights.

Spikformer (Zhou et al., arXiv 2209.15425) multiplies spikes by spikes: q by k, and what comes of
it by v, without a softmax between. So does a layer of kind "matmul". In each of its ``groups``
(heads), for each sample and at each step,

    Y[k, n] = scale  sum over c of M[k, c] X[c, n]

X is its input, with n over positions; M is held in the place of weights. Both have gradients:
dX = scale M^T dY, as behind weights, and dM = scale dY X^T, which goes to the layers M comes from.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlm.workload.operand import Operand


@dataclass(frozen=True)
class Held:
    """Where M of a matmul comes from, and how M and X lie in what is read.

    M is read as an input is: the sum of ``sources``, or the ``operand``, whose sources then stand
    there. Its channels are the outputs k, its positions the inputs c, in order of rows and columns;
    with ``transposed`` it is the other way round. X has inputs c for channels; with
    ``input_transposed`` they are the positions of what the layer reads, and n its channels.
    """

    sources: tuple[int, ...]
    operand: Operand | None = None
    transposed: bool = False
    input_transposed: bool = False
    scale: float = 1.0
