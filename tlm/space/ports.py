"""Widths of the ports of the memories beside the arrays, in bits: conventions of the model.

The program builders charge accesses by them, and the laws count accesses by them.
"""

from __future__ import annotations

MEMORY_PORT_BITS = 256  # one access of a wide memory (NeuroMC: fp_soma_u and its like)
STATE_PORT_BITS = 16  # one access of the memories of spikes and of masks
