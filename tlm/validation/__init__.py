"""Our models beside trusted cycle-accurate ones: the measurements behind docs/validation.md."""
