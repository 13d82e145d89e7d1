"""A slider over pictures made beforehand: the browser does the switching, so that it needs no kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float

from simplebits.report.figures import close
from simplebits.report.picture import picture

if TYPE_CHECKING:
    import matplotlib.figure
    from torch import Tensor


def slider(
    frames: Sequence[matplotlib.figure.Figure | Float[Tensor, "c h w"]],
    labels: Sequence[str],
    alts: Sequence[str],
    description: str,
) -> None:
    """Display pictures one at a time, chosen with a slider; the label of the picture shown stands below it.

    All frames travel inside the page: keep them few (at most about 20) and small. Image tensors cost least.

    Args:
        frames: the pictures in order, figures or images in [0, 1]; figures are closed.
        labels: what each picture is, `blur 1.5 px: 2.31 bits/dim` for example; formulas as `$x$`.
        alts: what there is to see in each.
        description: what the slider changes, `blur` for example.

    Raises:
        TypeError: a frame is neither a figure nor a tensor.
        ValueError: fewer than two frames, not one label and one text for each, or an empty text.
    """
    import ipywidgets
    from IPython.display import display
    from matplotlib.figure import Figure

    for name, texts in (("labels", labels), ("alts", alts)):
        if len(texts) != len(frames):
            raise ValueError(f"{name}: expected {len(frames)}, one for each frame, got {len(texts)}")
    if len(frames) < 2:
        raise ValueError(f"frames: a slider needs at least two, got {len(frames)}; report.show displays one")
    if not description.strip():
        raise ValueError("description is empty: say what the slider changes")
    pages = [picture(frame, alt, label, live=True) for frame, label, alt in zip(frames, labels, alts, strict=True)]
    for frame in frames:
        if isinstance(frame, Figure):
            close(frame)

    handle = ipywidgets.IntSlider(
        0,
        0,
        len(pages) - 1,
        description=description,
        tooltip=description,
        readout=False,
        style={"description_width": "initial"},
        layout={"width": "100%", "max_width": "32rem"},
    )
    if hasattr(ipywidgets, "Stack"):
        stage = ipywidgets.Stack([ipywidgets.HTML(page) for page in pages], selected_index=0)
        ipywidgets.jslink((handle, "value"), (stage, "selected_index"))
    else:  # ipywidgets 7, as on some hosted notebooks: there is a kernel there, so Python may do the switching.
        stage = ipywidgets.HTML(pages[0])
        handle.observe(lambda change: setattr(stage, "value", pages[change["new"]]), names="value")
    display(ipywidgets.VBox([handle, stage]))
