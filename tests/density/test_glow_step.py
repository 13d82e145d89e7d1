"""The parts of a step: equal to the reference implementation, invertible, and with the determinant they say."""

import pytest
import torch

from simplebits.density import ActNorm, Conv1x1, Coupling, GlowStep, squeeze, unsqueeze


def awake(module, seed=0):
    """Give a fresh module weights at which everything matters: zero convolutions would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            if "conv1x1" not in name:
                p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return module


@pytest.fixture
def reference(golden):
    """The golden step: its file, and a GlowStep with its parameters."""
    values = {name: torch.from_numpy(array) for name, array in golden("glow_step").items()}
    step = GlowStep(6, hidden=8)
    with torch.no_grad():
        step.conv1x1.set_weight(values["conv1x1_weight"])
        for norm, name in (
            (step.actnorm, "actnorm"),
            (step.coupling.actnorm1, "net_actnorm1"),
            (step.coupling.actnorm2, "net_actnorm2"),
        ):
            norm.bias.copy_(values[f"{name}_bias"].flatten())
            norm.log_scale.copy_(values[f"{name}_log_scale"].flatten())
        for i in (1, 2, 3):
            getattr(step.coupling, f"conv{i}").weight.copy_(values[f"net_conv{i}_weight"])
        step.coupling.conv3.bias.copy_(values["net_conv3_bias"].flatten())
        step.coupling.conv3.log_scale.copy_(values["net_conv3_logs"].flatten())
    return values, step


def test_the_parts_equal_the_reference(reference):
    values, step = reference
    after_actnorm, _ = step.actnorm(values["x"])
    torch.testing.assert_close(after_actnorm, values["after_actnorm"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(step.conv1x1.weight, values["conv1x1_weight"], atol=1e-5, rtol=1e-5)
    after_conv, _ = step.conv1x1(after_actnorm)
    torch.testing.assert_close(after_conv, values["after_conv1x1"], atol=1e-5, rtol=1e-5)


def test_the_fused_step_equals_the_reference(reference):
    values, step = reference
    y, log_det = step(values["x"])
    torch.testing.assert_close(y, values["y"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(log_det, values["logdet"], atol=1e-5, rtol=1e-5)


def test_squeeze_and_data_dependent_start_equal_the_reference(golden):
    values = {name: torch.from_numpy(array) for name, array in golden("glow_step").items()}
    torch.testing.assert_close(squeeze(values["squeeze_x"]), values["squeeze_y"])
    torch.testing.assert_close(unsqueeze(values["squeeze_y"]), values["squeeze_x"])
    norm = ActNorm(6)
    norm.initialise(values["init_x"])
    torch.testing.assert_close(norm.bias, values["init_bias"].flatten(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm.log_scale, values["init_log_scale"].flatten(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ActNorm(6),
        lambda: Conv1x1(6),
        lambda: Coupling(6, 8),
        lambda: Coupling(6, 8, scale_floor=0.1),
        lambda: GlowStep(6, 8),
        lambda: GlowStep(6, 8, scale_floor=0.1),
    ],
    ids=["actnorm", "conv1x1", "coupling", "coupling-floor", "step", "step-floor"],
)
def test_inverse_and_determinant(make):
    part = awake(make().double())
    x = torch.randn(2, 6, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y, log_det = part(x)
    assert (part.inverse(y) - x).abs().max() < 1e-10
    for i in range(2):
        jacobian = torch.func.jacrev(lambda v: part(v[None])[0][0])(x[i]).reshape(96, 96)
        torch.testing.assert_close(log_det.expand(2)[i], torch.linalg.slogdet(jacobian)[1], atol=1e-6, rtol=0)


def test_a_fresh_coupling_only_scales_by_sigmoid_of_two():
    x = torch.randn(2, 6, 4, 4)
    y, log_det = Coupling(6, 8)(x)
    torch.testing.assert_close(y[:, :3], x[:, :3])
    torch.testing.assert_close(y[:, 3:], x[:, 3:] * torch.tensor(2.0).sigmoid())
    torch.testing.assert_close(log_det, torch.full((2,), 48 * torch.tensor(2.0).sigmoid().log().item()))


def test_scales_that_underflow_leave_the_determinant_finite():
    coupling = Coupling(4, 8)
    with torch.no_grad():
        coupling.conv3.bias[1::2] = -500.0
    _, log_det = coupling(torch.randn(1, 4, 2, 2))
    torch.testing.assert_close(log_det, torch.tensor([8 * -498.0]))


def test_the_determinant_keeps_its_digits_under_autocast():
    step = awake(GlowStep(6, 8))
    x = torch.randn(2, 6, 8, 8)
    exact, log_det = step(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded, rounded_log_det = step(x)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded[:, :3], exact[:, :3])  # the half that no network touches
    torch.testing.assert_close(rounded_log_det, log_det, rtol=0.02, atol=0.5)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 8), "channels=5: .*even"),
        ((0, 8), "channels=0"),
        ((6, 0), "hidden=0"),
        ((6, 8, 1.0), "scale_floor=1.0"),
        ((6, 8, -0.1), "scale_floor=-0.1"),
    ],
)
@pytest.mark.parametrize("part", [GlowStep, Coupling])
def test_wrong_steps_are_refused(part, arguments, message):
    with pytest.raises(ValueError, match=message):
        part(*arguments)


PARTS = [lambda: ActNorm(6), lambda: Conv1x1(6), lambda: Coupling(6, 8), lambda: GlowStep(6, 8)]


@pytest.mark.unchecked
@pytest.mark.parametrize("make", PARTS, ids=["actnorm", "conv1x1", "coupling", "step"])
@pytest.mark.parametrize("shape", [(2, 5, 4, 4), (2, 3, 4, 4), (2, 1, 4, 4), (6, 4, 4), (2, 6), ()])
def test_parts_name_the_shape_that_they_take(make, shape):
    part = make()
    calls = [(part, "x"), (part.inverse, "y")] + ([(part.initialise, "x")] if type(part) in (ActNorm, Coupling) else [])
    for call, name in calls:
        with pytest.raises(ValueError, match=rf"^{name}: expected shape \[n, (6|c), h, w\], got "):
            call(torch.zeros(shape))
        with pytest.raises(ValueError, match=f"^{name}: expected floating point values, got dtype torch.uint8"):
            call(torch.zeros(2, 6, 4, 4, dtype=torch.uint8))
        with pytest.raises(TypeError, match=f"^{name}: expected a torch.Tensor"):
            call([[0.0]])
        with pytest.raises(ValueError, match=rf"^{name}: (expected|is empty).* \[2, 6, 0, 4\]"):
            call(torch.zeros(2, 6, 0, 4))
    if type(part) is not ActNorm:
        with pytest.raises(
            ValueError, match="^x: expected torch.float32 on cpu, as the network's weights, got .*float64"
        ):
            part(torch.zeros(2, 6, 4, 4).double())


@pytest.mark.unchecked
def test_starts_from_data_that_say_nothing_are_refused():
    for part in (ActNorm(6), Coupling(6, 8)):
        with pytest.raises(ValueError, match="^x: holds NaN or infinity"):
            part.initialise(torch.full((2, 6, 4, 4), torch.inf))
    with pytest.raises(ValueError, match=r"^x: shape \[1, 6, 1, 1\] has no spread"):
        ActNorm(6).initialise(torch.zeros(1, 6, 1, 1))
    step, x = GlowStep(6, 8), torch.rand(4, 6, 4, 4)
    with pytest.raises(ValueError, match="mixing='pac' is not known; did you mean 'pca'"):
        step.initialise(x, "pac", 1)
    with pytest.raises(ValueError, match="steps=0"):
        step.initialise(x, "pca", 0)
    for weight, message in ((torch.eye(5), r"expected shape \[6, 6\]"), (torch.zeros(6, 6), "has no inverse")):
        with pytest.raises(ValueError, match=f"^weight: .*{message}"):
            Conv1x1(6).set_weight(weight)


def test_parts_run_under_vmap_and_keep_their_derivatives():
    x = torch.randn(3, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    for make in PARTS:
        part = awake(make())
        together = torch.func.vmap(lambda v, part=part: part(v[None])[0][0])(x)
        torch.testing.assert_close(together, part(x)[0])
