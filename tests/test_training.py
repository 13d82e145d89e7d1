"""The training loop: what it counts, keeps, writes and reads back, and when it stops."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState


@dataclass
class History:
    losses: list = field(default_factory=list)
    curve: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    seconds: float = 0.0


class Descent:
    """Least squares; each step draws from its own number, as all trainings here do."""

    def __init__(self, **settings):
        self.net, self.history, self.settings = nn.Linear(2, 1, bias=False), History(), settings
        nn.init.ones_(self.net.weight)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=0.1)

    def fit(self, steps, *, stop=None, broken=(), **options):
        state = TrainingState({"net": self.net}, {"net": self.adam}, self.settings)
        training = Training(steps, "descent", state=state, history=self.history, progress=False, **options)
        for step in training:
            if step == stop:
                raise KeyboardInterrupt
            x = torch.randn(4, 2, generator=torch.Generator().manual_seed(step))
            loss = (self.net(x) - x.sum(1, keepdim=True)).square().mean() * (torch.nan if step in broken else 1)
            set_rates(self.adam, [0.1], training.cooling(0.5))
            if training.proceed(loss):
                self.adam.zero_grad()
                loss.backward()
                self.adam.step()
                self.history.losses.append(float(loss.detach()))
            if training.at(3):
                self.history.curve.append((step + 1, float(loss.detach())))
                training.keep(self.net.weight.detach().clone())
        return training


def test_a_killed_training_ends_where_an_unbroken_one_does(tmp_path):
    whole, killed, again = Descent(), Descent(), Descent()
    whole.fit(10)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(10, stop=7, checkpoint=tmp_path / "it", checkpoint_every=3)
    assert again.fit(10, checkpoint=tmp_path / "it", checkpoint_every=3).resumed == {}
    assert again.history.losses == whole.history.losses
    assert again.history.curve == whole.history.curve, "tuples, as they were"
    assert [at for at, _ in again.history.kept] == [3, 6, 9, 10]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(again.history.kept, whole.history.kept, strict=True))
    assert torch.equal(again.net.weight, whole.net.weight)


def test_time_counts_over_all_parts(tmp_path):
    first, second = Descent(), Descent()
    first.fit(3, checkpoint=tmp_path / "it")
    second.fit(6, checkpoint=tmp_path / "it")
    assert second.history.seconds > first.history.seconds > 0


def test_a_finished_training_is_read_back_and_fewer_steps_are_refused(tmp_path):
    Descent().fit(6, checkpoint=tmp_path / "it")
    again = Descent()
    assert again.fit(6, checkpoint=tmp_path / "it").step == 6
    assert len(again.history.losses) == 6
    with pytest.raises(ValueError, match="holds 6 steps, steps=5 asks for fewer"):
        Descent().fit(5, checkpoint=tmp_path / "it")
    with pytest.raises(ValueError, match="belongs to another training: seed=0 there, 1 here|another training"):
        Descent(seed=1).fit(6, checkpoint=tmp_path / "it")


def test_steps_that_are_not_finite_are_left_out_until_there_are_too_many(tmp_path):
    some = Descent()
    some.fit(10, broken=(2, 3, 7), patience=3)
    assert len(some.history.losses) == 7
    with pytest.raises(FloatingPointError, match="3 steps in a row .* not finite at step 4; lower the rate"):
        Descent().fit(10, broken=(2, 3, 4), patience=3, remedy="lower the rate")
    with pytest.raises(FloatingPointError, match="the loss is nan at step 2; lower the learning rate"):
        Descent().fit(10, broken=(2,))
    # A kill between two bad steps does not start the count anew.
    with pytest.raises(KeyboardInterrupt):
        Descent().fit(10, broken=(2, 3, 4), stop=4, patience=3, checkpoint=tmp_path / "it", checkpoint_every=2)
    with pytest.raises(FloatingPointError, match="3 steps in a row"):
        Descent().fit(10, broken=(2, 3, 4), patience=3, checkpoint=tmp_path / "it", checkpoint_every=2)


def test_rates_cool_and_a_training_ends_when_told():
    training = Training(10, "x", state=TrainingState({}, {}, {}), history=History(), progress=False)
    seen = {}
    for step in training:
        seen[step] = (training.cooling(0.5), training.at(None), training.at(4))
        if step == 7:
            training.end()
            assert training.at(None), "the step that ends it is the last one"
    assert list(seen) == list(range(8))
    assert [seen[i][0] for i in (0, 5, 6, 7)] == pytest.approx([1.0, 1.0, 0.8, 0.6])
    assert [i for i in seen if seen[i][2]] == [3, 7]
    assert not any(last for _, last, _ in seen.values())


def test_a_pass_that_counts_for_several_steps_is_written_when_a_round_is_full(tmp_path):
    file, written = tmp_path / "some", []
    training = Training(
        10, "passes", state=TrainingState({}, {}, {}), history=History(), checkpoint=file, checkpoint_every=4,
        tensors=lambda: written.append(training.step) or {}, progress=False,
    )  # fmt: skip
    begun = []
    for step in training:
        begun.append(step)
        training.stride = min(3, 10 - step)
    assert begun == [0, 3, 6, 9]
    assert written == [6, 9, 10], "at the first pass past 4 and past 8, and at the end"
    again = Training(10, "passes", state=TrainingState({}, {}, {}), history=History(), checkpoint=file, progress=False)
    assert list(again) == []
