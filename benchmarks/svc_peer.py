"""scikit-learn's SVC as a hard-margin solver: ``python svc_peer.py rows.npy answer.npy`` prints its seconds.

SVC fits an offset, which is another problem; on the rows and their mirror images, with opposite labels, the
offset is zero. Needs an environment with numpy and scikit-learn, apart from the project's:
``python -m venv sklearn-env && sklearn-env/bin/pip install scikit-learn``; give its Python to the benchmark
as LGD_SKLEARN_PYTHON.
"""

import sys
import time

import numpy as np
from sklearn.svm import SVC


def main(rows, answer):
    """Read Z, write w."""
    Z = np.load(rows)
    start = time.perf_counter()
    both = np.concatenate([Z, -Z])
    labels = np.repeat([1.0, -1.0], len(Z))
    machine = SVC(C=1e10, kernel="precomputed", tol=1e-9).fit(both @ both.T, labels)
    w = machine.dual_coef_[0] @ both[machine.support_]
    print(time.perf_counter() - start)
    np.save(answer, w)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
