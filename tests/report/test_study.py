"""What the notebook of a study calls: pieces are kept, values come one by one, fingerprints tell methods apart."""

import json
from pathlib import Path

import pytest
import torch

from simplebits.report import artefact, beside, evidence, judge, judge_correlation, ledger, measured_in, once, study

KEY = "dc.cross-architecture.mlp.mlp"


@pytest.fixture
def case(monkeypatch):
    """A run of a case is going on."""

    def make(name="mlp", near="", reduced="", profile="study", numbers=(KEY,)):
        about = {
            "study": "dc_table_2", "case": name, "near": near, "reduced": reduced, "version": 1,
            "numbers": list(numbers), "fingerprint": {},
        }  # fmt: skip
        path = ledger.start_run("dc_table_2", profile, study=about)
        monkeypatch.setenv(ledger.RUN, str(path))
        return path

    return make


def test_a_piece_is_computed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_CHECKPOINTS", str(tmp_path))
    calls = []
    for _ in range(2):
        assert once("set 0, LeNet", lambda: calls.append(1) or [0.5, {"a": 1}]) == [0.5, {"a": 1}]
    assert len(calls) == 1
    with pytest.raises(TypeError):
        once("set 1", lambda: torch.ones(1))
    assert once("set 0, LeNet", lambda: 7) == [0.5, {"a": 1}], "the failure lost nothing"


def test_a_mapping_comes_back_in_its_own_order(tmp_path, monkeypatch):
    """A sweep over lambda came back sorted as text after a kill: 0, 1, 12, 4."""
    monkeypatch.setenv("SIMPLEBITS_CHECKPOINTS", str(tmp_path))
    for _ in range(2):
        assert list(once("curve", lambda: {"4": 1.0, "12": 0.5, "0": 2.0})) == ["4", "12", "0"]


def test_in_a_notebook_opened_by_hand_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.delenv("SIMPLEBITS_CHECKPOINTS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert [once("a", lambda: 1), once("a", lambda: 2)] == [1, 2]
    assert not list(tmp_path.iterdir())


def test_values_take_the_place_of_fewer_ones(case):
    path = case()
    for count in (1, 2, 3):
        judge(KEY, {f"set {i}": 70.0 + i for i in range(count)})
    (record,) = ledger.read(path).records
    assert record.values == (70.0, 71.0, 72.0)
    assert record.units == ("set 0", "set 1", "set 2")


def test_networks_of_a_set_count_as_one_value_and_narrow_the_published_side(case):
    """A printed spread is over sets and networks: taken whole as one between sets, no number of units decided a row."""
    path = case()
    values = {f"set {i}": [70.0 + d + 0.1 * i for d in (-1.5, -0.5, 0.5, 1.5)] for i in range(5)}
    judge(KEY, values)
    (record,) = ledger.read(path).records
    assert record.values == pytest.approx([70.0, 70.1, 70.2, 70.3, 70.4])
    whole = judge(KEY, {unit: sum(some) / 4 for unit, some in values.items()})
    assert record.nested["set 1"] == pytest.approx([68.6, 69.6, 70.6, 71.6])
    assert record.interval.high - record.interval.low < 0.6 * (whole.interval.high - whole.interval.low)
    assert record.interval.difference == pytest.approx(whole.interval.difference)


def test_a_correlation_keeps_its_pairs_and_two_runs_join():
    key = "unique-information.table1.weights.mlp.lambda0.linearisation"
    a = {f"sample {i}": float(i) for i in range(12)}
    b = {unit: value + (-1) ** i for i, (unit, value) in enumerate(a.items())}
    first, second = (
        judge_correlation(key, {u: a[u] for u in units}, {u: b[u] for u in units})
        for units in (list(a)[:5], list(a)[5:])
    )
    joined, whole = evidence._join([first, second]), judge_correlation(key, a, b)
    assert (joined.mean, joined.pairs) == (pytest.approx(whole.mean), 12)
    assert joined.interval.low == pytest.approx(whole.interval.low)
    with pytest.raises(ValueError, match="sample 3"):
        judge_correlation(key, a, {unit: value for unit, value in b.items() if unit != "sample 3"})


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({}, "paper"),
        ({"near": "64 images a step"}, "near"),
        ({"reduced": "width 8"}, "reduced"),
        ({"name": "smoke", "profile": "smoke"}, "reduced"),
    ],
)
def test_the_setting_is_the_cases(case, settings, level):
    case(**settings)
    assert judge(KEY, {"set 0": 70.0}).level == level


