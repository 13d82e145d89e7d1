"""Shipped weights: what they show, what their cards say, and what damage looks like."""

import json
import shutil

import pytest
import torch

from simplebits import data, density
from simplebits.density import recipes, weights

LIMITS = {name: 8_000_000 if name == "glow" else 1_000_000 for name in density.NAMES}


@pytest.fixture(scope="module", params=density.NAMES)
def shipped(request):
    return request.param, density.load(request.param)


def images(model, n=8, seed=0):
    return data.load("photos", "test").draw(n, seed).to_float(model.image_size, channels=3)


def test_weights_are_small_and_their_cards_tell_where_they_come_from(shipped):
    name, model = shipped
    card = density.card(name)
    assert (weights.FOLDER / f"{name}.safetensors").stat().st_size <= LIMITS[name]
    for key in ("data", "steps", "seconds", "device", "seed", "test_bits_per_dim", "sha256", "command", "torch"):
        assert card[key] not in (None, "", {}), key
    assert card["command"].startswith(f"simplebits fit-density {name}")
    (kind,) = (kind for kind, known in weights.KINDS.items() if type(model) is known)
    assert card[kind] == model.config == model.config | recipes.RECIPES[name].options | {"channels": 3}
    assert {"black", "mnist", "fashion-mnist", "cifar10", "noise"} <= set(card["test_bits_per_dim"])


def test_the_order_of_the_sets_is_the_papers(shipped):
    bits = density.card(shipped[0])["test_bits_per_dim"]
    order = [bits[name] for name in ("black", "mnist", "fashion-mnist", "cifar10", "noise")]
    assert order == sorted(order)


def test_the_large_model_reaches_what_it_must():
    bits = density.card("glow")["test_bits_per_dim"]
    assert bits["cifar10"] <= 3.8 and bits["mnist"] <= 1.5 and bits["black"] <= 0.5 and bits["noise"] >= 8


def test_cards_say_what_the_weights_measure(shipped):
    name, model = shipped
    measured = recipes.test_bits(model, n=100)
    for key in ("black", "noise", "photos"):  # at hand everywhere; 100 images instead of 1,000
        assert measured[key] == pytest.approx(density.card(name)["test_bits_per_dim"][key], rel=0.12, abs=0.02), key


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_the_large_model_measures_real_sets_as_its_card_says(real_data, name):
    model = density.load("glow")
    x = density.quantise(real_data(name).draw(100, 1).to_float(32, 3))
    bits = float(model.bits_per_dim(x, torch.Generator().manual_seed(0)).mean())
    assert bits == pytest.approx(density.card("glow")["test_bits_per_dim"][name], rel=0.1)


def test_the_pixelcnn_needs_no_more_bits_than_the_glow_of_its_size():
    pixelcnn, glow = (density.card(name)["test_bits_per_dim"]["cifar10"] for name in ("pixelcnn-16px", "glow-16px"))
    assert pixelcnn <= glow


@pytest.mark.parametrize("name", [name for name in density.NAMES if name.startswith("glow")])
def test_shipped_flows_invert_exactly_enough_on_every_kind_of_image(name):
    model = density.load(name)
    size = model.image_size
    noise = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    for x in (images(model), torch.zeros(1, 3, size, size), torch.ones(1, 3, size, size), noise):
        assert (model.decode(model.encode(x)) - x).abs().max() < 1e-4
    double = model.double()
    assert (double.decode(double.encode(noise.double())) - noise).abs().max() < 1e-10
    model.float()


def test_weights_are_frozen_and_derivatives_reach_the_image_twice(shipped):
    _, model = shipped
    assert not any(p.requires_grad for p in model.parameters())
    x = images(model, 2).requires_grad_()
    grad = torch.autograd.grad(model.bits_per_dim(x, torch.Generator().manual_seed(0)).sum(), x, create_graph=True)[0]
    second = torch.autograd.grad(grad.square().sum(), x)[0]
    assert torch.isfinite(second).all() and second.abs().max() > 0


