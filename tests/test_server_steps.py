"""`ServerStep`, `HeavyBall`, `OuterNesterov` and `ConjugateGradient` against plain twins."""

import math
from itertools import islice

import numpy as np
import plain
import pytest
from instances import close, every_kind, few_kinds, iterates, make, step_limits
from scipy.sparse.linalg import cg

from lgd_lib import (
    Average,
    Bernoulli,
    ConjugateGradient,
    ExactProjection,
    GradientSteps,
    HeavyBall,
    History,
    OuterNesterov,
    ServerStep,
    Subset,
    record,
    rounds,
)
from lgd_lib.synthetic import gaussian_regression
from lgd_lib.theory import averaged_projector_spectrum, best_heavy_ball, best_nesterov, best_server_step

STEPS = (ServerStep(1.3), HeavyBall(0.9, 0.4), OuterNesterov(0.7, 0.6), ConjugateGradient())
by_name = pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)


def answers_mean(problem, w, eta, L, weights=None, active=None):
    """The mean of the active nodes' answers to w, by loops."""
    rounds_of_one = plain.local_gd(problem, w, 1, eta, L, weights, None if active is None else [active])
    return rounds_of_one[0][0]


def plain_server_step(mean, w0, K, beta):
    points = [np.array(w0)]
    for _ in range(K):
        points.append(points[-1] + beta * (mean(points[-1]) - points[-1]))
    return np.array(points[1:])


def plain_heavy_ball(mean, w0, K, beta, momentum):
    points = [np.array(w0), np.array(w0)]
    for _ in range(K):
        w, previous = points[-1], points[-2]
        points.append(w + beta * (mean(w) - w) + momentum * (w - previous))
    return np.array(points[2:])


def plain_conjugate_gradients(A, b, x, K):
    """The textbook's iterates x_0..x_{K-1} for A x = b."""
    points, r = [np.array(x)], b - A @ x
    p = r
    for _ in range(K - 1):
        alpha = (r @ r) / (p @ A @ p)
        points.append(points[-1] + alpha * p)
        following = r - alpha * A @ p
        p = following + (following @ following) / (r @ r) * p
        r = following
    return np.array(points)


def linear_system(problem, eta, L, weights=None):
    """A and b with mean(w) = w + b - A w."""
    A = plain.averaged_projector(problem, L, eta, weights)
    return A, answers_mean(problem, np.zeros(problem.d), eta, L, weights)


@every_kind
@pytest.mark.parametrize("L", [3, math.inf])
def test_server_step_and_heavy_ball_are_their_formulas(name, seed, L):
    problem, w0 = make(name, seed)
    eta, weights = step_limits(problem).min() / 2, np.linspace(1, 2, problem.M)
    eta = min(eta, 1e6)  # rows of zeros bound nothing
    solver = GradientSteps(eta, L)

    def mean(w):
        return answers_mean(problem, w, eta, L, weights)

    found = iterates(rounds(problem, solver, ServerStep(1.4), w0, weights=weights), 6)
    assert close(found, plain_server_step(mean, w0, 6, 1.4))
    found = iterates(rounds(problem, solver, HeavyBall(0.8, 0.5), w0, weights=weights), 6)
    assert close(found, plain_heavy_ball(mean, w0, 6, 0.8, 0.5))


@few_kinds
def test_outer_nesterov_is_that_of_torch(name, seed):
    torch = pytest.importorskip("torch")
    problem, w0 = make(name, seed)
    eta = step_limits(problem).min() / 3
    found = iterates(rounds(problem, GradientSteps(eta, 5), OuterNesterov(0.7, 0.9), w0), 15)
    w = torch.nn.Parameter(torch.tensor(w0))
    server = torch.optim.SGD([w], lr=0.7, momentum=0.9, nesterov=True)
    for k in range(15):
        now = w.detach().numpy().copy()
        w.grad = torch.tensor(now - answers_mean(problem, now, eta, 5))
        server.step()
        assert close(found[k], w.detach().numpy())


@few_kinds
@pytest.mark.parametrize("participation", [Subset(1), Bernoulli(0.4)])
def test_momentum_goes_on_where_nodes_are_absent(name, seed, participation):
    problem, w0 = make(name, seed)
    eta = step_limits(problem).min() / 2
    run = rounds(
        problem, GradientSteps(eta, 4), HeavyBall(0.9, 0.5), w0, participation=participation, seed=seed
    )
    w = previous = np.array(w0)
    for r in islice(run, 12):
        if r.active.size:  # nobody there: the message is repeated, and nothing moves
            move = answers_mean(problem, w, eta, 4, active=r.active) - w
            w, previous = w + 0.9 * move + 0.5 * (w - previous), w
        assert close(r.w, w)


