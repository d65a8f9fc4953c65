"""A training step as the kernels that PyTorch launches.

network         what is run: the shapes of a job
kernel          one launch: the tensors it touches, the product behind it
product         the three products of a layer
neuron          the neurons of a layer
update          the optimizer
training_step   all kernels of a step, in order
"""
