"""What of a difference a worker sends."""

from __future__ import annotations

import torch
from torch import Tensor

from tlm.errors import WorkloadError
from tlm.workload.federated.compression import Compression


class Uplink:
    """A worker's way to the server: ``residual`` is what top-k has not sent yet."""

    def __init__(self, compression: Compression, parameters: int) -> None:
        self.compression = compression
        self.residual = torch.zeros(parameters)

    def sent(self, difference: Tensor) -> Tensor:
        """What the server receives of ``difference`` [parameters], as FP32.

        With top-k the sum of what is sent and of what stays equals the difference and what stayed
        before, exactly; the other kinds leave nothing behind. Raises WorkloadError for a
        difference that is not finite, or too large for FP16.
        """
        share = self.compression.share
        whole = difference if share is None else difference + self.residual
        values = whole if self.compression.name == "none" else whole.half().float()
        if not bool(values.isfinite().all()):
            raise WorkloadError(
                f"compression {self.compression.name}: a difference of weights is not finite "
                "in its format; train with a smaller learning rate"
            )
        if share is None:
            return values
        places = whole.abs().topk(self.compression.sent(len(whole))).indices
        sent = torch.zeros_like(whole)
        sent[places] = values[places]
        self.residual = whole - sent
        return sent


def rounded_download(weights: Tensor, compression: Compression) -> Tensor:
    """The global model as workers receive it: FP32 with none, else rounded to FP16."""
    return weights if compression.name == "none" else weights.half().float()
