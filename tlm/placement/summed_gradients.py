"""Summed gradients: dX of residual sums is added up once, not once for every layer of the sum.

Layers whose outputs are added up have readers in common. In BP the last of them adds up what these
return, and leaves its dS in DRAM for those before, which so read one tensor for many.
"""

from __future__ import annotations

from collections.abc import Sequence


def summed_by(
    readers: Sequence[frozenset[int]], plain: Sequence[bool], parts: Sequence[int],
    through_dram: Sequence[bool],
) -> list[int | None]:  # fmt: skip
    """For every layer a later one whose dS stands for the dX of some of its readers, if any.

    Args:
        readers: by layer, who reads its output.
        plain: by layer, whether what it reads is a plain sum of outputs.
        parts: by layer, in how many parts dX is returned, one for each channel cut.
        through_dram: by layer, whether its dS comes from DRAM.
    """
    layers = range(len(readers))
    # A write and a read have to stand for more reads than these.
    sums = [
        at
        for at in layers
        if through_dram[at]
        and all(plain[reader] for reader in readers[at])
        and sum(parts[reader] for reader in readers[at]) > 2
    ]
    chosen: list[int | None] = []
    for at in layers:
        later = [other for other in sums if other > at and readers[other] <= readers[at]]
        most = max(later, key=lambda other: (len(readers[other]), other), default=None)
        chosen.append(most if through_dram[at] else None)
    return chosen
