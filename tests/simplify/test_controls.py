"""Control images: what is taken away, what stays, and which predictions flip."""

import pytest
import torch
from torch import nn

from simplebits.simplify import blur, control, fill_region, grey


def images(n=3, channels=3, size=8):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0))


def region(size=8):
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[2:5, 3:6] = True
    return mask


class Redness(nn.Module):
    """Class 1 where there is more red than blue."""

    def __init__(self):
        super().__init__()
        self.dropout, self.gain = nn.Dropout(0.5), nn.Parameter(torch.ones(()))

    def forward(self, x):
        x = self.dropout(x)
        return torch.stack([x[:, 2].mean((1, 2)), self.gain * x[:, 0].mean((1, 2)) - 0.01], 1)


@pytest.mark.parametrize("fill", ["inpaint", "mean", 0.5])
def test_only_the_region_is_filled(fill):
    x, mask = images(), region()
    filled = fill_region(x, mask, fill)
    assert torch.equal(filled.where(~mask, x), x) and not torch.equal(filled[..., mask], x[..., mask])
    each = torch.stack([mask, ~mask & False, mask])
    assert torch.equal(fill_region(x, each, fill)[1], x[1])
    torch.testing.assert_close(fill_region(x, each, fill)[0], filled[0])


def test_fillings_are_what_they_say():
    x, mask = images(), region()
    assert (fill_region(x, mask, 0.25)[..., mask] == 0.25).all()
    outside = x[..., ~mask].mean(-1, keepdim=True)
    torch.testing.assert_close(fill_region(x, mask, "mean")[..., mask], outside.expand(-1, -1, 9))
    ramp = torch.linspace(0, 1, 8).expand(1, 1, 8, 8).contiguous()
    torch.testing.assert_close(fill_region(ramp.where(~mask, 0), mask), ramp, atol=1e-4, rtol=0)


def test_grey_keeps_luminance_alone():
    x = images()
    g = grey(x)
    assert torch.equal(g[:, 0], g[:, 1]) and torch.equal(g[:, 0], g[:, 2])
    torch.testing.assert_close(grey(g), g)
    torch.testing.assert_close(g[:, 0], 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2])


def test_predictions_flip_where_the_cue_is_gone():
    x = torch.zeros(2, 3, 16, 16)
    x[0, 0] = 1.0  # red: class 1
    x[1, 2] = 1.0  # blue: class 0
    net = Redness()
    result = control(net, x, grey)
    assert result.predicted_before.tolist() == [1, 0] and result.predicted_after.tolist() == [0, 0]
    assert result.flipped.tolist() == [True, False] and torch.equal(result.images, grey(x))
    assert net.training and net.dropout.training
    assert not control(net, x, lambda y: blur(y, 1.0)).flipped.any()
    half = control(net, x, lambda y: y, prepare=lambda y: y.flip(1))
    assert half.predicted_before.tolist() == [0, 1] and not half.flipped.any()


@pytest.mark.unchecked
def test_wrong_arguments_are_refused():
    x = images()
    with pytest.raises(ValueError, match=r"region: expected True or False, got dtype torch.float32; convert"):
        fill_region(x, region().float())
    with pytest.raises(ValueError, match=r"region: expected bool"):
        fill_region(x, region(9))
    with pytest.raises(TypeError, match=r"region: expected a torch.Tensor \[..., h, w\], got list"):
        fill_region(x, region().tolist())
    for fill in (None, torch.zeros(3)):
        with pytest.raises(ValueError, match=r"fill=.*: give a grey level"):
            fill_region(x, region(), fill)
    with pytest.raises(ValueError, match=r"covers a whole image"):
        fill_region(x, torch.ones(8, 8, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"fill='inpant' is not known; did you mean 'inpaint'"):
        fill_region(x, region(), "inpant")
    with pytest.raises(ValueError, match=r"fill=2: give a grey level"):
        fill_region(x, region(), 2)
    with pytest.raises(ValueError, match=r"x: expected shape \['n', 3, 8, 8\]"):
        grey(images(channels=1))
    with pytest.raises(ValueError, match=r"change: it made images \[3, 1, 8, 8\] of \[3, 3, 8, 8\]"):
        control(Redness(), x, lambda y: y[:, :1])
    with pytest.raises(ValueError, match=r"change\(x\): values must lie in \[0, 1\]"):
        control(Redness(), x, lambda y: 2 * y)
    for arguments, name in (((3,), "change"), ((grey, 3), "prepare")):
        with pytest.raises(TypeError, match=rf"{name}: expected a function, got int"):
            control(Redness(), x, *arguments)
    with pytest.raises(ValueError, match="prepare: it made 1 images of 3; keep their number"):
        control(Redness(), x, grey, lambda y: y[:1])
    for arguments, name in (((nn.Linear(7, 2),), "change"), ((grey, nn.Linear(7, 2)), "prepare")):
        with pytest.raises(ValueError, match=rf"^{name}: it fails on images \[3, 3, 8, 8\]"):
            control(Redness(), x, *arguments)
    with pytest.raises(ValueError, match=r"classifier: it does not take images \[3, 3, 8, 8\] .* give prepare="):
        control(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, 2)), x, grey)
