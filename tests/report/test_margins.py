"""What `published.yml` promises before a run: margins with reasons, tests of claims, a case or a reason for each."""

from pathlib import Path

import pytest

from simplebits.report import claim
from simplebits.report.published import Published, claims, everything, published, without_case
from simplebits.run import studies

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = [said for said in everything().values() if said.value is not None]


def cases() -> set[str]:
    """Keys that some case judges; a smoke case judges nothing."""
    every = [case for study in studies.all_of(ROOT).values() for case in study.cases.values()]
    return {key for case in every if not case.smoke for key in case.numbers}


def test_every_number_has_a_margin_and_a_reason():
    lacking = [said.key for said in NUMBERS if said.margin is None or len(said.because.split()) < 4]
    assert not lacking
    assert all(said.margin > 0 for said in NUMBERS)
    assert all(said.units is None or said.units >= 1 for said in NUMBERS)


def test_a_printed_spread_says_how_many_units_it_is_of():
    people = "overinterpretation.humans"  # the paper does not say how many
    assert not [said.key for said in NUMBERS if said.sd and not said.units and not said.key.startswith(people)]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("dc.mnist.ipc1.herding", "dc.mnist.ipc1.dc"),
        ("dc.mnist.ipc50.random", "dc.mnist.ipc50.dc"),
        ("dc.fashion-mnist.ipc50.random", "dc.fashion-mnist.ipc50.dc"),
        ("dc.cifar10.ipc1.k-centre", "dc.cifar10.ipc1.dc"),
        ("dc.depth.depth1.depth3", "dc.depth.depth2.depth3"),
        ("dc.pooling.none.max", "dc.pooling.max.max"),
        ("dc.normalisation.ln.ln", "dc.normalisation.ln.in"),
        ("dc.activation.relu.sigmoid", "dc.activation.relu.relu"),
        ("dc.baselines.mnist.ipc1.ors-top100", "dc.baselines.mnist.ipc1.ors-top10"),
        ("dm.cifar10.ipc1.mmd", "dm.cifar10.ipc1.dm"),
        ("dm.cifar10.ipc1.biggan", "dm.cifar10.ipc1.mmd"),
        ("overinterpretation.tableS1.resnet20.random5.cifar10", "overinterpretation.tableS1.resnet20.bs5.cifar10"),
        ("overinterpretation.tableS5.resnet20.calibrated.ece", "overinterpretation.tableS5.resnet20.uncalibrated.ece"),
        (
            "overinterpretation.tableS5.resnet20.uncalibrated.sis-size",
            "overinterpretation.tableS5.resnet20.calibrated.sis-size",
        ),
        (
            "unique-information.table1.weights.mlp.lambda0.influence",
            "unique-information.table1.weights.mlp.lambda0.linearisation",
        ),
        (
            "unique-information.table1.predictions.mlp.lambda0.influence",
            "unique-information.table1.predictions.mlp.lambda0.linearisation",
        ),
    ],
)  # fmt: skip
def test_no_margin_lets_a_number_pass_as_its_neighbour(lower, higher):
    one, other = published(lower), published(higher)
    assert one.value + one.margin <= other.value + 1e-9
    assert one.value <= other.value - other.margin + 1e-9


def test_condensed_sets_have_at_most_two_points():
    table = [said for said in NUMBERS if said.paper == "zhao2021gradient" and said.table == "Table 1"]
    assert max(said.margin for said in table if said.system == "DC") <= 2


@pytest.mark.parametrize("said", claims(), ids=lambda said: said.key)
def test_every_claim_has_tests_that_read(said: Published):
    assert said.tests, "state what would refute it"
    assert all(claim.parse(text).groups for text in said.tests)


@pytest.mark.parametrize(
    ("key", "groups"),
    [
        ("dc.coresets", {"random": 64.9, "herding": 89.2, "k-centre": 89.3, "forgetting": 35.5, "condensed": 89.4}),
        (
            "dc.images",
            {"condensed1": 91.7, "condensed10": 97.4, "condensed50": 98.8, "herding1": 89.2, "herding10": 96.7}
            | {"herding50": 94.9},
        ),
        ("dm.kernels", {"random": 26.0, "linear": 34.9, "polynomial": 30.0, "rbf": 26.0, "laplacian": 26.0}),
        ("unique-information.lengths", {"neighbours": 0.95, "farthest": 0.9}),
    ],
)  # fmt: skip
def test_claims_fail_where_they_should(key, groups):
    """Values of which one alone contradicts the paper, with no spread between units."""
    values = {name: {f"unit {k}": value for k in range(3)} for name, value in groups.items()}
    assert claim.together([claim.judge(claim.parse(text), values) for text in published(key).tests]) == "fails"


@pytest.mark.parametrize("row", ["mnist", "fashion-mnist", "svhn", "cifar10"])
def test_what_the_paper_prints_passes_its_own_tests(row):
    """With no spread between units, table 1 of DC holds the claims that speak of it."""
    found = {}
    for size in (1, 10, 50):
        printed = {"condensed": "dc", "herding": "herding", "random": "random", "k-centre": "k-centre"}
        printed |= {"forgetting": "forgetting"}
        values = {name: published(f"dc.{row}.ipc{size}.{key}").value for name, key in printed.items()}
        groups = {name: {f"set {k}": value for k in range(5)} for name, value in values.items()}
        tests = published("dc.coresets").tests
        assert claim.together([claim.judge(claim.parse(text), groups) for text in tests]) == "holds"
        found |= {f"{name}{size}": groups[name] for name in ("condensed", "herding")}
    tests = published("dc.images").tests
    assert claim.together([claim.judge(claim.parse(text), found) for text in tests]) == "holds"


def test_every_key_has_a_case_or_a_reason_why_not():
    judged, reasons = cases(), without_case()
    assert not sorted(set(everything()) - judged - set(reasons)), "neither a case nor a reason why there is none"
    assert not sorted(judged & set(reasons)), "a case judges what without_case says nobody can run"
    assert all(len(reason.split()) >= 3 for reason in reasons.values())
