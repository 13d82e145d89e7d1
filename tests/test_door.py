"""The door: every argument is what its annotation says, or a sentence names it; at little cost."""

import timeit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from simplebits._door import door
from simplebits.domains import Count, Device, Images, Labels, Momentum, NonNegative, Positive, Seed

pytestmark = pytest.mark.unchecked
IMAGES = torch.rand(2, 3, 4, 4)


@door(renamed={"lambda_sim": "bit_weight"})
def step(
    x: Float[Tensor, "n c h w"] | None = None,
    rate: Positive = 0.1,
    count: Count = 1,
    *,
    seed: Seed = 0,
    bit_weight: NonNegative = 0.0,
    kind: Literal["gradient", "distribution"] = "gradient",
    device: Device = None,
    network: nn.Module | None = None,
    function: Callable | None = None,
    weights: Sequence[Positive] = (),
    betas: tuple[Momentum, Momentum] = (0.9, 0.99),
    fill: float | Float[Tensor, "*f"] = 0.0,
    sets: Mapping[str, Float64[Tensor, " k"]] | None = None,
    mask: Bool[Tensor, "h w"] | None = None,
    generator: torch.Generator | None = None,
    flag: bool = True,
):
    return {name: value for name, value in locals().items() if value is not None}


@door
def see(images: Images, labels: Labels | None = None):
    return images


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"rate": np.float32(0.5)}, 0.5),
        ({"rate": 1}, 1),
        ({"rate": torch.tensor(2.0)}, 2.0),
        ({"count": np.int64(3)}, 3),
        ({"count": np.array(3)}, 3),
        ({"seed": 2**60}, 2**60),
        ({"weights": np.array([1.0, 2.0])}, [1.0, 2.0]),
        ({"weights": range(1, 3)}, [1, 2]),
        ({"betas": [0.5, 0.9]}, (0.5, 0.9)),
        ({"fill": np.float64(0.25)}, 0.25),
        ({"flag": np.bool_(False)}, False),
        ({"device": "cpu"}, torch.device("cpu")),
    ],
)
def test_what_means_a_number_becomes_one(given, taken):
    (name,) = given
    got = step(**given)[name]
    assert (got, type(got)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"rate": -1.0}, ValueError, "rate=-1.0: give a number above 0"),
        ({"rate": float("inf")}, ValueError, "rate=inf: give a number above 0"),
        ({"rate": float("nan")}, ValueError, "rate=nan: give a number above 0"),
        ({"rate": "0.5"}, ValueError, "rate='0.5': give a number above 0"),
        ({"rate": True}, ValueError, "rate=True: give a number above 0"),
        ({"count": 2.5}, ValueError, "count=2.5: give a whole number above 0"),
        ({"count": 0}, ValueError, "count=0: give a whole number above 0"),
        ({"count": 10**30}, ValueError, "count=10+: give a whole number above 0, of 64 bits at most"),
        ({"seed": 2**64}, ValueError, "seed=18446744073709551616: give a whole number of at least 0 and of at most"),
        ({"seed": -1}, ValueError, "seed=-1: give a whole number of at least 0"),
        ({"bit_weight": -0.1}, ValueError, "bit_weight=-0.1: give a number of at least 0"),
        ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]=1.0: give a number of at least 0 and below 1"),
        ({"betas": (0.9,)}, ValueError, "betas: expected 2 values, got 1"),
        ({"kind": "gradeint"}, ValueError, "kind='gradeint' is not known; did you mean 'gradient'"),
        ({"device": "gpu"}, ValueError, "device='gpu': give cpu, cuda"),
        ({"device": 0}, TypeError, "device: expected a torch.device, got int"),
        ({"network": "ConvNet"}, TypeError, "network: expected a torch.nn.Module, got str"),
        ({"function": 3}, TypeError, "function: expected a function, got int"),
        ({"weights": 3}, TypeError, "weights: expected a sequence, got int"),
        ({"weights": "12"}, TypeError, "weights: expected a sequence, got str"),
        ({"weights": [1.0, 0.0]}, ValueError, r"weights\[1\]=0.0: give a number above 0"),
        ({"fill": "black"}, ValueError, "fill='black': give a finite number"),
        ({"sets": {"a": torch.zeros(2)}}, ValueError, r"sets\['a'\]: expected floating.*float64.*float32.*double"),
        ({"sets": [1]}, TypeError, "sets: expected a mapping, got list"),
        ({"mask": torch.ones(4, 4)}, ValueError, r"mask: expected True or False, got dtype.*\.bool\(\)"),
        ({"generator": 0}, TypeError, r"generator: expected a torch.Generator, got int; torch.Gen"),
        ({"flag": "no"}, TypeError, "flag='no': give True or False"),
        ({"x": IMAGES[0]}, ValueError, r"x: expected shape \[n, c, h, w\], got \[3, 4, 4\]; add a batch axis with"),
        ({"x": IMAGES.numpy()}, TypeError, r"x: expected a torch.Tensor \[n, c, h, w\], got ndarray"),
        ({"x": (IMAGES * 255).byte()}, ValueError, "x: expected floating point.*uint8; divide uint8 images by 255"),
        ({"x": IMAGES.long()}, ValueError, r"x: expected floating point values, got dtype torch.int64; convert with"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named_with_what_is_allowed(given, error, message):
    with pytest.raises(error, match=f"^{message}"):
        step(**given)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES * 255, r"images: values must lie in \[0, 1\], got"),
        (IMAGES / 0 * 0, "images: holds NaN"),
        (IMAGES[:0], "images: the batch is empty"),
    ],
)
def test_images_are_looked_at(images, message):
    with pytest.raises(ValueError, match=message):
        see(images)
    with pytest.raises(ValueError, match="labels: labels count classes from 0, got -1"):
        see(IMAGES, torch.tensor([0, -1]))


