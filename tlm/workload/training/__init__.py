"""Train a bundled recipe and record it (torch but for ``record`` and ``datasets``).

record     the command: recipe name -> file
datasets   MNIST, digits, CIFAR-10 and N-MNIST
torchnet   the recipe's network as a torch module
lif        its neurons
scaling    its initial weights
loop       the training loop, which records the first, middle and last iteration
federated  FedAvg of N workers
retention  a network that learns one spike pattern
glm        networks of GLM neurons
"""
