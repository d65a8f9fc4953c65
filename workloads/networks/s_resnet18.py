"""s-resnet18: ResNet-18 (He et al., arXiv 1512.03385) on ImageNet, spikes ADDed as in SEW-ResNet.

SEW-ResNet: Fang et al., arXiv 2102.04159. Where a stage changes shape, the shortcut is a strided
1 x 1 convolution with norm and neurons of its own.
"""

from tlm.workload.builder import Builder
from tlm.workload.model import Norm, Pool
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network

STAGES = ((64, 2), (128, 2), (256, 2), (512, 2))

net = Builder((3, 224, 224), lif_neuron(), Norm("batch", 1e-5, per_step=False))
added = [net.conv(64, kernel=7, stride=2, padding=3, pool=Pool.square("max", 3, 2, 1))]
for channels, blocks in STAGES:
    for block in range(blocks):
        stride = 2 if block == 0 and channels > 64 else 1
        shortcut = added
        if stride == 2:
            shortcut = [net.conv(channels, kernel=1, stride=2, sources=added)]
        net.conv(channels, kernel=3, stride=stride, padding=1, sources=added)
        added = [*shortcut, net.conv(channels, kernel=3, padding=1)]
net.linear(1000, sources=added, input_pool=Pool.square("average", 7, 7), readout=True)

NETWORK = Network(
    name="s-resnet18",
    layers=tuple(net.layers),
    batch=16,
    steps=4,
    encoding="direct",
    source="ResNet-18 at ImageNet shape, SEW ADD, LIF neurons",
)
