"""Where a DRAM channel is joined to the network."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.hardware.noc.network import ChipNetwork
from tlm.kernel import Transaction


@dataclass(slots=True)
class MemoryPort:
    """A DRAM channel at its mesh terminal: a read's data go back into the mesh.

    A write is posted: it ends where the controller acknowledges it, and the acknowledge, which
    could ride on the link's credits, costs no packet (assumed).
    """

    network: ChipNetwork
    terminal: int

    def __call__(self, txn: Transaction) -> None:
        """Answer a transaction now."""
        if txn.command:
            txn.job.dma.answered(txn)
            return
        txn.flits = self.network.packet_format.flits(txn.nbytes)
        txn.path = txn.home
        self.network.send(txn, self.terminal)
