"""One sigmoid logit: refused where classes are compared, and made two by `BinaryLogits`."""

import pytest
import torch
from torch import nn

import simplebits as sb
from simplebits.networks import BinaryLogits, accuracy


class Bright(nn.Module):
    """One logit: is the image bright?"""

    def __init__(self):
        super().__init__()
        self.slope, self.shift = nn.Parameter(torch.tensor(20.0)), nn.Parameter(torch.tensor(-10.0))

    def forward(self, x):
        return (self.slope * x.mean((1, 2, 3)) + self.shift)[:, None]


X = torch.cat([torch.full((1, 1, 8, 8), 0.9), torch.full((1, 1, 8, 8), 0.1)])


def test_two_logits_say_what_the_sigmoid_says():
    p = torch.sigmoid(Bright()(X).detach())[:, 0]
    two = BinaryLogits(Bright())
    torch.testing.assert_close(two(X).softmax(1), torch.stack((1 - p, p), 1))
    assert accuracy(two, X, torch.tensor([1, 0])) == 1
    score = sb.subsets.class_score(two, X)
    assert score(X).tolist() == pytest.approx([float(p[0]), 1 - float(p[1])])
    assert sb.simplify.control(two, X, lambda images: 1 - images).flipped.tolist() == [True, True]
    with pytest.raises(ValueError, match=r"network: expected one logit for each of 2 images, got \[2, 2\]"):
        BinaryLogits(two)(X)


LABELS = torch.tensor([0, 0])
CALLS = {
    "class_score": lambda net: sb.subsets.class_score(net, X)(X),
    "control": lambda net: sb.simplify.control(net, X, lambda images: 1 - images),
    "prediction_difference": lambda net: sb.simplify.prediction_difference(net, X, X, window=2, border=1, samples=2),
    "integrated_gradients": lambda net: sb.simplify.integrated_gradients(net, X, score="probability"),
    "occlusion": lambda net: sb.simplify.occlusion(net, X, score="probability"),
    "gate_gradients": lambda net: sb.simplify.gate_gradients(net, X, net(X).detach()),
    "calibration_error": lambda net: sb.subsets.calibration_error(net(X).detach(), LABELS),
    "accuracy": lambda net: accuracy(net, X, LABELS),
}


@pytest.mark.parametrize("name", CALLS)
def test_one_logit_is_refused_and_the_way_out_is_named(name):
    with pytest.raises(ValueError, match=r"two or more classes, got \[2, 1\]; simplebits.networks.BinaryLogits"):
        CALLS[name](Bright().eval())
