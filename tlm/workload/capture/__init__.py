"""Record the training tensors of any PyTorch SNN (needs torch).

    cap = Capture(net, steps=T)
    with cap.at(iteration):
        loss_fn(net(x), y).backward()
    cap.save("my.h5", level="bits")

capture    Capture: the context manager, ``save``
boundary   hooks round convolutions, linear layers, norms and neurons
edges      where a tensor comes from, read off the autograd graph
neurons    neurons of SpikingJelly, snnTorch and declared ones -> their equation
probe      a surrogate function -> its derivative, its shape and width
axes       calls of a module -> one array with time and batch axes
topology   boundaries -> the layer graph
iteration  boundaries -> Recording and Values
verify     hold a recorded iteration against the golden model
"""

from __future__ import annotations

from tlm.workload.capture.capture import Capture
from tlm.workload.capture.neurons import Declared, declare

__all__ = ["Capture", "Declared", "declare"]
