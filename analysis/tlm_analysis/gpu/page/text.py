"""The words of ``gpu-baseline.md`` between its tables."""

INTRODUCTION = """
# The GPU baseline

`python -m tlm gpu WORKLOAD` models the same training step on a GPU, kernel by kernel. Nothing on
this page was measured by us on a GPU: it is a model, checked against published measurements. This
page is written, in about a minute, by

    python -m tlm gpu --validate --out docs \\
        $(printf -- '--run %s ' runs/s-*) $(printf -- '--counterfactual %s ' runs/*.json)

from runs of the chip: `python -m tlm counterfactual JOB --json > runs/JOB.json` for each bundled
job, and for the ImageNet networks

    P="--set noc.payload=16KiB --set dram.interleave=16KiB --trace off"
    python -m tlm run 's-resnet18:like(cifar-sew)' $P --out runs/s-resnet18
    I="$P --set dram.model=ideal --set noc.model=ideal"
    python -m tlm run 's-resnet50:like(cifar-sew)' $I --set dram.channels=8 --out runs/s-resnet50
    python -m tlm run 's-vgg16:like(cifar-vgg8-bn)' $I --set dram.channels=12 --out runs/s-vgg16

(the last two need more DRAM than the preset's 8 GiB; `dram.model=ideal` and `noc.model=ideal` are
quicker and give the same bytes; times are then those without contention). A network without a run
is counted, and says so.

Standing of every figure: **validated**: compared with a measurement to which nothing was fitted;
**calibrated**: a constant was fitted to it; **assumed**: no source states it. A point to which
nothing was fitted and whose error is above 25 % is marked **not reproduced**.

How a step is modelled: convolutions and linear layers run over all T B images as implicit GEMM in
tiles of 128 x 128; BN takes two passes each way; neurons are one fused kernel over T (the fair
form, the default) or elementwise kernels per step, whose backward pass is O(T^2) because indexing a
step makes autograd build gradients of all steps; spikes are full numbers. Slices and crops of an
operand are views, laid back into zeros; padding, upsampling, each sum and each product of spikes
are a kernel, one more is the `cat`; what several layers read alike is made once. Products of two
activations are batched GEMMs, a transposed convolution is an input gradient, a norm with statistics
of each step is launched T times and put together. Copies that permute tensors, and sums for the
gradients of biases, are left out. By kind, a step of ten networks launches what PyTorch does.
Tensors live from the first kernel that uses them to the last, freed storage is used again by the
next tensor of the same size. DRAM bytes are those of an LRU model of L2 whose contents and dirty
lines pass from kernel to kernel; the step runs twice and the second is counted. At most half of L2
may be dirty (calibrated on the V100, assumed elsewhere). With direct coding the first layer
multiplies a repeated image, T times the same (assumed: SpikingJelly's multi-step mode; the recipes'
own network, like the chip, does so once and repeats the current). Once would save the A100 at most
3 % (cifar-vgg8) to 16 % (mnist-fc) of the step, BN and the launches that stay included.

Measuring: `python -m tlm_analysis.gpu.measure` runs a job's real training step in torch (any
recorded network, or a drawn one), takes time and the board's energy counter over windows of
seconds, adds DRAM bytes by kernel from a log of `ncu`, and sets them beside this model
(`--compare`); its help gives the commands. On a CPU its step is tested to compute the recorded
gradients. It has not been run on a GPU, so that no figure here comes from it. Published DRAM bytes
of an SNN training step were looked for and not found.
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
through the texture unit, through gathers, or several times per block. The other seven kernels
(b+tree, backprop_k1, hotspot, kmeans, sad, binomialOptions) are neither products nor sweeps, or
their sizes could not be confirmed; no figure is given.

Kernels of a training step take their tiles from one rule (128, halved for short sides, split over k
in weight gradients), not from a table; a convolution's view repeats an element R S / stride^2
times.
"""

