"""Leaving one out by brute force: against a plain loop, against closed forms, through a kill, and wrong input."""

import pytest
import torch
from torch import nn

from simplebits.information import kernel, retrain_without, retraining, sample_information
from simplebits.information.weights import WeightFunction


def data(n=6, d=3, k=2, m=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    shapes = [(n, d), (n, k), (m, d)]
    return [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes]


def network(d=3, k=2, seed=0):
    layers = nn.Sequential(nn.Linear(d, 5), nn.Tanh(), nn.Linear(5, k)).double()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in layers.parameters():
            p.copy_(0.7 * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return layers


def explicit(model, x, y, x_val, rate, steps, decay):
    """Plain training of a copy: its final weights and outputs."""
    copy = network(x.shape[1], y.shape[1])
    copy.load_state_dict(model.state_dict())
    start = [p.detach().clone() for p in copy.parameters()]
    for _ in range(steps):
        loss = 0.5 * (copy(x) - y).square().sum(1).mean()
        loss = loss + decay / 2 * sum((p - s).square().sum() for p, s in zip(copy.parameters(), start, strict=True))
        copy.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in copy.parameters():
                p -= rate * p.grad
    return torch.cat([p.detach().flatten() for p in copy.parameters()]), copy(x_val).detach()


@pytest.mark.parametrize("together", [1, 4, None])
@pytest.mark.parametrize(("decay", "rescale"), [(0.0, True), (0.3, True), (0.3, False)])
def test_equals_a_plain_loop(together, decay, rescale):
    (x, y, x_val), model = data(), network()
    result = retrain_without(model, x, y, x_val, 0.2, 30, decay, together=together, rescale_decay=rescale)
    w, f = explicit(model, x, y, x_val, 0.2, 30, decay)
    near = {"rtol": 1e-10, "atol": 0}
    torch.testing.assert_close(result.predictions, f, **near)
    for i in range(len(x)):
        kept = torch.arange(len(x)) != i
        decay_without = decay if rescale else decay * 6 / 5
        w_without, f_without = explicit(model, x[kept], y[kept], x_val, 0.2, 30, decay_without)
        torch.testing.assert_close(result.weights[i], 0.5 * (w_without - w).square().sum(), **near)
        torch.testing.assert_close(result.functional[i], 0.5 * (f_without - f).square().sum(1).mean(), **near)
        torch.testing.assert_close(result.predictions_without[i], f_without, **near)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("half", [True, False])
def test_equals_the_scores_of_a_linear_model(decay, half):
    x, y, x_val = data(n=12, d=5, k=3)
    line = nn.Linear(5, 3).double()
    with torch.no_grad():
        f0, f0_val = line(x), line(x_val)
    wanted = sample_information(
        kernel(line, x), kernel(line, x_val, x), y, f0, f0_val, 0.1, 200, decay, half=half, precision=1e-12
    )
    result = retrain_without(line, x, y, x_val, 0.1, 200, decay, half=half, rescale_decay=False)
    for name in ("functional", "weights"):
        score = getattr(wanted, name)
        torch.testing.assert_close(getattr(result, name), score, rtol=0, atol=1e-8 * float(score.max()))


def test_chosen_indices_in_their_order():
    (x, y, x_val), model = data(), network()
    everyone = retrain_without(model, x, y, x_val, 0.2, 10)
    chosen = retrain_without(model, x, y, x_val, 0.2, 10, indices=[4, 1])
    assert chosen.indices.tolist() == [4, 1]
    torch.testing.assert_close(chosen.weights, everyone.weights[[4, 1]])
    torch.testing.assert_close(chosen.predictions_without, everyone.predictions_without[[4, 1]])


def test_equal_samples_have_equal_scores_and_a_perfectly_predicted_one_tells_nothing():
    (x, y, x_val), model = data(), network()
    x[3], y[3] = x[1], y[1]
    result = retrain_without(model, x, y, x_val, 0.2, 20)
    torch.testing.assert_close(result.weights[3], result.weights[1])
    with torch.no_grad():
        fitted = model(x)
    assert float(retrain_without(model, x, fitted, x_val, 0.2, 20).weights.max()) == 0.0


def test_the_model_is_left_as_it_was():
    x, y, x_val = data(k=1)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1)).double().train()
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = retrain_without(model, x, y, x_val, 0.1, 5)
    again = retrain_without(model, x, y, x_val, 0.1, 5)
    assert torch.equal(first.functional, again.functional)  # no dropout, no batch statistics
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert model.training and not model[2].training
    assert all(p.grad is None for p in model.parameters())


