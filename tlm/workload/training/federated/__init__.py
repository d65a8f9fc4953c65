"""FedAvg (McMahan et al., arXiv 1602.05629) of a recipe's network, trained and recorded.

split      the training data over the workers
upload     what of a difference is sent, and what stays behind (torch)
averaging  workers, rounds and the server's mean (torch)
recording  every variant trained, one folder written (torch)
"""