@every_kind
def test_special_cases_are_the_average(name, seed):
    problem, w0 = make(name, seed)
    average = iterates(rounds(problem, ExactProjection(), Average(), w0), 5)
    for step in (ServerStep(1.0), HeavyBall(1.0, 0.0), OuterNesterov(1.0, 0.0)):
        assert close(iterates(rounds(problem, ExactProjection(), step, w0), 5), average, 1e-12)


@few_kinds
@pytest.mark.parametrize("L", [1, 7, math.inf])
def test_conjugate_gradients_are_the_textbooks(name, seed, L):
    problem, w0 = make(name, seed)
    eta, weights = step_limits(problem).min() / 2, np.linspace(1, 2, problem.M)
    found = iterates(rounds(problem, GradientSteps(eta, L), ConjugateGradient(), w0, weights=weights), 4)
    A, b = linear_system(problem, eta, L, weights)
    distinct = np.unique(plain.spectrum(problem, L, eta, weights).round(6)).size
    if distinct >= 4:  # with fewer the answer is reached, and the rest is rounding
        assert close(found, plain_conjugate_gradients(A, b, w0, 4), 1e-8)


def test_conjugate_gradients_are_scipys():
    problem, w0 = make("plain", 9)
    eta = step_limits(problem).min() / 2
    found = iterates(rounds(problem, GradientSteps(eta, 3), ConjugateGradient(), w0), 7)
    A, b = linear_system(problem, eta, 3)
    points = [w0]
    cg(A, b, x0=w0, rtol=0.0, atol=0.0, maxiter=6, callback=lambda x: points.append(x.copy()))
    assert close(found, points, 1e-8)


@every_kind
def test_conjugate_gradients_end_after_as_many_rounds_as_there_are_eigenvalues(name, seed):
    problem, w0 = make(name, seed)
    values = averaged_projector_spectrum(problem, math.inf)
    distinct = 1 + int((np.diff(values) > 1e-9).sum())
    last = iterates(rounds(problem, ExactProjection(), ConjugateGradient(), w0), distinct + 3)[-1]
    assert close(last, plain.nearest_interpolator(problem, w0), 1e-6)


def test_conjugate_gradients_go_on_until_rounding():
    problem = gaussian_regression(10, 10, 150, seed=0)
    answer = plain.nearest_interpolator(problem, np.zeros(150))
    points = iterates(rounds(problem, GradientSteps(0.04, 3), ConjugateGradient(), np.zeros(150)), 400)
    assert close(points[-1], answer, 1e-11)


def test_the_estimate_of_conjugate_gradients_is_not_the_point_that_is_sent():
    problem, w0 = make("plain", 1)
    first, second = islice(rounds(problem, ExactProjection(), ConjugateGradient(), w0), 2)
    assert np.array_equal(first.sent, w0)
    assert np.array_equal(first.w, w0)
    assert close(second.sent, answers_mean(problem, w0, 1.0, math.inf))
    assert not close(second.w, second.sent, 1e-3)


def test_conjugate_gradients_stay_at_the_answer():
    problem, _ = make("plain", 2)
    answer = plain.nearest_interpolator(problem, np.zeros(problem.d))
    for start in (answer, np.zeros(problem.d)):
        points = iterates(rounds(problem, ExactProjection(), ConjugateGradient(), start), 60)
        assert close(points[-1], answer, 1e-12)
        assert np.isfinite(points).all()


@every_kind
def test_best_steps_have_the_same_limit_and_their_rates(name, seed):
    problem, w0 = make(name, seed)
    spectrum = averaged_projector_spectrum(problem, math.inf)
    answer = plain.nearest_interpolator(problem, w0)
    size = max(np.linalg.norm(answer), np.linalg.norm(w0))
    for best in (best_server_step, best_heavy_ball, best_nesterov):
        step, rate = best(spectrum)
        K = 60 if rate < 1e-6 else min(4000, math.ceil(1.5 * math.log(1e-13) / math.log(rate)))
        errors = np.linalg.norm(iterates(rounds(problem, ExactProjection(), step, w0), K) - answer, axis=1)
        if rate ** (K / 1.5) < 1e-12:
            assert errors[-1] <= 1e-9 * size, (step, rate)
        if best is best_server_step:
            k = np.arange(1, K + 1)
            bound = rate**k * np.linalg.norm(w0 - answer)
            assert (errors <= bound + 1e-10 * size).all()


