"""Half precision is chosen by what the device is faster in, unless the caller says."""

import time

import pytest
import torch

import simplebits as sb
from simplebits import _precision


@pytest.mark.parametrize("faster", [True, False])
def test_none_asks_the_device_and_a_choice_does_not(monkeypatch, faster):
    monkeypatch.setattr(_precision, "faster_in_bf16", lambda kind: faster)
    cpu = torch.device("cpu")
    assert _precision.choose_bf16(None, cpu) is faster
    assert _precision.choose_bf16(True, cpu) is True
    assert _precision.choose_bf16(False, cpu) is False


@pytest.mark.unchecked
@pytest.mark.parametrize("wrong", ["no", 0, 1.0])
def test_what_is_neither_a_choice_nor_none_is_refused(wrong):
    with pytest.raises(TypeError, match="bf16: expected True, False, or None"):
        _precision.choose_bf16(wrong, torch.device("cpu"))


def test_the_measured_choice_is_not_the_slow_one():
    def seconds(dtype):
        a = torch.ones(512, 512, dtype=dtype)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            a @ a
            times.append(time.perf_counter() - start)
        return min(times)

    chosen = torch.bfloat16 if _precision.faster_in_bf16("cpu") else torch.float32
    other = torch.float32 if chosen is torch.bfloat16 else torch.bfloat16
    assert seconds(chosen) < 2 * seconds(other)


def test_by_default_a_classifier_is_trained_in_the_precision_the_device_is_faster_in(monkeypatch):
    seen = []

    class Watched(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(64, 10)

        def forward(self, x):
            y = self.layer(x.flatten(1))
            seen.append(y.dtype)
            return y

    digits = sb.data.load("digits", "train").draw(64)
    for faster, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        seen.clear()
        monkeypatch.setattr("simplebits._precision.faster_in_bf16", lambda kind, faster=faster: faster)
        sb.networks.fit_classifier(Watched(), digits, steps=1, size=8, progress=False)
        assert set(seen) == {dtype}
