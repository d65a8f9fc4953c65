"""GLM neurons and networks of two layers of them (numpy alone).

A GLM neuron (generalised linear model) spikes at random, with a probability that is the sigmoid of
its membrane potential. Equations: Bagheri, Simeone, Rajendran, arXiv 1710.10704, as derived from
the likelihood.

arrays    the shapes of what follows
neuron    the neuron of a job: basis, devices of its weights, sampler
basis     raised-cosine functions of time, through which a neuron sees its input spikes
network   membrane potentials of input spikes, and the gradient of the weights
rules     losses and dU: the first-to-spike rule, and the rate rule
decision  which class an answer of output spikes means, at each step
lfsr      maximal-length shift registers, the random numbers of the hardware
sampling  output spikes: ideal Bernoulli, or shift register, sigmoid table and comparator
devices   weights as sums of binary devices
"""
