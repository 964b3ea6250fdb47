"""The same fine-tuning of a last layer by others: a plain torch script, and Flower's simulation."""

import copy
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np


def torch_script(problem, eta, L, K):
    """K rounds of Local-GD as a paper's script has them: copies of a layer, SGD, the mean of state dicts."""
    import torch

    data = [(torch.tensor(node.X), torch.tensor(node.y, dtype=torch.int64)) for node in problem.nodes]
    layer = torch.nn.Linear(problem.d, problem.classes, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    for _ in range(K):
        answers = []
        for X, y in data:
            own = copy.deepcopy(layer)
            optimiser = torch.optim.SGD(own.parameters(), lr=eta)
            for _ in range(L):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(own(X), y).backward()
                optimiser.step()
            answers.append(own.state_dict())
        mean = {key: torch.stack([one[key] for one in answers]).mean(dim=0) for key in answers[0]}
        layer.load_state_dict(mean)
    return layer.weight.detach().numpy().ravel()


def flower(problem, eta, L, K, python):
    """(w^K, seconds of each round, version) by Flower's simulation, run by a Python that has it."""
    with TemporaryDirectory() as folder:
        work, answer = Path(folder) / "work.npz", Path(folder) / "answer.npz"
        X, y = (np.array([getattr(node, name) for node in problem.nodes]) for name in "Xy")
        np.savez(work, X=X, y=y.astype(np.int64), eta=eta, L=L, C=problem.classes, K=K)
        script = Path(__file__).with_name("flower_peer.py")
        words = [python, str(script), str(work), str(answer)]
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=900)
        with np.load(answer) as found:
            return found["W"].ravel(), found["rounds"], str(found["version"])
