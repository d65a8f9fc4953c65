"""The model against measurements of others.

v100               bytes of kernels against the counters of a V100
published          times and peak memory against publications (point: one such figure)
cifar10dvs_vgg     a network of the literature
published_layers   neuron layers as they were timed; torch_layer, cupy_layer: their launches
"""
