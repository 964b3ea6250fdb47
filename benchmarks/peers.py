"""The scripts a paper would ship, to be measured against: plain numpy, and torch with autograd."""

import numpy as np


def numpy_rounds(problem, eta, L, K, w0):
    """Local-GD with squared loss as a loop over rounds, nodes and steps; returns w^K."""
    w = w0.copy()
    for _ in range(K):
        answers = []
        for node in problem.nodes:
            v = w.copy()
            for _ in range(L):
                v -= eta * (node.X.T @ (node.X @ v - node.y)) / node.N
            answers.append(v)
        w = np.mean(answers, axis=0)
    return w


def torch_rounds(problem, eta, L, K, w0):
    """The same with torch: autograd and an optimiser, one model for each node."""
    import torch

    data = [(torch.tensor(node.X), torch.tensor(node.y)) for node in problem.nodes]
    w = torch.tensor(w0)
    for _ in range(K):
        answers = []
        for X, y in data:
            v = w.clone().requires_grad_(True)
            optimiser = torch.optim.SGD([v], lr=eta)
            for _ in range(L):
                optimiser.zero_grad()
                (0.5 * (X @ v - y).square().mean()).backward()
                optimiser.step()
            answers.append(v.detach())
        w = torch.stack(answers).mean(dim=0)
    return w.numpy()