def test_only_what_the_case_names_is_judged(case):
    case(numbers=("dc.mnist.ipc1.dc",))
    with pytest.raises(ValueError, match=r"not among the numbers of case 'mlp': dc\.mnist\.ipc1\.dc"):
        judge(KEY, {"set 0": 70.0})


def test_what_stands_beside_judges_nothing(case):
    path = case()
    beside("random images", {"set 0": [59.0, 61.0]}, "%")
    (record,) = ledger.read(path).records
    assert (record.published, record.verdict, record.values) == (None, "measured", (60.0,))


def test_a_rank_correlation_beside_shows_its_interval_in_a_lesson(case):
    assert "Not run yet" in measured_in("dc_table_2")._repr_markdown_()
    case()
    beside("bits and pixels", {"all": 0.5}, "ρ", pairs=100)
    beside("random images", {"set 0": 59.0}, "%")
    shown = measured_in("dc_table_2")._repr_markdown_()
    assert "| bits and pixels | 0.5 ρ \\[0.33, 0.64\\] | 100 |" in shown
    assert "| random images | 59% | 1 |" in shown
    assert "simplebits reproduce dc_table_2" in shown
    case(profile="smoke")
    beside("bits and pixels", {"all": 0.9}, "ρ", pairs=10)
    assert measured_in("dc_table_2")._repr_markdown_() == shown, "a smoke case shows nothing"
    assert "Not run yet" in measured_in("dc_table_2", "no such beginning")._repr_markdown_()
    assert str(measured_in("dc_figure_3")) == "not run"


def test_things_of_equal_settings_lie_in_one_place(case):
    assert artefact("condensed", seed=0) is None, "outside a run there is no place"
    case()
    one, same, other = (artefact("condensed", seed=seed, network="MLP") for seed in (0, 0, 1))
    assert one == same != other
    path = case()
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    assert artefact("condensed", seed=0, network="MLP") != one, "a later version of the method makes its own"
    path.write_text(path.read_text().replace('"version": 2', '"version": 1'))
    kept = ledger.results_folder() / "artefacts" / f"condensed-{one.name}"
    kept.parent.mkdir(parents=True)
    kept.write_text("a set")
    assert artefact("condensed", seed=0, network="MLP") == kept, "what the repository keeps is not made again"
    case("smoke", profile="smoke")
    assert artefact("condensed", seed=0, network="MLP") is None, "a smoke case makes everything anew"


def test_a_fingerprint_tells_a_small_change_from_rounding(case):
    x = torch.randn(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    path = case()
    kept = []
    for change in (0.0, 1e-6, 0.05):
        study.fingerprint("images", x + change * torch.arange(640).view_as(x) / 640)
        kept.append(json.loads(Path(path).read_text())["run"]["fingerprint"])
    assert study.differences(kept[1], kept[0], 1e-3) == []
    assert study.differences(kept[2], kept[0], 1e-3)
    assert study.differences({}, kept[0], 1e-3) == ["images is gone"]
    assert study.differences(kept[0], {}, 1e-3) == []
    assert study.differences({"x": [1.0, 1e-3]}, {"x": [1.0, 2e-3]}, 1e-3), "each number on its own scale"
    assert study.differences({"x": [float("nan")]}, {"x": [float("nan")]}, 1e-3), "what is no number is not equal"


def test_a_permutation_changes_the_fingerprint(case):
    path = case()
    x = torch.linspace(0, 1, 100)
    kept = []
    for values in (x, x.flip(0)):
        study.fingerprint("x", values)
        kept.append(json.loads(Path(path).read_text())["run"]["fingerprint"])
    assert study.differences(kept[0], kept[1], 1e-3)