PUBLISHED = """
## 2. Published latencies and peak memory

The device's efficiency of 0.93 is the top of the GEMM table (calibrated there); its 21 us per
launch are the source's own. Convolution efficiency on tensor cores (0.6) and the launch interval
(5 us) are assumed, the RTX cards' constants are data-sheet figures. Optimizer of the network: not
stated, SGD assumed (Adam's moments would add 71 MiB and take batch 8 to about -2 %). The batch-16
memory comes from another page of the source, whose run held more than its siblings; it is not
explained.

The LIF layers on the RTX 2080 Ti are the launches of the version that was timed, read in its source
(`spikingjelly/clock_driven/neuron.py`, `neuron_kernel.py`), nothing fitted. PyTorch's: ten launches
per step, each step copied into preallocated tensors, a reset that gradients pass, and twice a
gradient of all steps at every step (storing into a slice, reading one), which is the quadratic
part. CuPy's: 11 tensors forward and 13 backward for the 4 and 4 that the arithmetic needs, because
tensors are cleared before the kernel writes them, the membrane is copied, and the benchmark
accumulates into the input's gradient and clears it. What is left, 8 to 20 % too fast, grows with
T; the kernel's five streams at strides of 4 MB reach less of the bandwidth than a copy does. The
baseline's own forms are leaner: Triton's (`fused`), and unfused launches without these stores.

Linear + LIF: the memory is the benchmark's own (cleared tensors, and the last output kept while the
next is made). Its times are not comparable: `timeit` reads the clock without waiting for the GPU,
and a forward pass of 16 384 neurons would need 190 TFLOP/s, which no card of its generation has.

SpikingJelly 2.0 keeps the membrane in FP32 under AMP, and its input too (`--neuron fused-fp32`);
the default is the leaner form of before. BN: PyTorch asks cuDNN for the two-pass kernels unless
tensors are channels-last; section 5 has both.
Spikformer and the epoch times of the same documentation are not compared: no network of its size is
described here, and the epochs include a data loader that no source describes.
"""

CLAIM_TEXT = """
## 3. DRAM bytes: chip against A100

The claim under test: 55 to 85 % less DRAM access than an A100 (method not stated by its authors).
Bundled jobs are simulated with their recorded masks; ImageNet networks with masks drawn like those
of a recorded job, by relative depth and step, if a run was given. "Ideal memory" means that the
run's DRAM and network answer at once: its bytes are those of the full model, its time is not given.
The A100's bytes do not depend on masks. What was not simulated is counted by element, 8.8 to 20.8 B
per neuron and step plus weights: **assumed**; the line under the table says how good a count is.

A cell is the A100's MB and the share of them that the chip saves; a network that fits in L2 under a
baseline is not compared under it. Against unfused baselines the chip looks better for a reason
that has nothing to do with the chip.
"""

TIME_AND_ENERGY = """
## 4. Time and energy of an iteration

The A100 runs fused neurons in AMP. Its energy is that of the board without its host, as a range:
5-7 pJ/bit of HBM, 2-3 pJ/bit of L2, arithmetic from a 7 nm table up to the board's limit, idle
power of a V100 up to four times that (assumed). No GPU power model is better than about 10-15 %
even when fitted. The chip's figure is modelled too and without a board around it: the ratio is an
upper bound on the advantage. "Dense" is the same chip and job with nothing skipped, "ann" the same
network with T = 1, 16 bit activations and every multiply-accumulate done.
"""

BREAK_EVEN = """
Break-even on the chip: spikes, masks and gradients are drawn independently at one density and
simulated; between two densities a power law is assumed, beyond them nothing. Sparse execution is
cheaper than the dense or ANN run below the density given; "cheaper" and "dearer" hold at every
density drawn. Clustered masks of a recorded job skip more than drawn ones of the same density.
"""

SENSITIVITY = """
## 5. Which assumption moves the verdict

One assumption at a time, all others as usual; the A100, fused and AMP unless that is what changes.
The chip's bytes are held as they are in section 3.
"""