@pytest.mark.parametrize("best", [best_heavy_ball, best_nesterov])
def test_the_asymptotic_rate_is_that_of_the_iterations_own_matrix(best):
    spectrum = np.geomspace(0.02, 0.9, 7)
    step, rate = best(spectrum)

    def radius(value):  # w^{k+1} and w^k from w^k and w^{k-1}, in a direction of that eigenvalue
        if best is best_heavy_ball:
            first, second = 1 + step.momentum - step.beta * value, -step.momentum
        else:  # y = w + momentum (w - previous), w = y - lr value y
            shrink = 1 - step.lr * value
            first, second = (1 + step.momentum) * shrink, -step.momentum * shrink
        return np.abs(np.linalg.eigvals([[first, second], [1, 0]])).max()

    assert max(map(radius, spectrum)) == pytest.approx(rate, abs=1e-6)


def test_the_best_server_step_cannot_be_improved():
    spectrum = np.array([0.1, 0.3, 0.7])
    step, rate = best_server_step(spectrum)
    worst = {
        beta: np.abs(1 - beta * spectrum).max() for beta in (step.beta, 0.99 * step.beta, 1.01 * step.beta)
    }
    assert min(worst, key=worst.get) == step.beta
    assert worst[step.beta] == pytest.approx(rate, rel=1e-12)


@by_name
def test_a_saved_run_goes_on_with_the_same_bits(step, tmp_path):
    problem, w0 = make("unequal sizes", 1)

    def start(state=None):
        return rounds(problem, GradientSteps(0.1, 3), step, w0, state=state)

    whole = [r.w for r in islice(start(), 9)]
    record(start(), {"w": lambda r: r.w}, K=4, path=tmp_path / "run.npz")
    history = History.load(tmp_path / "run.npz")
    assert np.array_equal(history["w"], whole[:4])
    assert np.array_equal([r.w for r in islice(start(history.state), 5)], whole[4:])


@by_name
def test_a_step_changes_nothing_that_it_was_given(step):
    problem, w0 = make("plain", 3)
    kept = w0.copy()
    states = [r.state for r in islice(rounds(problem, ExactProjection(), step, w0), 4)]
    before = {k: v.copy() for k, v in states[1].aggregation.items()}
    next(rounds(problem, ExactProjection(), step, w0, state=states[1]))
    assert np.array_equal(w0, kept)
    assert all(np.array_equal(before[k], v) for k, v in states[1].aggregation.items())


@pytest.mark.parametrize("bad", [0.0, -1.0, math.inf, math.nan])
def test_steps_that_are_not_positive_are_refused(bad):
    for make_step, name in (
        (ServerStep, "beta"),
        (lambda b: HeavyBall(b, 0.5), "beta"),
        (lambda b: OuterNesterov(b, 0.5), "lr"),
    ):
        with pytest.raises(ValueError, match=rf"{name} was {bad!r}; it must be positive and finite"):
            make_step(bad)


@pytest.mark.parametrize("bad", [1.0, -0.1, 2.0, math.nan])
def test_momentum_outside_its_range_is_refused(bad):
    for make_step in (HeavyBall, OuterNesterov):
        with pytest.raises(ValueError, match=rf"momentum was {bad!r}; it must be at least 0 and below 1"):
            make_step(1.0, bad)


@pytest.mark.parametrize("best", [best_server_step, best_heavy_ball, best_nesterov])
@pytest.mark.parametrize("bad", [[], [0.0, 1.0], [-0.1, 0.5]])
def test_a_spectrum_that_is_none_is_refused(best, bad):
    with pytest.raises(ValueError, match=r"spectrum was .* must hold positive eigenvalues"):
        best(bad)


def test_conjugate_gradients_refuse_changing_participation():
    problem, w0 = make("plain", 4)

    def in_turn(k, M, rng):
        return np.array([k % M])

    run = rounds(problem, ExactProjection(), ConjugateGradient(), w0, participation=in_turn)
    next(run)
    with pytest.raises(ValueError, match="participation changed to the nodes"):
        next(run)
    same = rounds(problem, ExactProjection(), ConjugateGradient(), w0, participation=lambda k, M, rng: [0, 2])
    assert len(list(islice(same, 5))) == 5


def test_conjugate_gradients_refuse_changing_weights():
    problem, w0 = make("plain", 4)
    state = next(rounds(problem, ExactProjection(), ConjugateGradient(), w0, weights=[1, 2, 3])).state
    run = rounds(problem, ExactProjection(), ConjugateGradient(), w0, weights=[1, 2, 4], state=state)
    with pytest.raises(ValueError, match="same weights in every round"):
        next(run)
