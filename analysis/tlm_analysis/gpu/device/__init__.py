"""GPUs: their constants (devices), and what no data sheet gives (assumptions)."""
