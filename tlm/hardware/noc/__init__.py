"""The network on chip: what each model of it offers, the packet model, and traffic to try it."""
