"""The same margin problems by others: cvxpy as a script would use it, and in its fastest correct form."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import cvxpy as cp
import numpy as np

from lgd_lib.margins import signed_rows


def cvxpy_script(problem, w0, K):
    """K anchored rounds: each node's projection is a new cvxpy problem in the original variables."""
    w = w0
    for k in range(K):
        answers = []
        for node in problem.nodes:
            v = cp.Variable(problem.d)
            cp.Problem(cp.Minimize(cp.sum_squares(v - w)), [signed_rows(node) @ v >= 1]).solve()
            answers.append(v.value)
        w = (1 - 1 / (k + 2)) * np.mean(answers, axis=0) + w0 / (k + 2)
    return w


class CvxpyReduced:
    """Anchored rounds by cvxpy at its fastest: in the row space of each node, parametrised, DAQP."""

    def __init__(self, problem):
        self.nodes = []
        for node in problem.nodes:
            Q, R = np.linalg.qr(signed_rows(node).T)
            u, gaps = cp.Variable(R.shape[1]), cp.Parameter(node.N)
            asked = cp.Problem(cp.Minimize(cp.sum_squares(u) / 2), [R.T @ u >= gaps])
            self.nodes.append((signed_rows(node), Q, u, gaps, asked))

    def run(self, w0, K):
        """w^K."""
        w = w0
        for k in range(K):
            answers = []
            for Z, Q, u, gaps, asked in self.nodes:
                gaps.value = 1 - Z @ w
                asked.solve(solver=cp.DAQP)
                answers.append(w + Q @ u.value)
            w = (1 - 1 / (k + 2)) * np.mean(answers, axis=0) + w0 / (k + 2)
        return w


def cvxpy_max_margin(Z, solver):
    """The max-margin vector by cvxpy in the original variables, with the solver's defaults."""
    w = cp.Variable(Z.shape[1])
    cp.Problem(cp.Minimize(cp.sum_squares(w) / 2), [Z @ w >= 1]).solve(solver=solver)
    return w.value


def svc_max_margin(Z, python):
    """(w, seconds) by scikit-learn's SVC, run by the Python of an environment that has scikit-learn."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, Z)
        script = Path(__file__).with_name("svc_peer.py")
        words = [python, str(script), str(path), str(path)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        return np.load(path), float(done.stdout)


def kkt_residual(Z, w, a):
    """The largest violation of the conditions of max-margin, relative, rows scaled to norm 1."""
    norms = np.linalg.norm(Z, axis=1)
    size, weight = np.linalg.norm(w), np.abs(a * norms).max()
    slack = (Z @ w - 1) / norms
    complementarity = np.abs(a * norms * slack).max() / weight
    return float(max(-slack.min(), np.linalg.norm(w - a @ Z), complementarity) / size)
