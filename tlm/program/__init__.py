"""What every engine of every core does, phase by phase, as tiles."""
