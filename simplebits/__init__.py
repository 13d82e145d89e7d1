"""How little information does a neural network need? In each input, in the data set, from each sample.

>>> import simplebits as sb
>>> glow = sb.density.load("glow-16px")
>>> images = sb.data.load("digits", "test").to_float(size=16, channels=3)
>>> glow.bits_per_dim(images[:4]).shape
torch.Size([4])
"""

import importlib
from typing import TYPE_CHECKING

from simplebits._version import __version__ as __version__

if TYPE_CHECKING:  # imported when first touched, see below
    from simplebits import condense, data, density, information, networks, report, run, simplify, subsets

__all__ = ["condense", "data", "density", "information", "networks", "report", "run", "simplify", "subsets"]


def __getattr__(name: str) -> object:
    # Parts are imported when first touched: `import simplebits` and the command line's help stay instant.
    if name in __all__:
        return importlib.import_module(f"simplebits.{name}")
    raise AttributeError(f"module 'simplebits' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
