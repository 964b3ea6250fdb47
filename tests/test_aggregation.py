"""`lgd_lib.aggregation`: the server's step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lgd_lib import Average
from lgd_lib.protocol import Message, PointAnswers


@given(arrays(float, (3, 2), elements=st.floats(-1e6, 1e6)), arrays(float, 3, elements=st.floats(0.01, 1)))
def test_the_average_is_the_weighted_mean_and_the_next_message(points, p):
    p = p / p.sum()
    average = Average()
    state, estimate, message = average.step(
        average.init(np.zeros(2)), 0, Message(np.zeros(2)), PointAnswers(points), np.arange(3), p
    )
    mean = [sum(p[i] * points[i, j] for i in range(3)) for j in range(2)]
    assert np.allclose(estimate, mean, rtol=1e-12, atol=1e-6)
    assert message.point is estimate
    assert message.scalars == {}
    assert state == {}


def test_weights_are_used_one_for_each_answer():
    answers = PointAnswers(np.array([[1.0, 0.0], [0.0, 1.0]]))
    _, estimate, _ = Average().step(
        {}, 0, Message(np.zeros(2)), answers, np.array([0, 4]), np.array([0.25, 0.75])
    )
    assert estimate.tolist() == [0.25, 0.75]
