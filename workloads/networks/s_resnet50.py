"""s-resnet50: ResNet-50 (He et al., arXiv 1512.03385) on ImageNet, spikes ADDed as in SEW-ResNet.

SEW-ResNet: Fang et al., arXiv 2102.04159. The stride lies in the 3 x 3 convolution of a bottleneck
(as in torchvision); where a stage changes shape, the shortcut is a 1 x 1 convolution with norm and
neurons of its own.
"""

from tlm.workload.builder import Builder
from tlm.workload.model import Norm, Pool
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))

net = Builder((3, 224, 224), lif_neuron(), Norm("batch", 1e-5, per_step=False))
added = [net.conv(64, kernel=7, stride=2, padding=3, pool=Pool.square("max", 3, 2, 1))]
for channels, blocks in STAGES:
    for block in range(blocks):
        stride = 2 if block == 0 and channels > 64 else 1
        shortcut = added
        if block == 0:
            shortcut = [net.conv(4 * channels, kernel=1, stride=stride, sources=added)]
        net.conv(channels, kernel=1, sources=added)
        net.conv(channels, kernel=3, stride=stride, padding=1)
        added = [*shortcut, net.conv(4 * channels, kernel=1)]
net.linear(1000, sources=added, input_pool=Pool.square("average", 7, 7), readout=True)

NETWORK = Network(
    name="s-resnet50",
    layers=tuple(net.layers),
    batch=16,
    steps=4,
    encoding="direct",
    source="ResNet-50 at ImageNet shape, SEW ADD, LIF neurons",
)
