"""The ways to match as objects: their papers' settings, what is changed of them, old names, wrong use."""

from dataclasses import FrozenInstanceError, asdict

import pytest
import torch

import simplebits as sb
from simplebits.condense import Condensation, DistributionMatching, GradientMatching, PixelMatching, condense

SMALL = {
    "size": 8,
    "network_options": {"width": 8, "depth": 2},
    "real_batch": 8,
    "bf16": False,
    "device": "cpu",
    "progress": False,
}
WAYS = {"gradient": GradientMatching, "distribution": DistributionMatching, "pixels": PixelMatching}


@pytest.fixture(scope="module")
def digits():
    return sb.data.load("digits", "train")


@pytest.mark.parametrize("name", WAYS)
def test_a_name_stands_for_its_object_and_keywords_for_its_fields(digits, name):
    fields = {"iterations": 2, "start": "noise"} | ({"distance": "mse", "outer": 2} if name == "gradient" else {})
    sets = [
        condense(digits, name, 1, **fields, **SMALL),
        condense(digits, WAYS[name](**fields), 1, **SMALL),
        condense(digits, WAYS[name](iterations=9, start="noise"), 1, **fields, **SMALL),
    ]
    assert all(torch.equal(sets[0].images, other.images) and other.made == sets[0].made for other in sets[1:])


def test_the_defaults_are_the_papers():
    assert (GradientMatching().iterations, GradientMatching().learning_rate) == (1001, 0.1)
    assert DistributionMatching().iterations == PixelMatching().iterations == 20_001
    settled = {
        (name, dense, augmented): way().settled(10, dense=dense, augmented=augmented)
        for name, way in WAYS.items()
        for dense in (False, True)
        for augmented in (False, True)
    }
    gradient = asdict(settled["gradient", False, False])
    assert [gradient[field] for field in ("outer", "inner", "distance")] == [10, 50, "layerwise"]
    assert [gradient[field] for field in ("network_learning_rate", "network_momentum")] == [0.01, 0.0]
    assert settled["gradient", True, False].network_momentum == 0.5
    starts = {key: method.start for key, method in settled.items()}
    assert {key for key, start in starts.items() if start == "noise"} == {
        *((name, True, augmented) for name in WAYS for augmented in (False, True)), ("gradient", False, False),
    }  # fmt: skip
    rates = {key: method.learning_rate for key, method in settled.items()}
    assert {key for key, rate in rates.items() if rate == 1.0} == {
        (name, False, augmented) for name in ("distribution", "pixels") for augmented in (False, True)
    }
    assert set(rates.values()) == {0.1, 1.0}


def test_what_is_chosen_is_not_settled_anew():
    chosen = GradientMatching(start="real", outer=3, inner=4, network_momentum=0.0)
    assert chosen.settled(50, dense=True, augmented=False) == chosen
    with pytest.raises(FrozenInstanceError):
        chosen.outer = 1


def test_old_names_still_work_and_warn(digits):
    new = condense(digits, "distribution", 1, iterations=1, start="noise", **SMALL)
    with pytest.warns(DeprecationWarning, match="init= is called start= now"):
        old = condense(digits, "distribution", 1, iterations=1, init="noise", **SMALL)
    assert torch.equal(new.images, old.images) and old.made == new.made
    density = sb.density.load("glow-16px")
    with pytest.warns(DeprecationWarning, match="lambda_sim= is called bit_weight= now"):
        run = Condensation(digits, "gradient", 1, density=density, lambda_sim=3, **(SMALL | {"size": None}))
    assert run.bit_weight == 3
    with pytest.warns(DeprecationWarning, match="lambda_sim="):
        assert sb.condense.file_name("mnist", "gradient", 1, lambda_sim=0) == "mnist-gradient-1-lambda-0"


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"outer": 0}, ValueError, "outer=0"),
        ({"network_momentum": 1.0}, ValueError, "network_momentum=1.0"),
        ({"network_learning_rate": float("inf")}, ValueError, "network_learning_rate=inf"),
        ({"distance": "cosin"}, ValueError, "did you mean 'cosine'"),
        ({"iterations": 2.5}, ValueError, "iterations=2.5"),
    ],
)
def test_wrong_settings_are_named(digits, change, error, message):
    with pytest.raises(error, match=message):
        GradientMatching(**change)
    with pytest.raises(error, match=message):
        condense(digits, "gradient", 1, **change, **SMALL)


@pytest.mark.unchecked
def test_what_cannot_be_matched_is_named(digits):
    with pytest.raises(ValueError, match="method=3 is not known; Known: gradient, distribution, pixels"):
        condense(digits, 3, 1)
    with pytest.raises(ValueError, match="outer=2: only gradient matching has this"):
        condense(digits, PixelMatching(), 1, outer=2, **SMALL)

    class Scales(torch.nn.Module):
        """One number a pixel and class, but no weight with rows."""

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(640))

        def forward(self, x):
            return (x.flatten(1).repeat(1, 10) * self.scale).view(len(x), 10, 64).sum(2)

    with pytest.raises(ValueError, match="network: every parameter of Scales that learns has one axis"):
        condense(digits, "gradient", 1, network=Scales, **(SMALL | {"network_options": None}))


class TwoHeads(torch.nn.Module):
    """A network with a second head that the logits do not use."""

    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.ReLU())
        self.head, self.spare = torch.nn.Linear(8, 10), torch.nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("distance", ["layerwise", "product", "unrolled"])
def test_unused_and_frozen_weights_are_no_hindrance(digits, distance, frozen):
    """One class after the other as in one pass; a frozen layer's gradient is not compared."""

    def network():
        net = TwoHeads()
        net.body.requires_grad_(not frozen)
        return net

    how = {"size": 8, "real_batch": 8, "bf16": False, "device": "cpu", "progress": False, "network": network}
    sets = [
        condense(digits, "gradient", 1, iterations=2, distance=distance, together=together, **how)
        for together in (False, True)
    ]
    assert sets[0].images.isfinite().all()
    torch.testing.assert_close(sets[0].images, sets[1].images, rtol=1e-3, atol=1e-4)


def test_a_network_without_anything_to_learn_is_named(digits):
    with pytest.raises(ValueError, match=r"TwoHeads has no parameters that learn|that learns has one axis"):
        condense(digits, "gradient", 1, iterations=1, size=8, network=lambda: TwoHeads().requires_grad_(False))
