"""Masks without a recording: drawn by rule, or made like those of a recorded job.

activity  the rules, and how they are spelt: dense, bernoulli(0.1), like(mnist-csnn)
masks     rule -> masks of every layer
tensors   a job whose masks are drawn when it is loaded
ann       a job as an ANN: one step, analog activations, nothing zero
weights   which weights are left by a rule that prunes: density=0.3, 2:4, rows=0.5
kinds     what a run takes of a job: as recorded, dense, or as an ANN
"""
