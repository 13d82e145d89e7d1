"""Saliency maps: integrated gradients add up, occlusion of a linear network in closed form, each image by itself."""

import sys

import pytest
import torch
from torch import nn

from simplebits.networks import ConvNet
from simplebits.simplify import expected_gradients, integrated_gradients, occlusion

pytest.importorskip("captum", reason="the extra `attribution` is not installed")


def images(n=3, channels=1, size=8, seed=0):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ConvNet(3, 1, 8, depth=2, width=4, norm="batch", activation="swish").double()
        net.train()(images(20, seed=2))
        return net.eval()


def linear(channels=1, size=8):
    net = nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, 2)).double()
    net[1].weight.data = torch.randn(net[1].weight.shape, generator=torch.Generator().manual_seed(1)).double()
    return net


@pytest.mark.parametrize("score", ["logit", "log_probability", "probability"])
@pytest.mark.parametrize("given", [None, "one", "each"])
def test_integrated_gradients_add_up_to_what_the_baseline_lacks(net, score, given):
    x = images()
    baseline = {None: None, "one": images(1, seed=5), "each": images(3, seed=6)}[given]
    target = net(x).argmax(1)
    maps = integrated_gradients(net, x, baseline=baseline, score=score)
    of = {"logit": lambda y: y, "log_probability": lambda y: y.log_softmax(1), "probability": lambda y: y.softmax(1)}
    start = torch.zeros_like(x) if baseline is None else baseline.expand_as(x)
    lost = of[score](net(x)) - of[score](net(start))
    torch.testing.assert_close(
        maps.flatten(1).sum(1), lost.gather(1, target[:, None])[:, 0].detach(), atol=1e-3, rtol=0
    )


def test_gradients_of_a_linear_network_are_its_weights():
    net, x, references = linear(), images(), images(7, seed=3)
    target = torch.tensor([0, 1, 1])
    weights = net[1].weight.detach()[target].view(3, 1, 8, 8)
    torch.testing.assert_close(integrated_gradients(net, x, target, steps=1), weights * x)
    everything = expected_gradients(net, x, references, target, draws=7, steps=1)
    torch.testing.assert_close(everything, weights * (x - references.mean(0)))


def test_expected_gradients_add_up_to_the_mean_over_references(net):
    x, references = images(), images(5, seed=3)
    target = torch.zeros(3, dtype=torch.int64)
    maps = expected_gradients(net, x, references, target, draws=9, steps=20)
    lost = net(x)[:, 0] - net(references)[:, 0].mean()
    torch.testing.assert_close(maps.flatten(1).sum(1), lost.detach(), atol=1e-3, rtol=0)
    few = [expected_gradients(net, x, references, target, draws=2, seed=s) for s in (0, 0, 1, 2, 3)]
    assert torch.equal(few[0], few[1]) and not all(torch.equal(few[0], other) for other in few[2:])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fill", [0.25, "image"])
