"""Recorded training jobs: the file format, its reader, writer and checker, and the recorder.

model       Workload, Layer, Neuron, Norm, Pool, Recording: what a job is
values      Values: the numbers of an iteration, beside its masks
schema      names, version and limits of the file
layout      which datasets a header calls for
graph       the layer graph as JSON, checked
check       structure of an untrusted file, checked before its data are read
reader      file -> Workload, Recording, Values
writer      Workload, recordings, values -> file, atomically
bundled     open a job by name or by path
builder     write a layer graph by hand
synthetic   networks without tensors, and masks drawn for them
density     how sparse a recording is, by layer and step
describe    the same as tables for a terminal
surrogate   surrogate derivatives
replay      NumPy golden model of one neuron layer
golden      NumPy golden model of a whole network
capture     record any PyTorch SNN (torch)
recipe      how a bundled job is trained
blocks      words that a recipe writes its network with
torchnet    that network as a torch module (torch)
lif         its neurons (torch)
scaling     its initial weights (torch)
datasets    MNIST, digits, CIFAR-10 and N-MNIST
training    train a recipe and record it (torch)
record      the command: recipe name -> file
"""

from __future__ import annotations

from tlm.workload.bundled import bundled_names, bundled_networks, open_workload
from tlm.workload.file.writer import write_workload
from tlm.workload.model import Layer, Level, Neuron, Norm, Pool, Recording, Workload
from tlm.workload.values import Parameters, Values

__all__ = [
    "Layer",
    "Level",
    "Neuron",
    "Norm",
    "Parameters",
    "Pool",
    "Recording",
    "Values",
    "Workload",
    "bundled_names",
    "bundled_networks",
    "open_workload",
    "write_workload",
]
