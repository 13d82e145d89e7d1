"""What a selection prints: a line, whatever the size of the image."""

import torch
from torch import nn

import simplebits as sb


def test_results_print_one_short_line():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, x = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.rand(3, 1, 8, 8)
    score = sb.subsets.class_score(network, x)
    whole = score(x).detach()[0]
    selection = sb.subsets.back_select(score, x, progress=False)[0]
    subset = selection.sufficient(float(whole) / 2)
    by_gradient = sb.subsets.batched_gradient_back_select(score, x, 16, progress=False)
    assert repr(selection).startswith(f"BackSelection(64 of 64 features masked, score {selection.score:.4g} to ")
    assert repr(subset).startswith(f"SufficientInputSubset({len(subset)} of 64 features, score ")
    assert repr(by_gradient) == "GradientSelection(3 images 8x8, 4 iterations)"
    assert repr(by_gradient.image(0)) == "GradientSelection(one image 8x8, 4 iterations)"
    assert all(len(repr(each)) < 100 for each in (selection, subset, by_gradient))
