"""What arguments of this folder may be: NumPy's numbers, positions in many forms, old keywords; and what is refused."""

from functools import partial

import numpy as np
import pytest
import torch
from information.linear_problem import problem
from torch import nn

from simplebits import information
from simplebits.information import (
    in_span,
    influence,
    jacobian,
    kernel,
    leave_one_out,
    linearised_training,
    retrain_without,
    sample_information,
    sgd_covariance,
    two_gaussians,
    unique_information,
    weight_information,
)


def data(n=5, d=3, k=1, m=2):
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in [(n, d), (n, k), (m, d)]]


LINE = nn.Linear(3, 1).double()


@pytest.mark.parametrize(
    "indices",
    [
        [3, 1], (3, 1), range(3, 0, -2), slice(3, 0, -2), np.array([3, 1]), np.array([3, 1], np.int32),
        torch.tensor([3, 1]), torch.tensor([3, 1]).short(),
    ],
)  # fmt: skip
def test_positions_come_in_many_forms(indices):
    x, y, x_val = data()
    for scores in (
        partial(influence, LINE, x, y, x_val, method="exact"),
        partial(retrain_without, LINE, x, y, x_val, 0.1, 3),
    ):
        chosen = scores(indices=indices)
        assert chosen.indices.tolist() == [3, 1]
        torch.testing.assert_close(chosen.weights, scores().weights[[3, 1]])


@pytest.mark.parametrize("mask", [[False, True, False, True, False], np.arange(5) % 2 == 1, torch.arange(5) % 2 == 1])
def test_a_mask_says_which_samples(mask):
    x, y, x_val = data()
    assert retrain_without(LINE, x, y, x_val, 0.1, 3, indices=mask).indices.tolist() == [1, 3]


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        (
            torch.tensor([3, 1], dtype=torch.uint8),
            ValueError,
            "got dtype uint8, which may be a mask or positions; conv",
        ),
        (np.array([1, 1, 0, 0, 1], np.uint8), ValueError, "got dtype uint8, which may be a mask or positions"),
        ([True, False], ValueError, "a mask needs one value for each of 5, got 2"),
        ([False] * 5, ValueError, r"must lie in 0 .. 4 for 5 samples, at least one of them, got \[\]"),
        ([-1], ValueError, r"must lie in 0 .. 4 for 5 samples, at least one of them, got \[-1\]"),
        (slice(7, 9), ValueError, r"must lie in 0 .. 4 for 5 samples, at least one of them, got \[\]"),
        (3, TypeError, "expected a sequence, got int"),
        ("01", TypeError, "expected a sequence, got str"),
        ([[0, 1]], ValueError, r"expected one axis of places, got shape \[1, 2\]"),
        ([0, 5], ValueError, "positions of 5 end at 4, got 0 .. 5"),
    ],
)
def test_bytes_and_places_that_do_not_exist_are_refused(indices, error, message):
    x, y, x_val = data()
    for scores in (
        partial(influence, LINE, x, y, x_val, method="exact"),
        partial(retrain_without, LINE, x, y, x_val, 0.1, 3),
    ):
        with pytest.raises(error, match=f"^indices: {message}"):
            scores(indices=indices)


def test_numpys_numbers_are_numbers():
    p, (x, y, x_val) = problem(), data()
    half, whole, quarter = np.float32(0.5), np.int64(4), torch.tensor(0.25)
    scores = sample_information(*p.arguments, half, whole, quarter, precision=np.float64(1e-8), half=np.bool_(True))
    plain = sample_information(*p.arguments, 0.5, 4, 0.25, precision=1e-8)
    assert torch.equal(scores.weights, plain.weights)
    rows = leave_one_out(p.kernel, p.targets, p.f0, half, whole, quarter)
    assert torch.equal(rows, leave_one_out(p.kernel, p.targets, p.f0, 0.5, 4, 0.25))
    ends = retrain_without(LINE, x, y, x_val, half, whole, quarter, together=np.int32(2))
    assert torch.equal(ends.weights, retrain_without(LINE, x, y, x_val, 0.5, 4, 0.25, together=2).weights)
    guess = influence(LINE, x, y, x_val, half, method="exact", damping=quarter, chunk=whole)
    assert torch.equal(guess.weights, influence(LINE, x, y, x_val, 0.5, method="exact", damping=0.25, chunk=4).weights)
    assert torch.equal(kernel(LINE, x, coordinates=whole, seed=np.int64(3)), kernel(LINE, x, coordinates=4, seed=3))