def test_frozen_weights_stay():
    (x, y, x_val), model = data(), network()
    model[0].requires_grad_(False)
    result = retrain_without(model, x, y, x_val, 0.2, 20)
    features = model[:2]
    with torch.no_grad():
        alone = retrain_without(model[2], features(x), y, features(x_val), 0.2, 20)
    torch.testing.assert_close(result.weights, alone.weights)


def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch):
    (x, y, x_val), model, file = data(), network(), tmp_path / "loo.safetensors"
    how = {"together": 2, "checkpoint": file}
    whole = retrain_without(model, x, y, x_val, 0.2, 10, together=2)
    calls, descend = [], retraining.descend

    def counted(f, x, targets, without, *rest):
        calls.append(without.tolist())
        if len(calls) == 3:
            raise KeyboardInterrupt
        return descend(f, x, targets, without, *rest)

    monkeypatch.setattr(retraining, "descend", counted)
    with pytest.raises(KeyboardInterrupt):
        retrain_without(model, x, y, x_val, 0.2, 10, **how)
    resumed = retrain_without(model, x, y, x_val, 0.2, 10, **how)
    assert calls == [[-1, 0], [1, 2], [3, 4], [3, 4], [5]]
    assert torch.equal(resumed.weights, whole.weights) and torch.equal(resumed.functional, whole.functional)
    with pytest.raises(ValueError, match="belongs to another training: steps=10 there, 11 here"):
        retrain_without(model, x, y, x_val, 0.2, 11, **how)
    relu = nn.Sequential(model[0], nn.ReLU(), model[2])
    with pytest.raises(ValueError, match="belongs to another training: network="):
        retrain_without(relu, x, y, x_val, 0.2, 10, **how)
    y[0] += 1
    with pytest.raises(ValueError, match="belongs to another training: data="):
        retrain_without(model, x, y, x_val, 0.2, 10, **how)


@pytest.mark.parametrize("change", ["running statistics", "frozen weights", "frozen layer"])
def test_a_checkpoint_of_another_network_is_refused(tmp_path, change):
    x, y, x_val = data(k=1)
    model, file = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double(), tmp_path / "loo"
    model[0].weight.requires_grad_(False)
    retrain_without(model, x, y, x_val, 0.1, 2, checkpoint=file)
    if change == "running statistics":
        model[1].running_mean += 1
    elif change == "frozen weights":
        model[0].weight += 1
    else:
        model[2].requires_grad_(False)
    with pytest.raises(ValueError, match="belongs to another training: (network|weights)="):
        retrain_without(model, x, y, x_val, 0.1, 2, checkpoint=file)


def test_whole_numbers_are_what_an_embedding_takes():
    _, y, _ = data(k=1)
    x, x_val = torch.arange(12).view(6, 2), torch.tensor([[0, 3]])
    model = nn.Sequential(nn.Embedding(12, 3), nn.Flatten(), nn.Linear(6, 1)).double()
    with torch.no_grad():
        f0, f0_val = model(x), model(x_val)
    scores = sample_information(kernel(model, x), kernel(model, x_val, x), y, f0, f0_val, 0.01, 1, half=True)
    for together in (1, 4):  # one step moves a network as it moves its linearisation
        result = retrain_without(model, x, y, x_val, 0.01, 1, together=together)
        torch.testing.assert_close(result.weights, scores.weights)


