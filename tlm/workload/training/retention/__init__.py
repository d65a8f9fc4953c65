"""A network that learns to answer one frozen input with one spike pattern.

pattern    the frozen input and the target, drawn from a seed
neuron     current-based LIF neurons as a torch module
grid       weights on an integer grid, rounded at random while they are trained, and pruned
loop       training, and the van Rossum distance that it makes small
recording  the trained network as a recorded job
"""
