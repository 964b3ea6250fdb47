"""The same training of whole networks as a bare loop in torch: one module, no copies, nothing kept."""

import numpy as np
import torch


def bare_loop(problem, eta, L, batch_size, seed=0):
    """Yield w^k of Local-SGD: load the server's model, take L steps, add up.

    The network is used as it was built, normalisation layers in evaluation mode.
    """
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(problem.seed)
        module = problem.build()
    module.eval()
    parameters = list(module.parameters())
    server = [p.detach().clone() for p in parameters]
    k = 0
    while True:
        mean = [torch.zeros_like(p) for p in server]
        for i, node in enumerate(problem.nodes):
            with torch.no_grad():
                for p, start in zip(parameters, server, strict=True):
                    p.copy_(start)
            optimiser = torch.optim.SGD(parameters, lr=eta)
            for rows in drawn(node.N, batch_size, L, np.random.default_rng([seed, k, i])):
                optimiser.zero_grad()
                problem.loss(module(node.X[rows]), node.y[rows]).mean().backward()
                optimiser.step()
            with torch.no_grad():
                for total, p in zip(mean, parameters, strict=True):
                    total.add_(p, alpha=1 / problem.M)
        server, k = mean, k + 1
        yield torch.cat([p.reshape(-1) for p in server]).numpy()


def drawn(N, batch_size, L, stream):
    """The samples of L steps: a fresh permutation for each pass, cut into batches."""
    found = []
    while len(found) < L:
        order = torch.as_tensor(stream.permutation(N))
        found += order.split(batch_size)
    return found[:L]
