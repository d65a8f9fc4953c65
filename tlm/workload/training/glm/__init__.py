"""Two-layer networks of GLM neurons, trained to let the right output spike first (numpy alone).

training   inputs in spikes, and the training loop
recording  a trained network's answers to test samples, as a job for inference
"""
