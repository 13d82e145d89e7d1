"""Image sets by name: embedded, torchvision's, drawn, composed. Bytes on the way, floats in [0, 1] at the network."""

from simplebits.data.augment import RandomShift
from simplebits.data.composite import COMPOSITES, CompositeSet, composite
from simplebits.data.image_set import ImageSet, to_bytes, to_float
from simplebits.data.load import NAMES, load
from simplebits.data.synthetic import synthetic
from simplebits.data.torchvision_sets import root

__all__ = [
    "COMPOSITES",
    "NAMES",
    "CompositeSet",
    "ImageSet",
    "RandomShift",
    "composite",
    "load",
    "root",
    "synthetic",
    "to_bytes",
    "to_float",
]
