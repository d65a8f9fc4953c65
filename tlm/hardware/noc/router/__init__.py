"""The router model of the network: virtual-channel routers, stepped a cycle at a time.

In reading order: ``shape`` (what a router is built of), ``parts`` (ports, lanes, packets), ``mesh``
(routers joined), ``fabric`` (flits and credits, cycle by cycle), ``lanes`` and ``switch`` (its two
allocators), ``network`` (two fabrics under the kernel's clock), ``waits`` (what a stuck packet
waits for).
"""
