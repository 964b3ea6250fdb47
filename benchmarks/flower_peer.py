"""Flower's simulation on the last-layer work: ``python flower_peer.py work.npz answer.npz``.

The client is the plain torch script of `last_layer_peers`: a linear layer, SGD, all samples at once. Needs an
environment with Flower and torch, apart from the project's, because Flower fixes versions of what others
need too. To make one:

    python -m venv flower-env
    flower-env/bin/pip install "flwr[simulation]==1.41.*" torch==2.13.*

Give its Python to the benchmark as LGD_FLOWER_PYTHON.
"""

import os

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import sys
import time

import flwr
import numpy as np
import torch
from flwr.app import ArrayRecord, MetricRecord, RecordDict
from flwr.app.message import Message
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

WORK = sys.argv[1]
client, server = ClientApp(), ServerApp()


@client.train()
def train(message, context):
    """L full-batch steps on this client's samples."""
    torch.set_num_threads(1)
    with np.load(WORK) as work:
        i = int(context.node_config["partition-id"])
        X, y = torch.tensor(work["X"][i]), torch.tensor(work["y"][i])
        eta, L, C = float(work["eta"]), int(work["L"]), int(work["C"])
    model = torch.nn.Linear(X.shape[1], C, bias=False, dtype=torch.float64)
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimiser = torch.optim.SGD(model.parameters(), lr=eta)
    for _ in range(L):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(X), y).backward()
        optimiser.step()
    metrics = MetricRecord({"num-examples": len(X)})
    content = RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics})
    return Message(content=content, reply_to=message)


@server.main()
def main(grid, context):
    """K rounds; the time at which each of them was done, and the last model."""
    with np.load(WORK) as work:
        M, d, C, K = len(work["X"]), work["X"].shape[2], int(work["C"]), int(work["K"])
    times = [time.perf_counter()]

    def after(number, arrays):
        if number:
            times.append(time.perf_counter())
            W = arrays.to_torch_state_dict()["weight"].numpy()
            np.savez(sys.argv[2], W=W, rounds=np.diff(times), version=flwr.__version__)

    start = ArrayRecord({"weight": torch.zeros(C, d, dtype=torch.float64)})
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=M, min_available_nodes=M)
    strategy.start(grid=grid, initial_arrays=start, num_rounds=K, evaluate_fn=after)


if __name__ == "__main__":
    with np.load(WORK) as work:
        nodes = len(work["X"])
    resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    run_simulation(server, client, num_supernodes=nodes, backend_config=resources)
