"""Schedules of densities: every stage in its turn, for its share of the steps."""

import pytest
import torch

from simplebits.density import DensityModel
from simplebits.simplify import Stage
from simplebits.simplify.arguments import InStages
from simplebits.simplify.schedule import stage_at


class Flat(DensityModel):
    def __init__(self, size=8, channels=3):
        super().__init__(size, channels)

    def log_density(self, g):
        return torch.zeros(len(g))


def test_a_single_density_is_one_stage_for_the_whole_run():
    density = Flat()
    (stage,) = InStages()("density", density)
    assert stage.density is density and (stage.share, stage.factor) == (1.0, 1.0)
    assert all(stage_at((stage,), progress / 10) is stage for progress in range(11))


@pytest.mark.parametrize("shares", [(0.1, 0.2), (1.0, 1.0, 1.0), (0.7, 0.1, 0.2), (5.0,)])
@pytest.mark.parametrize("steps", [1, 10, 33])
def test_every_stage_gets_its_share_of_the_steps(shares, steps):
    stages = InStages()("density", [Stage(Flat(), share) for share in shares])
    order = [stages.index(stage_at(stages, step / steps)) for step in range(steps)]
    assert order == sorted(order) and order[0] == 0
    for index, share in enumerate(shares):
        assert abs(order.count(index) - steps * share / sum(shares)) <= 1


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: torch.nn.Linear(1, 1), TypeError, "^density: expected a DensityModel or a sequence of Stage"),
        (lambda: 7, TypeError, "^density: expected"),
        (list, TypeError, "^density: "),
        (lambda: [Flat()], TypeError, "^density: "),
        (lambda: [Stage(torch.nn.Linear(1, 1))], TypeError, "^density: "),
        (lambda: [Stage(Flat(), share=0.0)], ValueError, "^share=0.0"),
        (lambda: [Stage(Flat(), share=float("nan"))], ValueError, "^share=nan"),
        (lambda: [Stage(Flat(), factor=-1.0)], ValueError, "^factor=-1.0"),
        (lambda: [Stage(Flat()), Stage(Flat(16))], ValueError, "^density: all stages .* one size"),
        (lambda: [Stage(Flat()), Stage(Flat(8, 1))], ValueError, "^density: all stages .* one size"),
    ],
)
def test_what_is_no_schedule_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        InStages()("density", wrong())  # made here, where annotations are not checked
