"""Trains a recipe of ours and records it (needs torch)."""