def test_inside_vmap_values_cannot_be_seen_and_pass():
    assert torch.func.vmap(lambda x: see(x[None]))(255 * IMAGES).shape == (2, 1, 3, 4, 4)


def test_positional_and_named_arguments_meet_the_same_checks():
    with pytest.raises(ValueError, match="count=0"):
        step(IMAGES, 0.1, 0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'steps'"):
        step(steps=3)


def test_a_default_that_means_choose_is_chosen():
    assert isinstance(step()["device"], torch.device)


def test_an_old_keyword_warns_and_two_at_once_are_refused():
    with pytest.warns(DeprecationWarning, match="lambda_sim= is called bit_weight= now"):
        assert step(lambda_sim=2)["bit_weight"] == 2
    with (
        pytest.warns(DeprecationWarning, match="lambda_sim"),
        pytest.raises(TypeError, match="got lambda_sim= and bit_weight="),
    ):
        step(lambda_sim=2, bit_weight=1)


def test_classes_and_data_classes_have_doors():
    @door
    @dataclass(frozen=True)
    class Settings:
        rate: Positive = 0.1

    @door
    class Layer(nn.Module):
        def __init__(self, width: Count) -> None:
            super().__init__()
            self.width = width

    assert (Settings(np.float64(2.0)).rate, Layer(np.int32(4)).width) == (2.0, 4)
    for wrong in (lambda: Settings(rate=0), lambda: Layer(width=0), lambda: Layer(0)):
        with pytest.raises(ValueError, match="=0: give a"):
            wrong()


def test_it_costs_little_beside_looking_at_the_tensor():
    bare = see.__door__
    cost = {f: min(timeit.repeat(lambda f=f: f(IMAGES), number=500, repeat=7)) / 500 for f in (see, bare)}
    look = min(timeit.repeat(lambda: torch.stack(torch.aminmax(IMAGES)).tolist(), number=500, repeat=7)) / 500
    assert cost[see] - cost[bare] < look + 60e-6, cost  # 15 us on an idle core; twice the 30 allowed, for a busy one