def test_as_many_together_as_fit_into_memory(monkeypatch):
    (x, y, x_val), model, together = data(), network(), []
    each, descend = retraining.bytes_of_one(WeightFunction(model), x), retraining.descend
    wide = retraining.bytes_of_one(WeightFunction(model), torch.cat([x, x]))
    assert wide - each == 4 * 6 * 8 * (3 + 5 + 2)  # of each sample: what comes in, the hidden layer, what goes out

    def counted(f, x, targets, without, *rest):
        together.append(len(without))
        return descend(f, x, targets, without, *rest)

    monkeypatch.setattr(retraining, "descend", counted)
    monkeypatch.setattr("simplebits.information.memory.available", lambda device: 4.5 * each)
    retrain_without(model, x, y, x_val, 0.2, 2)
    assert together == [2, 2, 2, 1]
    with pytest.raises(ValueError, match="together=5 trainings with 6 samples needs .* give a smaller together="):
        retrain_without(model, x, y, x_val, 0.2, 2, together=5)
    monkeypatch.setattr("simplebits.information.memory.available", lambda device: 0.5 * each)
    with pytest.raises(ValueError, match="together=1 trainings .* take fewer samples or a smaller network"):
        retrain_without(model, x, y, x_val, 0.2, 2)


def test_a_diverging_rate_names_the_largest_stable_one():
    x, y, x_val = data(k=1)
    line = nn.Linear(3, 1).double()
    ones = torch.cat([x, torch.ones(6, 1, dtype=x.dtype)], 1)
    stable = 2 / (float(torch.linalg.eigvalsh(ones.T @ ones / 6)[-1]) + 0.5)
    with pytest.raises(FloatingPointError, match=rf"the network is stable below {stable:.3g}"):
        retrain_without(line, x, y, x_val, 100.0, 2000, 0.5)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets": torch.zeros(6, dtype=torch.float64)}, ValueError, r"targets\[:, None\]"),
        ({"targets": torch.zeros(6, 3, dtype=torch.float64)}, ValueError, r"shape \[6, 2\], got \[6, 3\]"),
        ({"targets": [0.0]}, TypeError, r"targets: expected a torch.Tensor \[n, k\], got list"),
        ({"x": torch.zeros(6, 3)}, ValueError, "x: expected torch.float64 on cpu"),
        ({"x": torch.full((6, 3), torch.nan, dtype=torch.float64)}, ValueError, "x: holds NaN"),
        ({"x_val": torch.zeros(4, 2, dtype=torch.float64)}, ValueError, r"x_val: expected .* like x's \[3\]"),
        ({"network": "MLP"}, TypeError, "network: expected a torch.nn.Module, got str"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate=0.0: give a number above 0"),
        ({"steps": 1.5}, ValueError, "steps=1.5: give a whole number above 0"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay=-1.0"),
        ({"together": 0}, ValueError, "together=0"),
        ({"indices": [0, 6]}, ValueError, "indices: positions of 6 end at 5, got 0 .. 6"),
        ({"indices": []}, ValueError, r"indices: must lie in 0 .. 5 for 6 samples, at least one of them, got \[\]"),
        ({"indices": [0.5]}, ValueError, "indices: expected whole numbers or a mask, got dtype torch.float32"),
    ],
)  # fmt: skip
def test_wrong_input_is_named(change, error, message):
    x, y, x_val = data()
    good = {"network": network(), "x": x, "targets": y, "x_val": x_val, "learning_rate": 0.1, "steps": 2}
    with pytest.raises(error, match=message):
        retrain_without(**(good | change))


@pytest.mark.unchecked
def test_models_and_sets_that_cannot_be_used():
    x, y, x_val = data()
    with pytest.raises(ValueError, match=r"1 example\(s\); leaving one out needs at least 2"):
        retrain_without(network(), x[:1], y[:1], x_val, 0.1, 2)
    with pytest.raises(ValueError, match="trainable weights of one dtype on one device, got none"):
        retrain_without(network().requires_grad_(False), x, y, x_val, 0.1, 2)
    with pytest.raises(ValueError, match=r"network: expected outputs \[n, k\], got \[1\]"):
        retrain_without(nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)).double(), x, y, x_val, 0.1, 2)
