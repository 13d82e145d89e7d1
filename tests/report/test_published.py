"""The papers' numbers: all there, found by key, each with its source."""

import hashlib
import re
import sys

import pytest

from simplebits.report import published as published_function
from simplebits.report.published import Published, claims, everything, papers, published, tables

CHAPTERS = {
    "01_bits_per_dimension",
    "02_glow_step_by_step",
    "03_other_density_models",
    "04_per_instance_simplification",
    "05_injected_distractors",
    "06_accuracy_vs_bits",
    "07_gradient_matching",
    "08_distribution_matching",
    "09_condense_and_simplify",
    "10_chest_radiographs",
    "11_continual_learning",
    "12_architecture_search",
    "13_simplify_after_training",
    "14_sufficient_input_subsets",
    "15_overinterpretation",
    "16_unique_information",
    "17_which_samples_matter",
    "18_one_image_five_lenses",
}


# One or two numbers of every table, typed from the papers a second time, independently of published.yml.
@pytest.mark.parametrize(
    ("key", "value", "sd", "unit"),
    [
        ("simplebits.bits.glow.black", 0.05, None, "bits/dim"),
        ("simplebits.bits.glow.image9", 6.32, None, "bits/dim"),
        ("simplebits.bits.pixelcnn.image4", 1.25, None, "bits/dim"),
        ("simplebits.bits.diffusion.image6", 2.52, None, "bits/dim"),
        ("simplebits.classifier.nf-wrn.cifar10", 94.0, None, "%"),
        ("simplebits.classifier.nf-wrn-16-2.cifar10", 91.2, None, "%"),
        ("simplebits.tradeoff.knee", 2.0, None, "bits/dim"),
        ("simplebits.continual.final.without-kd", 95.4, None, "%"),
        ("simplebits.continual.fewer-bits", 9.0, None, "×"),
        ("overinterpretation.tableS1.resnet18.bs5.cifar10-c", 74.91, 0.41, "%"),
        ("overinterpretation.tableS2.vgg16.resnet20.cifar10", 92.05, 0.14, "%"),
        ("overinterpretation.tableS3.vgg16.bs5.plain.cifar10", 41.63, 3.55, "%"),
        ("overinterpretation.tableS4.resnet20.full.bs5", 82.80, None, "%"),
        ("overinterpretation.tableS4.vgg16.dropout.dropout", 81.00, 0.65, "%"),
        ("overinterpretation.tableS4.ensemble.full.full", 90.30, None, "%"),
        ("overinterpretation.tableS5.vgg16.calibrated.sis-size", 8.26, 2.86, "% of image"),
        ("overinterpretation.tableS5.resnet20.uncalibrated.ece", 3.91, None, "%"),
        ("overinterpretation.tableS5.resnet18.uncalibrated.images", 8596.0, None, "images"),
        ("overinterpretation.humans.pixels30", 40.0, 2.5, "%"),
        ("overinterpretation.imagenet.inception-v3.full.bs10.top1", 73.87, None, "%"),
        ("overinterpretation.imagenet.resnet50.random10.random10.top1", 55.70, 0.24, "%"),
        ("overinterpretation.imagenet.inception-v3.confident-images", 23080.0, None, "images"),
        ("overinterpretation.imagenet.vit.top1", 83.9, None, "%"),
        ("overinterpretation.imagenet.size.bee-eater", 28.4, None, "% of image"),
        ("overinterpretation.imagenet.size.coffeepot", 1.9, None, "% of image"),
        ("unique-information.table1.weights.mlp.lambda0.linearisation", 0.987, None, "r"),
        ("unique-information.table1.weights.cnn-scratch.lambda1000.linearisation", -0.012, None, "r"),
        ("unique-information.table1.predictions.resnet50.lambda1000.influence", 0.506, None, "r"),
        ("unique-information.architectures.resnet50.densenet121", 0.452, None, "r"),
        ("unique-information.training-length.t1000.t-infinity", 0.943, None, "r"),
        ("unique-information.initialisation", 0.364, 0.066, "r"),
        ("unique-information.toy.kl", 3.0, None, "nats"),
        ("unique-information.review-length", -0.16, None, "r"),
        ("unique-information.speed-up", 30.0, None, "×"),
        ("dc.mnist.ipc1.random", 64.9, 3.5, "%"),
        ("dc.svhn.ipc10.k-centre", 14.0, 1.3, "%"),
        ("dc.cifar10.ipc50.dc", 53.9, 0.5, "%"),
        ("dc.fashion-mnist.whole", 93.5, 0.1, "%"),
        ("dc.cifar100.ipc1.ld", 11.5, 0.4, "%"),
        ("dc.cifar100.ipc10.dc", 25.2, 0.3, "%"),
        ("dc.cross-architecture.mlp.alexnet", 70.9, 11.6, "%"),
        ("dc.distillation.mnist.ipc10.dd", 79.5, 8.1, "%"),
        ("dc.distillation.generalisation.dd.vgg", 11.4, 2.6, "%"),
        ("dc.cost.mnist.lenet.dc.time", 46.0, None, "min"),
        ("dc.cost.cifar10.alexcifarnet.dc.memory", 1445.0, None, "MB"),
        ("dc.baselines.svhn.ipc10.ors-top10", 42.9, 0.9, "%"),
        ("dc.baselines.mnist.ipc1.cgan", 64.0, 3.2, "%"),
        ("dc.metric.cosine.mlp", 45.2, 3.6, "%"),
        ("dc.activation.relu.sigmoid", 86.1, 0.9, "%"),
        ("dc.pooling.max.avg", 91.1, 0.6, "%"),
        ("dc.normalisation.in.bn", 56.7, 6.5, "%"),
        ("dc.depth.depth4.depth3", 91.9, 0.5, "%"),
        ("dc.width.width64.width128", 91.8, 0.5, "%"),
        ("dc.search.correlation.random", -0.21, None, "ρ"),
        ("dc.search.time.whole", 8604.3, None, "min"),
        ("dc.continual.t3.with-kd", 95.2, None, "%"),
        ("dc.continual.t3.without-kd.above-herding", 2.3, None, "points"),
        ("dsa.mnist.ipc50", 99.2, None, "%"),
        ("dsa.cifar100.ipc10", 32.3, None, "%"),
        ("dm.cifar10.ipc50.dm", 63.0, 0.4, "%"),
        ("dm.cifar10.ipc10.mmd", 34.9, 0.3, "%"),
        ("dm.cifar10.ipc1250.dm", 80.8, 0.3, "%"),
        ("dm.mnist.ipc50.dm", 98.6, 0.1, "%"),
        ("dm.cifar100.ipc10.kip", 28.3, 0.1, "%"),
    ],
)
def test_numbers_are_those_of_the_papers(key, value, sd, unit):
    found = published(key)
    assert (found.value, found.sd, found.unit) == (value, sd, unit)


