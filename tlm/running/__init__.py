"""One run, from what was asked to the files it leaves."""
