"""The words of ``gpu-baseline.md`` between its tables."""

INTRODUCTION = """
# The GPU baseline

`python -m tlm gpu WORKLOAD` models the same training step on a GPU, kernel by kernel. Nothing on
this page was measured by us on a GPU: it is a model, checked against published measurements. This
page is written by `python -m tlm gpu --validate --out docs --run RUN_DIR ...`; the runs are folders
that `python -m tlm run` left.

Standing of every figure: **validated**: compared with a measurement to which nothing was fitted;
**calibrated**: a constant was fitted to it; **assumed**: no source states it. A point to which
nothing was fitted and whose error is above 25 % is marked **not reproduced**.

How a step is modelled: convolutions and linear layers run over all T B images as implicit GEMM in
tiles of 128 x 128; BN takes two passes each way; neurons are one fused kernel over T (the fair
form, the default) or elementwise kernels a step, whose backward pass is O(T^2) because indexing a
step makes autograd build gradients of all steps; spikes are full numbers. Tensors live from the
first kernel that uses them to the last, freed storage is used again by the next tensor of the same
size. DRAM bytes are those of an LRU model of L2 whose contents and dirty lines pass from kernel to
kernel; the step runs twice and the second is counted. At most half of L2 may be dirty (calibrated
on the V100, assumed elsewhere).

Measuring: `python -m analysis.gpu.measure` runs a recorded job's real training step in torch, takes
time and the board's energy counter over windows of seconds, and adds DRAM bytes by kernel from a
log of `ncu`; its help says how. It is tested on a CPU only and has not been run on a GPU, so that
no figure here comes from it. Published DRAM bytes of an SNN training step were looked for and not
found.
"""

CHECKED = """
## 1. Bytes of V100 kernels

Isolated kernels of AccelWattch's set (hardware counters; `accel-sim/accel-sim-framework`,
`util/accelwattch/accelwattch_hw_profiler/hw_perf.csv`, BSD-2-Clause). Sizes come from the programs'
arguments and sources, never from the bytes. The cache begins empty and dirty lines left in it are
not counted, as a profiler counts. That half of L2 may stay dirty was read off the kernels that
write more than 3.1 MB: their DRAM writes are calibrated by that one constant, their reads are
validated. Model / measured:
"""

NOT_MODELLED = """
Where the model is wrong or silent. `cutlass_k3` writes 2.49 MB to DRAM and the model 2.10: it
rewrites its lines in slabs of 16 columns, and some of them leave L2 in between; L2 writes of the
WMMA epilogue (29/8 of C) are calibrated, one constant for two kernels. `backprop_k2` writes rows of
16 of 17 floats, whose partly filled sectors are not modelled. "Not claimed" are L2 reads that pass
through the texture unit, through gathers, or several times a block. The other nine kernels (b+tree,
backprop_k1, hotspot, kmeans, sad, mri-q, binomialOptions, mergeSort_k2) are neither
products nor sweeps; no part of a training step looks like them, and no figure is given.
"""

PUBLISHED = """
## 2. Published latencies and peak memory

The device's efficiency of 0.93 is the top of the GEMM table (calibrated there); its 21 us a launch
are the source's own. Convolution efficiency on tensor cores (0.6) and the launch interval (5 us)
are assumed, the RTX cards' constants are data-sheet figures. Optimizer of the network: not stated,
SGD assumed (Adam's moments would add 71 MiB and take batch 8 to about -2 %). The batch-16
memory comes from another page of the source, whose run held more than its siblings; it is not
explained.

The torch layer's time grows with T as published (the quadratic part is the model's), one third too
low at every T. The CuPy layer runs 3.4 times slower than its bytes need, at every T alike, so that
it was not bound by DRAM on that card; the model has no term for it. In the linear + LIF benchmark
the forward pass at 16 384 neurons would need 190 TFLOP/s, which neither card named reaches in FP32:
its precision is not the one modelled, and its memory holds two to three tensors more than ours.
Spikformer and the epoch times of the same documentation are not compared: attention is not in the
kernel list, and the epochs include a data loader that no source describes.
"""

CLAIM_TEXT = """
## 3. DRAM bytes: chip against A100

The claim under test: 55 to 85 % less DRAM access than an A100 (method not stated by its authors).
Recorded jobs are simulated; the ImageNet networks (T = 4, B = 16) are counted by element on the
chip's side, 8.8 to 20.8 B a neuron and step plus weights: **assumed, not simulated**. Against
unfused baselines the chip looks better for a reason that has nothing to do with the chip.
"""

TIME_AND_ENERGY = """
## 4. Time and energy of an iteration

GPU energy is that of the board without its host, as a range: 5-7 pJ/bit of HBM, 2-3 pJ/bit of L2,
arithmetic from a 7 nm table up to the board's limit, idle power of a V100 up to four times that
(assumed). No GPU power model is better than about 10-15 % even when fitted. The chip's figure is
modelled too and without a board around it: the ratio is an upper bound on the advantage. "Dense" is
the same chip executing every slot.

Break-even: looking at a slot costs one comparison, leaving it out saves a slot's energy. Skipping
pays until the share of slots executed is 1 - scan / slot; a slot of 16 spikes at an independent
rate p is executed with probability 1 - (1 - p)^16. It is an estimate from two averages of a run,
not a sweep over activity; a run of the same network as an ANN is not part of it.
"""

SENSITIVITY = """
## 5. Which assumption moves the verdict

One assumption at a time, all others as usual; the A100, fused and AMP unless that is what changes.
The chip's bytes are held at the middle of their count.
"""
