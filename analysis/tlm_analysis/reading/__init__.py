"""The files that a run leaves, read and checked.

run_dir    the folder: summary, manifest, chip values
energy     the energy table
coverage   which part of its run a trace covers
windows    equal windows over that part
frames     tables as pandas frames
"""