def test_no_number_changes_unnoticed():
    # All numbers were compared with the papers' texts. Whoever corrects one compares again, then writes the new digest.
    lines = (f"{said.key} {said.text} {said.unit}" for said in everything().values() if said.value is not None)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest == "0b5e7ea204b8eb9f4500e8be348ab506859d9994a109edffb4ce1ef8c06811d7"


def test_every_number_of_every_table_is_there():
    numbers = {}
    for table in tables():
        numbers[table.table] = numbers.get(table.table, 0) + len(table.cells)
    assert numbers == {
        "Figures 2 and S1": 27,
        "Section 3": 2,
        "Section 3.2": 1,
        "Section S12": 4,
        "Table S1": 12,
        "Table S2": 12,
        "Table S3": 24,
        "Table S4": 20,
        "Table S5 and Section S3.1": 18,
        "Table S6": 3,
        "Table S7": 38,
        "Sections S6.3 and S6.4": 2,
        "Section S6.3 and Figure S16": 10,
        "Table 1": 40 + 64,
        "Figure 5a": 6,
        "Figure 5b": 15,
        "Sections A.1, A.4, A.8 and 6": 5,
        "Table T13": 12,
        "Table 2": 36,
        "Table 3": 8,
        "Table T14": 12,
        "Table T15": 8,
        "Table T12": 32,
        "Table T11": 18,
        "Table T6": 9,
        "Table T7": 9,
        "Table T8": 25,
        "Table T9": 16,
        "Table T10": 16,
        "Table 4": 20,
        "Figure 4 as quoted in section S12 of SimpleBits, and section 3.2": 4,
        "Table 2 of the authors' README (no spread given)": 14,
        "Table T1": 18,
        "Large sets, authors' README": 5,
        "Supplement, section 2.3": 4,
    }
    assert len(everything()) == sum(numbers.values()) + len(claims())


def test_every_system_of_the_papers_is_there():
    systems = {said.system for said in everything().values()}
    assert systems >= {
        "SimpleBits",
        "SimpleBits with condensation",
        "SimpleBits after training",
        "Gaussian blur",
        "JPEG compression",
        "Simplifier with mean squared error",
        "Normaliser-free Wide ResNet",
        "Sufficient input subsets",
        "Backward-selection pixel subsets",
        "Random pixel subsets",
        "Batched gradient SIS",
        "Input dropout",
        "People",
        "Linearised network",
        "Influence functions",
        "Functional sample information",
        "Random",
        "Herding",
        "K-Center",
        "Forgetting",
        "DC",
        "DD",
        "LD",
        "Optimal random selection",
        "cGAN",
        "Early stopping",
        "Whole data set",
        "DSA",
        "DM",
        "GMMN",
        "VAE",
        "BigGAN",
        "MMD",
        "KIP",
    }


