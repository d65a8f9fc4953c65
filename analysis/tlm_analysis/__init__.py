"""Reads what runs leave behind: utilisation, traffic, energy, plots and the GPU baseline."""