def test_occlusion_of_a_linear_network_in_closed_form(channels, fill):
    """A window takes the weights' products with what it changes; a pixel has the mean over the windows on it."""
    net, x = linear(channels), images(2, channels)
    value = images(1, channels, seed=4) if fill == "image" else fill
    target = torch.tensor([0, 1])
    maps = occlusion(net, x, target, fill=value, window=4, stride=4)
    weights = net[1].weight.detach()[target].view(2, channels, 8, 8)
    effect = (weights * (x - value)).sum(1)
    windows = effect.unflatten(2, (2, 4)).unflatten(1, (2, 4)).sum((2, 4))
    expected = windows.repeat_interleave(4, 1).repeat_interleave(4, 2)
    torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-5)
    overlapping = occlusion(net, x, target, fill=value, window=2, stride=1)
    corner, edge = effect[:, :2, :2].sum((1, 2)), effect[:, :2, 1:3].sum((1, 2))
    torch.testing.assert_close(overlapping[:, 0, 0], corner, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(overlapping[:, 0, 1], (corner + edge) / 2, atol=1e-5, rtol=1e-5)


def test_the_predicted_class_is_the_default_and_images_are_by_themselves(net):
    x, references = images(), images(4, seed=3)
    target = net(x).argmax(1)
    for method in (
        integrated_gradients,
        occlusion,
        lambda f, y, t=None: expected_gradients(f, y, references, t, draws=3),
    ):
        together = method(net, x)
        torch.testing.assert_close(together, method(net, x, target))
        torch.testing.assert_close(together[1:2], method(net, x[1:2]))
    assert not torch.equal(integrated_gradients(net, x), integrated_gradients(net, x, (target + 1) % 3))


def test_the_predicted_class_is_looked_up_once_for_all_draws(net, capsys):
    calls = []
    hook = net.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    expected_gradients(net, images(), images(4, seed=3), draws=4, steps=2, progress=True)
    hook.remove()
    assert calls.count(False) == 1
    assert "expected gradients" in capsys.readouterr().err


def test_the_network_is_left_as_it_was(net):
    net.train()
    x = images()
    maps = [integrated_gradients(net, x), occlusion(net, x), expected_gradients(net, x, x, draws=2)]
    assert net.training and all(p.grad is None for p in net.parameters())
    assert not any(m.requires_grad for m in maps)


@pytest.mark.unchecked
def test_wrong_arguments_are_refused(net):
    x = images()
    with pytest.raises(ValueError, match=r"score='logits' is not known; did you mean 'logit'"):
        integrated_gradients(net, x, score="logits")
    with pytest.raises(ValueError, match=r"baseline: give 1 image, or 3"):
        integrated_gradients(net, x, baseline=images(2))
    with pytest.raises(ValueError, match=r"baseline: expected images \[1, 8, 8\] as in x, got \[1, 4, 4\]"):
        integrated_gradients(net, x, baseline=images(1, size=4))
    with pytest.raises(ValueError, match=r"references: expected images \[1, 8, 8\]"):
        expected_gradients(net, x, images(2, 3))
    with pytest.raises(ValueError, match=r"target: must lie in 0 .. 2 for a classifier of 3 outputs, got 3"):
        integrated_gradients(net, x, torch.tensor([0, 1, 3]))
    with pytest.raises(ValueError, match=r"window=9, stride=1"):
        occlusion(net, x, window=9)
    with pytest.raises(ValueError, match=r"window=2, stride=3"):
        occlusion(net, x, window=2, stride=3)
    with pytest.raises(ValueError, match=r"x: expected torch.float64"):
        occlusion(net, x.float())
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module"):
        integrated_gradients(lambda y: y, x)
    for fill in (7.0, None):
        with pytest.raises(ValueError, match=rf"fill={fill}: give a number of at least 0 and of at most 1"):
            occlusion(net, x, fill=fill)
    with pytest.raises(ValueError, match=r"fill: give 1 image, or 3, one for each of x; got 2"):
        occlusion(net, x, fill=images(2))
    for target, message in ((torch.tensor([0, 1]), r"expected \[3\]"), (torch.tensor([0, 1, -1]), "from 0, got -1")):
        with pytest.raises(ValueError, match=f"^target: .*{message}"):
            occlusion(net, x, target)
    with pytest.raises(ValueError, match=r"classifier: it does not take images 1x8x8"):
        integrated_gradients(nn.Sequential(nn.Flatten(), nn.Linear(7, 2)).double(), x)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)).double()
    with pytest.raises(ValueError, match=r"classifier: expected logits \[3, classes\], got \[3\]"):
        integrated_gradients(flat, x)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_maps_are_the_same_wherever_they_are_asked_for(net, mode):
    expected = integrated_gradients(net, images()), expected_gradients(net, images(), images(seed=1), draws=2)
    with mode():
        found = integrated_gradients(net, images()), expected_gradients(net, images(), images(seed=1), draws=2)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.unchecked
def test_without_captum_the_extra_is_named(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(ImportError, match=r"pip install 'simplebits\[attribution\]'"):
        integrated_gradients(net, images())