def test_every_entry_says_where_it_comes_from():
    for key, said in everything().items():
        assert said.key == key
        assert re.fullmatch(r"[\w.-]+", key), "a key is one word, fit for a command line"
        assert said.paper in papers()
        assert said.chapter in CHAPTERS
        assert said.table
        assert said.quantity
        assert said.system
        if said.value is None:
            assert (said.sd, said.unit, said.text) == (None, "", "")
        else:
            assert said.row
            assert said.unit
            assert [float(part) for part in said.text.split("±")] == [x for x in (said.value, said.sd) if x is not None]
            assert said.sd is None or said.sd >= 0
            assert said.unit != "%" or 0 <= said.value <= 100
            assert said.unit not in ("r", "ρ") or -1 <= said.value <= 1


def test_one_setting_has_one_number_wherever_it_is_printed():
    same = [
        (
            "dc.mnist.ipc1.dc",
            "dc.cross-architecture.convnet.convnet",
            "dc.metric.layerwise.convnet",
            "dc.pooling.avg.avg",
            "dc.normalisation.in.in",
            "dc.depth.depth3.depth3",
            "dc.width.width128.width128",
            "dc.activation.relu.relu",
        ),
        ("dc.cifar10.ipc10.random", "dm.cifar10.ipc10.random"),
        ("dc.distillation.mnist.ipc10.dd", "dc.distillation.generalisation.dd.lenet"),
    ]
    for keys in same:
        assert len({published(key).text for key in keys}) == 1


def test_row_and_column_read_as_words():
    assert published("dc.mnist.ipc1.random").row == "MNIST, 1 image per class, Random"
    assert str(published("dc.mnist.ipc1.random")) == "64.9 ± 3.5%"
    assert str(published("overinterpretation.tableS4.resnet20.full.bs5")) == "82.80%", "as printed, zero included"
    assert published("unique-information.table1.weights.mlp.lambda0.linearisation").row == (
        "change of the weights, λ = 0, linearisation, MLP"
    )


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ValueError, match=r"dc\.mnist\.ipc1\.herding"):
        published("dc.mnist.ipc1.hering")
    with pytest.raises(ValueError, match="is not known"):
        published("")


def test_the_package_offers_the_function_not_the_module():
    assert published_function is published
    assert isinstance(published_function("dc.mnist.ipc1.dc"), Published)


@pytest.fixture
def other_file(tmp_path, monkeypatch):
    """Put another published.yml in the place of the real one."""
    module = sys.modules["simplebits.report.published"]  # its name in the package is the function's
    cached = (module._content, module.tables, module.claims, module.everything)

    def put(text):
        path = tmp_path / "published.yml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(module, "_file", lambda: path)
        for function in cached:
            function.cache_clear()

    yield put
    monkeypatch.undo()
    for function in cached:
        function.cache_clear()


BLOCK = """
papers: {p: [P, Paper]}
names: {}
claims: []
tables:
- {key: k, paper: p, table: T, quantity: q, unit: "%", system: s, chapter: c, cells: "CELLS"}
"""


def test_a_damaged_file_is_named(other_file):
    for text in ("tables: [", "just text", "tables: []"):
        other_file(text)
        with pytest.raises(ValueError, match=r"published\.yml is damaged"):
            everything()


def test_a_row_that_is_too_short_is_named(other_file):
    other_file(BLOCK.replace("CELLS", r"x a b\ny 1"))
    with pytest.raises(ValueError, match="T of p, row y: 2 columns, 1 cells"):
        everything()


def test_two_numbers_with_one_key_are_named(other_file):
    other_file(BLOCK.replace("CELLS", r"x a\ny 1\ny 2"))
    with pytest.raises(ValueError, match="T of p has two cells for"):
        everything()
    block = BLOCK.replace("CELLS", r"x a\ny 1")
    other_file(block + block.splitlines()[-1])
    with pytest.raises(ValueError, match=r"keys used twice: k\.y\.a"):
        everything()


def test_cells_expand_as_the_head_of_the_file_says(other_file):
    other_file(BLOCK.replace("CELLS", r"x a value\nr.* 1±0.5 -\nv - 2.50"))
    assert {key: (said.value, said.sd, said.text) for key, said in everything().items()} == {
        "k.r.a": (1.0, 0.5, "1±0.5"),
        "k.v": (2.5, None, "2.50"),
    }
