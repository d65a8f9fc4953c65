"""What stays in which memory, what goes through DRAM, and at which address."""
