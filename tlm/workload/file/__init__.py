"""The file of a recorded job.

schema      names, version and limits
layout      which datasets a header calls for
fault       the form of every error about a file
attributes  attributes, read once they are known to be harmless
json_reader  parsed JSON, value by value
glm_json    GLM neurons as JSON
graph       the layer graph as JSON
header      attributes -> Workload
check       structure of an untrusted file, checked before its data are read
inference   answers and registers of a job for inference
elements    one dataset, held against its checksum
mode        what a file may hold, by what the job was recorded for
reader      file -> Workload, Recording, Values
writer      Workload, recordings, values -> file, atomically
"""
