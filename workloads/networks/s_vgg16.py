"""s-vgg16: VGG-16 (Simonyan and Zisserman, arXiv 1409.1556, D) on ImageNet, with LIF neurons."""

from tlm.workload.builder import Builder
from tlm.workload.model import Norm, Pool
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network

CHANNELS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

net = Builder((3, 224, 224), lif_neuron(), Norm("batch", 1e-5, per_step=False))
for block in CHANNELS:
    for channels in block[:-1]:
        net.conv(channels, kernel=3, padding=1)
    net.conv(block[-1], kernel=3, padding=1, pool=Pool.square("max", 2, 2))
net.linear(4096)
net.linear(4096)
net.linear(1000, readout=True)

NETWORK = Network(
    name="s-vgg16",
    layers=tuple(net.layers),
    batch=16,
    steps=4,
    encoding="direct",
    source="VGG-16 with batch norm at ImageNet shape, LIF neurons",
)