def test_blur_makes_photographs_cheaper_and_noise_dearer(shipped):
    _, model = shipped
    x = images(model, 32)
    blurred = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(x, 4), scale_factor=4, mode="bilinear")
    noisy = (x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    plain, simpler, busier = (
        model.bits_per_dim(v, torch.Generator().manual_seed(1), quantised=True).mean() for v in (x, blurred, noisy)
    )
    assert simpler < plain - 0.1 and busier > plain + 0.5


@pytest.fixture
def copied(tmp_path):
    for ending in ("safetensors", "json"):
        shutil.copy(weights.FOLDER / f"glow-16px.{ending}", tmp_path)
    return tmp_path


def test_truncated_weights_are_named_with_the_remedy(copied):
    file = copied / "glow-16px.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"{file} is damaged.*simplebits fit-density glow-16px"):
        density.load("glow-16px", folder=copied)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="simplebits fit-density glow-16px"):
        density.load("glow-16px", folder=copied)


def test_a_damaged_card_is_named(copied):
    (copied / "glow-16px.json").write_text("{")
    with pytest.raises(ValueError, match="glow-16px.json is damaged"):
        density.load("glow-16px", folder=copied)
    (copied / "glow-16px.json").write_text('{"glow": {}}')
    with pytest.raises(ValueError, match="glow-16px.json is damaged .no architecture or no SHA-256"):
        density.load("glow-16px", folder=copied)
    with pytest.raises(FileNotFoundError, match=r"glow\.json"):
        density.card("glow", folder=copied)


def test_unknown_names_get_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'glow-5bit'"):
        density.load("glow-5bits")
    with pytest.raises(ValueError, match="did you mean 'glow-16px'"):
        recipes.make("glow_16px")
    with pytest.raises(ValueError, match="device='gpu': give cpu"):
        density.load("glow-16px", "gpu")


def test_saving_and_loading_give_the_same_model_and_a_true_card(tmp_path):
    model = density.load("glow-16px")
    path = weights.save(model, "glow-16px", tmp_path, {"steps": 1})
    again = density.load("glow-16px", folder=tmp_path)
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    assert json.loads(path.with_suffix(".json").read_text())["steps"] == 1
    with torch.no_grad():
        next(model.parameters()).fill_(1e6)
    with pytest.raises(ValueError, match="half precision"):
        weights.save(model, "glow-16px", tmp_path, {})


def test_a_recipe_can_be_made_again(real_data, tmp_path, monkeypatch):
    real_data("cifar10", "train")
    monkeypatch.setitem(
        recipes.RECIPES,
        "glow-16px",
        recipes.Recipe(
            density.Glow,
            {"levels": 1, "steps": 1, "hidden": 4, "image_size": 16, "bit_depth": 5, "scale_floor": 0.1},
            fit={"steps": 3, "batch_size": 4},
        ),
    )
    monkeypatch.setattr(recipes, "test_bits", lambda model: {"black": 1.0})
    path = recipes.ship("glow-16px", tmp_path, checkpoint=tmp_path / "c", progress=False, steps=2)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["steps"] == card["fit"]["steps"] == 2
    assert card["command"] == "simplebits fit-density glow-16px --steps 2"
    assert density.load("glow-16px", folder=tmp_path).hidden == 4


@pytest.mark.parametrize(
    "model",
    [
        density.PixelCNN(width=4, blocks=1, mixture=2, image_size=8, bit_depth=5),
        density.Diffusion(width=8, times=3, steps=7, image_size=8, bit_depth=5),
    ],
)
def test_every_kind_of_model_comes_back_from_its_card(model, tmp_path):
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, -0.1, 0.1, generator=torch.Generator().manual_seed(0))
    weights.save(model, "glow-16px", tmp_path, {})
    loaded = density.load("glow-16px", folder=tmp_path)
    assert type(loaded) is type(model) and loaded.config == model.config and not loaded.training
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    bits = [density.bits_of(one.eval(), x) for one in (model, loaded)]
    torch.testing.assert_close(*bits, rtol=1e-2, atol=1e-2)  # half precision


def test_general_images_hold_no_test_image_and_the_share_asked_for(real_data):
    real_data("cifar10", "train")
    train, held_out = density.general_images(0.3)
    share = float((train.labels > 0).float().mean())
    assert abs(share - 0.3) < 0.005 and len(held_out) == recipes.HELD_OUT
    only, _ = density.general_images(0.0)
    assert len(only) == 50_000 - recipes.HELD_OUT
    with pytest.raises(ValueError, match="simple"):
        density.general_images(1.0)
