"""What a recorded job looks like: densities, tables, and a whole check."""
