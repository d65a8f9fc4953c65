"""Record the training tensors of any PyTorch SNN (needs torch).

    cap = Capture(net, steps=T)
    with cap.at(iteration):
        loss_fn(net(x), y).backward()
    cap.save("my.h5", level="bits")

In the order in which an iteration passes them:

capture        Capture: the context manager, ``save``
neurons        a neuron module of SpikingJelly, snnTorch or the user -> its equation
declared       an equation that the user declares
constants      hyper-parameters of any type of number -> plain numbers
spikingjelly, snntorch, norse, sinabs   equations of their neurons
beyond         neurons that a job cannot hold, and why
states         state that a neuron returns beside its spikes
options        what a user may say to Capture
derived        weights that are made of other parameters, refused
eager          compiled networks, recorded as they run uncompiled
probe          a spike function -> its surrogate derivative: shape, width and peak
boundary       hooks round convolutions, linear layers, norms and neurons
edges          where a tensor comes from, read off the autograd graph
stages         boundaries -> which norm and neuron follow which layer
topology       stages -> the layer graph
pools          the pools of that graph
layouts        which axis of a boundary is time
axes           calls of a module -> one array with time and batch axes
layer_tensors  one layer's boundaries -> its tensors, surrogate masks included
iteration      all layers -> Recording and Values
verify         hold a recorded iteration against the golden model
"""

from __future__ import annotations

from tlm.workload.capture.capture import Capture
from tlm.workload.capture.declared import Declared, declare, learns

__all__ = ["Capture", "Declared", "declare", "learns"]
