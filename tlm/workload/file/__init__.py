"""The file of a recorded job.

schema      names, version and limits
layout      which datasets a header calls for
fault       the form of every error about a file
attributes  attributes, read once they are known to be harmless
graph       the layer graph as JSON
header      attributes -> Workload
check       structure of an untrusted file, checked before its data are read
reader      file -> Workload, Recording, Values
writer      Workload, recordings, values -> file, atomically
"""
