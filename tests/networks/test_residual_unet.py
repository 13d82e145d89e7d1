"""The simplifier: the published structure, and the identity that every training starts from."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from simplebits.networks import ResidualUNet
from simplebits.networks.residual_unet import CLIP, ChannelAffine


def images(n=2, size=16, seed=0, dtype=torch.float32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def awake(net, seed=0):
    """Every parameter drawn, merge weight and last layer too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.3 + (0.5 if p.dim() != 4 else 0))
    return net


def plain_unet(net, x):
    """Order of operations of the reference code, written out for three downsamplings."""
    affine = lambda layer, h: (h + layer.add) * layer.factor  # noqa: E731
    outer, inner = net.levels, net.levels.below
    a = net.first(2 * x - 1)
    b = affine(outer.after_down, outer.down(F.elu(a)))
    c = affine(inner.after_up, inner.up(F.relu(inner.down(F.leaky_relu(b, 0.2)))))
    d = affine(outer.after_up, outer.up(F.elu(torch.cat([b, c], 1))))
    return net.last(F.elu(torch.cat([a, d], 1)))


def test_the_default_has_the_papers_number_of_parameters():
    assert sum(p.numel() for p in ResidualUNet().parameters()) == 16_659_076


def test_channels_and_layers_are_those_of_the_reference():
    net = ResidualUNet()
    down, up, level = [net.first], [net.last], net.levels
    while level is not None:
        down.append(level.down)
        up.append(level.up)
        innermost, level = level, level.below
    assert [(c.in_channels, c.out_channels) for c in down] == [(3, 64), (64, 128), (128, 256), (256, 512), (512, 512)]
    assert [(c.in_channels, c.out_channels) for c in up[::-1]] == [
        (512, 512), (1024, 256), (512, 128), (256, 64), (128, 3),
    ]  # fmt: skip
    for layer in down + up:
        assert (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))
        assert (layer.bias is not None) == (layer is net.last)
    assert isinstance(innermost.after_down, nn.Identity)
    assert sorted(m.add.shape[0] for m in net.modules() if isinstance(m, ChannelAffine)) == sorted(
        [128, 256, 512, 64, 128, 256, 512]
    )
    assert all(m.add.eq(0).all() and m.factor.eq(1).all() for m in net.modules() if isinstance(m, ChannelAffine))


def test_the_forward_pass_equals_a_plain_computation():
    net = awake(ResidualUNet(4, 3)).double()
    x = images(dtype=torch.float64)
    added = net.merge * plain_unet(net, x)
    torch.testing.assert_close(net.residual(x), added, atol=1e-12, rtol=0)
    clipped = x.clamp(1e-3, 1 - 1e-3)
    torch.testing.assert_close(net(x), torch.sigmoid(torch.log(clipped / (1 - clipped)) + added), atol=1e-12, rtol=0)


def test_the_skip_comes_first_and_is_not_activated():
    level = awake(ResidualUNet(4, 3)).levels.below
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    out = level(x)
    assert out.shape == (2, 16, 4, 4) and torch.equal(out[:, :8], x)


@pytest.mark.parametrize("merge", [0.0, 1.0])
@pytest.mark.parametrize("pool", [1, 4])
def test_the_start_is_the_identity_but_for_the_clip(merge, pool):
    net = ResidualUNet(4, 2, merge=merge, pool=pool)
    x = images()
    x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(net(x), x.clamp(CLIP, 1 - CLIP), atol=1e-6, rtol=0)
    assert net.residual(x).eq(0).all()


def test_at_the_start_only_the_merge_weight_or_only_the_last_layer_gets_a_gradient():
    for merge, moved in ((0.0, {"merge"}), (1.0, {"last.weight", "last.bias"})):
        torch.manual_seed(0)
        net = ResidualUNet(4, 2, merge=merge)
        net(images()).square().sum().backward()
        assert {name for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().max() > 0} == moved


def test_pooling_makes_the_residual_constant_over_blocks_and_keeps_their_means():
    fine, coarse = awake(ResidualUNet(4, 2)), awake(ResidualUNet(4, 2, pool=4))
    blocks = coarse.residual(images()).unfold(2, 4, 4).unfold(3, 4, 4)
    assert torch.equal(blocks, blocks[..., :1, :1].expand_as(blocks))
    means = fine.residual(images()).unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2))
    torch.testing.assert_close(blocks[..., 0, 0], means, atol=1e-5, rtol=1e-5)
    assert means.std() > 0


def test_other_sizes_and_channels():
    net = awake(ResidualUNet(2, 3, channels=1))
    x = images(1)[:, :1].repeat(1, 1, 1, 2)
    y = net(x)
    assert y.shape == x.shape == (1, 1, 16, 32) and y.min() > 0 and y.max() < 1


@pytest.mark.unchecked
def test_another_number_of_channels_is_refused():
    net = ResidualUNet(2, 2)
    for call in (net, net.residual):
        with pytest.raises(ValueError, match=r"^x: expected shape \[n, 3, h, w\], got \[1, 1, "):
            call(images(1)[:, :1])
        with pytest.raises(ValueError, match=r"^x: expected shape .*; add a batch axis with x\[None\]"):
            call(images(1)[0])
        with pytest.raises(TypeError, match="^x: expected a torch.Tensor"):
            call(images(1).numpy())
        with pytest.raises(ValueError, match=r"^x: expected shape .*, got \[1, 3, 0, 0\]"):
            call(torch.zeros(1, 3, 0, 0))


def test_autocast_leaves_the_image_in_single_precision():
    net = awake(ResidualUNet(4, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(images())
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, net(images()), atol=0.1, rtol=0)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": 0},
        {"channels": 1.0},
        {"pool": 0},
        {"downsamplings": 1},
        {"downsamplings": 2.0},
        {"downsamplings": 10**9},
        {"merge": float("nan")},
    ],
)
def test_wrong_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ResidualUNet(**({"filters": 2, "downsamplings": 2} | wrong))


@pytest.mark.parametrize(
    ("size", "options"), [(12, {}), (20, {"pool": 8}), (16, {"downsamplings": 5}), (8, {"pool": 3})]
)
def test_sizes_that_do_not_divide_are_refused(size, options):
    net = ResidualUNet(**({"filters": 2, "downsamplings": 3 if size == 12 else 2} | options))
    with pytest.raises(ValueError, match=f"x: {size}x{size} pixels do not divide by 2\\^downsamplings"):
        net(images(1, size))
