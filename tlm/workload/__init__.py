"""Recorded jobs: what they are, their file, and how to make them.

The words of a job, in reading order:

model      Workload, Layer, Neuron, Norm, Pool, Recording: what a job is
answers    Answers: what the network of a job for inference decided
mode       refuse a job that nothing was trained in
input_kind  what kind of numbers a layer reads
values     Values: the numbers of an iteration, beside its masks
surrogate  surrogate derivatives; ``lif_neuron``
largest    masks of the largest scores, of all or of every group
bundled    open a job by name or by path
builder    write a layer graph by hand
synthetic  networks without tensors, opened as jobs with drawn masks
blocks     the words that a recipe writes its network with
recipe     how a bundled job is trained

The rooms:

file       a job's file: schema, checks, reader, writer
federated  recorded runs of N workers
glm        GLM neurons: basis, sampling, decisions, devices
drawn      masks drawn by a rule instead of recorded
golden     NumPy model of a whole network, which rebuilds recordings
report     densities, tables and checks of a job
capture    record any PyTorch SNN (torch)
training   train a recipe and record it (torch)

A new LIF neuron: its parameters are ``model.Neuron``, its arithmetic is ``golden/neuron.py``. If a
PyTorch framework has it, ``capture/neurons.py`` reads its parameters off the module. A new
surrogate is a line in ``surrogate.py``. What neurons cost on the chip is charged in
``tlm/program/soma.py`` and ``tlm/program/gradient.py``.
"""

from __future__ import annotations

from tlm.workload.bundled import bundled_names, bundled_networks, open_shipped, open_workload
from tlm.workload.file.writer import write_workload
from tlm.workload.model import Layer, Level, Neuron, Norm, Pool, Recording, Shortcut, Workload
from tlm.workload.values import Parameters, Values

__all__ = [
    "Layer",
    "Level",
    "Neuron",
    "Norm",
    "Parameters",
    "Pool",
    "Recording",
    "Shortcut",
    "Values",
    "Workload",
    "bundled_names",
    "bundled_networks",
    "open_shipped",
    "open_workload",
    "write_workload",
]
