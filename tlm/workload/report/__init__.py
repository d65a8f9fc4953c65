"""What a recorded job looks like.

density   shares of non-zero elements, by layer and step
describe  ``workload info``: the job, its layers and densities as tables
audit     ``workload check``: a whole job read, and rebuilt where it is exact
"""
