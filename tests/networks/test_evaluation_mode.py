"""Evaluation mode and back: every layer gets its own mode again, whatever happens in between."""

import pytest
import torch
from torch import nn

from simplebits.networks import predict
from simplebits.networks.evaluation_mode import evaluation_mode


def test_layers_get_their_own_modes_back_even_after_an_error():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    net[1].eval()
    seen = []

    def fail():
        with evaluation_mode(net):
            seen.extend(layer.training for layer in net.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not any(seen)
    assert net.training and net[0].training and not net[1].training


def test_predictions_leave_a_frozen_layer_frozen():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    net[1].eval()
    predict(net, torch.rand(3, 1, 2, 2))
    assert net.training and net[2].training and not net[1].training
