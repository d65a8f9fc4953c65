"""From recorded tensors to programs: exact counts, splits, loop nests, addresses, tiles."""
