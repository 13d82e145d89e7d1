"""Image sets by name: embedded, torchvision's, drawn, composed. Bytes on the way, floats in [0, 1] at the network."""

from simplebits.data.augment import RandomShift
from simplebits.data.cifar_variants import CIFAR10_C, cifar10_1, cifar10_c, corrupted_sets
from simplebits.data.composite import COMPOSITES, CompositeSet, composite
from simplebits.data.corruptions import CORRUPTIONS, corrupt
from simplebits.data.image_file import read_image
from simplebits.data.image_set import ImageSet, to_bytes, to_float
from simplebits.data.load import NAMES, load
from simplebits.data.patients import PatientSet
from simplebits.data.phantoms import PhantomSet, phantoms
from simplebits.data.radiographs import chexpert, mimic_cxr
from simplebits.data.synthetic import synthetic
from simplebits.data.table import from_table
from simplebits.data.text import TextSet, glove, latent_vectors, mean_vectors, reviews
from simplebits.data.torchvision_sets import root

__all__ = [
    "CIFAR10_C",
    "COMPOSITES",
    "CORRUPTIONS",
    "NAMES",
    "CompositeSet",
    "ImageSet",
    "PatientSet",
    "PhantomSet",
    "RandomShift",
    "TextSet",
    "chexpert",
    "cifar10_1",
    "cifar10_c",
    "composite",
    "corrupt",
    "corrupted_sets",
    "from_table",
    "glove",
    "latent_vectors",
    "load",
    "mean_vectors",
    "mimic_cxr",
    "phantoms",
    "read_image",
    "reviews",
    "root",
    "synthetic",
    "to_bytes",
    "to_float",
]
