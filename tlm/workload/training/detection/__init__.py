"""Training of a detector: where in a scene of events is a digit, and which.

scenes     recordings of N-MNIST placed somewhere in a larger frame, in two sizes
network    a backbone of spikes with a feature pyramid and a head for each size of cells
loss       what the cells should say, and what they do say
detection  a training run
"""
