"""Image sets by name: embedded, torchvision's, drawn. Bytes on the way, floats in [0, 1] at the network."""

from simplebits.data.image_set import ImageSet, to_bytes, to_float
from simplebits.data.load import NAMES, load
from simplebits.data.synthetic import synthetic
from simplebits.data.torchvision_sets import root

__all__ = ["NAMES", "ImageSet", "load", "root", "synthetic", "to_bytes", "to_float"]
