"""Condense a data set: a few synthetic images a class from which a network still learns, and fewer bits in each."""

from simplebits.condense.augment import DSA_STRATEGY, DSA_STRATEGY_DIGITS, SiameseAugment
from simplebits.condense.class_batches import ClassBatches
from simplebits.condense.class_incremental import ClassIncremental, class_incremental
from simplebits.condense.condensation import Condensation
from simplebits.condense.condense import condense
from simplebits.condense.condensed_set import CondensedSet, CondenseHistory
from simplebits.condense.continual import Continual, continual
from simplebits.condense.coresets import coreset, count_forgetting, penultimate_features
from simplebits.condense.digit_augment import CropNoise, CropScaleRotate
from simplebits.condense.distances import distribution_distance, matching_distance
from simplebits.condense.distribution import distribution_matching_loss
from simplebits.condense.evaluate import Evaluation, evaluate
from simplebits.condense.generative import generative_set
from simplebits.condense.gradient import class_gradients, curriculum, gradient_matching_loss
from simplebits.condense.matching import DistributionMatching, GradientMatching, PixelMatching
from simplebits.condense.memory import memory_bits, remember
from simplebits.condense.other_losses import gradient_product_loss, unrolled_step_loss
from simplebits.condense.proxies import Proxy
from simplebits.condense.region_share import RegionShare, region_share
from simplebits.condense.search import search
from simplebits.condense.search_result import SearchResult, Trial
from simplebits.condense.search_space import Architecture, SearchSpace
from simplebits.condense.shipped import file_name, keep, load, shipped
from simplebits.condense.task_learner import ContinualHistory
from simplebits.condense.task_training import DC_TRAINING, TaskTraining

__all__ = [
    "DC_TRAINING", "DSA_STRATEGY", "DSA_STRATEGY_DIGITS", "Architecture", "ClassBatches", "ClassIncremental",
    "Condensation", "CondenseHistory", "CondensedSet", "Continual", "ContinualHistory", "CropNoise", "CropScaleRotate",
    "DistributionMatching", "Evaluation", "GradientMatching", "PixelMatching", "Proxy", "RegionShare", "SearchResult",
    "SearchSpace", "SiameseAugment", "TaskTraining", "Trial",
    "class_gradients", "class_incremental", "condense", "continual", "coreset", "count_forgetting", "curriculum",
    "distribution_distance", "distribution_matching_loss", "evaluate", "file_name", "generative_set",
    "gradient_matching_loss", "gradient_product_loss", "keep", "load", "matching_distance", "memory_bits",
    "penultimate_features", "region_share", "remember", "search", "shipped", "unrolled_step_loss",
]  # fmt: skip