def test_numpys_numbers_make_a_checkpoint_that_plain_ones_resume(tmp_path):
    x, y, x_val = data()
    first = retrain_without(LINE, x, y, x_val, np.float64(0.5), np.int64(3), checkpoint=tmp_path / "ends")
    assert torch.equal(retrain_without(LINE, x, y, x_val, 0.5, 3, checkpoint=tmp_path / "ends").weights, first.weights)


def test_the_old_name_of_the_network_warns():
    x, y, x_val = data()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3, 1)).double()
    training = linearised_training(kernel(LINE, x), y, 0 * y, 0.1, 3)
    for call in (
        partial(kernel, x=x),
        partial(jacobian, x=x),
        partial(influence, x=x, targets=y, x_val=x_val),
        partial(retrain_without, x=x, targets=y, x_val=x_val, learning_rate=0.1, steps=2),
        partial(in_span, x=x, x_val=x_val),
        partial(training.weights, x=x),
    ):
        network = flat if call.func is in_span else LINE
        with pytest.warns(DeprecationWarning, match="model= is called network= now"):
            call(model=network)


@pytest.mark.unchecked
def test_every_public_function_has_a_door():
    results = {"Influence", "LinearisedTraining", "Retrained", "SampleInformation", "UniqueInformation"}
    for name in set(information.__all__) - results:
        public = getattr(information, name)
        entered = public.__init__ if isinstance(public, type) else public
        assert hasattr(entered, "__door__"), name


@pytest.mark.unchecked
def test_examples_that_the_network_does_not_take_are_named():
    embedding = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(6, 1)).double()
    y, wide = data()[1], torch.ones(5, 4, dtype=torch.float64)
    for call in (
        partial(kernel, LINE, wide),
        partial(jacobian, LINE, wide),
        partial(influence, LINE, wide, y, wide),
        partial(retrain_without, LINE, wide, y, wide, 0.1, 2),
        partial(kernel, embedding, torch.tensor([[9, 0]])),
        partial(kernel, LINE, torch.ones(5, 3, dtype=torch.int64)),
    ):
        with pytest.raises(
            ValueError, match=r"^x: the network takes no examples \[\d\] of torch\.\w+ \(.*\); give others"
        ):
            call()


@pytest.mark.unchecked
def test_what_torch_cannot_do_is_refused_with_a_sentence():
    x, y, x_val = data()
    p, draw = problem(n=6, d=4), torch.Generator()
    with pytest.raises(ValueError, match="^jacobian: expected float32 or float64, got dtype torch.float16; convert"):
        sgd_covariance(p.J.half(), p.J.half(), 0.1, 2)
    with pytest.raises(ValueError, match="^covariance: expected float32 or float64, got dtype torch.bfloat16"):
        weight_information(p.J, torch.eye(4).bfloat16())
    dead = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    nn.init.zeros_(dead[0].weight)
    nn.init.zeros_(dead[0].bias)
    with pytest.raises(
        ValueError, match="^method='exact': the Hessian plus damping is singular; give a larger damping"
    ):
        influence(dead, x, y, x_val, method="exact", damping=0.0)
    nn.init.zeros_(dead[2].weight)
    dead[2].bias.requires_grad_(False)
    with pytest.raises(ValueError, match="^method='gauss-newton': J'J plus damping is singular"):
        influence(dead, x, y, x_val, method="gauss-newton", damping=0.0)
    points, signs = two_gaussians(6, draw)
    for redraw in (lambda n, _: (points[:1], signs[:1]), lambda n, _: None, lambda n, _: ([[0.0, 0.0]] * n, [1.0] * n)):
        with pytest.raises(ValueError, match=r"^redraw: expected inputs and targets of shapes \[\(4, 2\), \(4,\)\]"):
            unique_information(points, signs, 0, redraw, draw, runs=5, redraws=4, epochs=1)
    with pytest.raises(
        ValueError, match=r"^both: expected \[n, 4\] of torch.float64 on cpu, as in_span .* got \[5, 3\]"
    ):
        in_span(nn.Sequential(nn.Flatten(), nn.Linear(3, 1)).double(), x, x_val)[0](x)
