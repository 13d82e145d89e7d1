"""Sliders: what lies in the notebook for the browser to move."""

from __future__ import annotations

import ipywidgets
import matplotlib.pyplot as plt
import pytest
import torch

import simplebits as sb

FRAMES = list(torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0)))
LABELS, ALTS = ["none", "some", "much"], ["No noise.", "Some noise.", "Much noise."]


@pytest.fixture
def displayed(monkeypatch):
    """What is handed to IPython."""
    found = []
    monkeypatch.setattr("IPython.display.display", found.append)
    yield found
    ipywidgets.Widget.close_all()
    plt.close("all")


def parts(box):
    handle, stage = box.children
    return handle, stage


def test_the_browser_alone_links_the_handle_to_the_stack(displayed, monkeypatch):
    links = []
    monkeypatch.setattr(ipywidgets, "jslink", lambda *ends: links.append(ends))
    sb.report.slider(FRAMES, LABELS, ALTS, "noise")
    handle, stage = parts(displayed[0])
    assert links == [((handle, "value"), (stage, "selected_index"))]
    assert (handle.min, handle.max, handle.value, stage.selected_index) == (0, 2, 0, 0)
    assert handle.description == handle.tooltip == "noise"


def test_every_frame_has_its_picture_text_and_label(displayed):
    sb.report.slider(FRAMES, LABELS, ALTS, "noise")
    _, stage = parts(displayed[0])
    pages = [child.value for child in stage.children]
    assert len({page.split('src="')[1].split('"')[0] for page in pages}) == 3
    for page, label, alt in zip(pages, LABELS, ALTS, strict=True):
        assert f'alt="{alt}"' in page
        assert f'<figcaption aria-live="polite">{label}</figcaption>' in page


def test_figures_are_frames_too_and_are_closed(displayed):
    frames = [plt.subplots()[0] for _ in range(3)]
    sb.report.slider(frames, LABELS, ALTS, "noise")
    assert len(parts(displayed[0])[1].children) == 3
    assert plt.get_fignums() == []


def test_small_images_cost_little(displayed):
    sb.report.slider(list(torch.rand(10, 3, 32, 32)), ["label"] * 10, ["text"] * 10, "noise")
    assert sum(len(child.value) for child in parts(displayed[0])[1].children) < 60_000


def test_where_there_is_no_stack_python_switches(displayed, monkeypatch):
    monkeypatch.delattr(ipywidgets, "Stack")
    sb.report.slider(FRAMES, LABELS, ALTS, "noise")
    handle, stage = parts(displayed[0])
    assert "No noise." in stage.value
    handle.value = 2
    assert "Much noise." in stage.value


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": LABELS[:2]}, "labels: expected 3, one for each frame, got 2"),
        ({"alts": [*ALTS, "more"]}, "alts: expected 3, one for each frame, got 4"),
        ({"alts": ["No noise.", "", "Much noise."]}, "say in a sentence"),
        ({"description": " "}, "description is empty"),
        ({"frames": FRAMES[:1], "labels": LABELS[:1], "alts": ALTS[:1]}, "at least two, got 1"),
    ],
)
def test_what_is_missing_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        sb.report.slider(**({"frames": FRAMES, "labels": LABELS, "alts": ALTS, "description": "noise"} | arguments))


@pytest.mark.unchecked
def test_a_frame_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="got str"):
        sb.report.slider(["a.png", "b.png"], LABELS[:2], ALTS[:2], "noise")
