"""The router model of the network: virtual-channel routers, stepped a cycle at a time."""
