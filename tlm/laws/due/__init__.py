"""What a job asks of the chip, counted from shapes and masks by rules of its own."""
