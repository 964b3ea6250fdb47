"""Gradient steps on the logistic loss as a paper would ship them: plain numpy, and torch with autograd."""

import numpy as np


def numpy_rounds(problem, eta, L, K, w0):
    """Local-GD as a loop over rounds, nodes and steps; returns w^K."""
    w = w0.copy()
    for _ in range(K):
        answers = []
        for node in problem.nodes:
            v = w.copy()
            for _ in range(L):
                slope = 1 / (1 + np.exp(node.y * (node.X @ v)))
                v += eta / node.N * (node.X.T @ (node.y * slope))
            answers.append(v)
        w = np.mean(answers, axis=0)
    return w


def numpy_sgd(problem, eta, L, batch_size, seed):
    """One round of Local-SGD from zero, without replacement, as a loop over nodes, epochs and batches."""
    answers = []
    for i, node in enumerate(problem.nodes):
        rng, v, done = np.random.default_rng([seed, 0, i]), np.zeros(problem.d), 0
        while done < L:
            order = rng.permutation(node.N)
            for start in range(0, node.N, batch_size):
                if done < L:
                    X, y = (
                        node.X[order[start : start + batch_size]],
                        node.y[order[start : start + batch_size]],
                    )
                    v += eta / len(y) * (X.T @ (y / (1 + np.exp(y * (X @ v)))))
                    done += 1
        answers.append(v)
    return np.mean(answers, axis=0)


def torch_rounds(problem, eta, L, K, w0):
    """Local-GD with torch: autograd and an optimiser, one model for each node."""
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
                torch.nn.functional.softplus(-y * (X @ v)).mean().backward()
                optimiser.step()
            answers.append(v.detach())
        w = torch.stack(answers).mean(dim=0)
    return w.numpy()
