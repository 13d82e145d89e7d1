"""Architecture search: the space, trainings that go on where they were killed, and what a result says."""

import concurrent.futures
import pickle

import pytest
import torch

import simplebits as sb
from simplebits import _files
from simplebits.condense import Architecture, CondensedSet, Proxy, SearchResult, SearchSpace, Trial, search
from simplebits.condense.proxies import learn, share_right

CPU = {"device": "cpu", "bf16": False, "progress": False}
TWO = (Architecture(8, 2), Architecture(8, 1, "batch", "sigmoid", "none"))


@pytest.fixture(scope="module")
def digits():
    return sb.data.load("digits", "train").resized(8)


@pytest.fixture(scope="module")
def sets(digits):
    """Training, validation and test images, a few of each."""
    drawn = digits.draw(500)
    return drawn.subset(slice(0, 300)), drawn.subset(slice(300, 400)), drawn.subset(slice(400, 500))


@pytest.fixture(scope="module")
def proxies(sets):
    few = sb.condense.coreset(sets[0], "random", 2)
    return {
        "random": Proxy(CondensedSet.of(few, sets[0]), steps=6, batch_size=8, seeds=[0, 1]),
        "early": Proxy(sets[0], steps=4, batch_size=32, augment="crop_scale", seeds=3),
    }


@pytest.fixture(scope="module")
def whole(sets):
    return Proxy(sets[0], steps=12, batch_size=64, seeds=[0, 1])


def values(result):
    """All that two equal searches share: not the seconds."""
    return [(t.proxy, t.architecture, t.seed, t.validation, t.test, t.diverged) for t in result.trials]


def test_the_space_of_the_paper():
    space = SearchSpace().architectures
    assert len(space) == len(set(space)) == 4 * 4 * 5 * 3 * 3
    assert Architecture() in space, "the papers' own ConvNet"
    papers, default = sb.networks.build("ConvNet", 10, 3, 32), Architecture().build(10, 3, 32)
    assert [p.shape for p in papers.parameters()] == [p.shape for p in default.parameters()]


def test_networks_of_every_depth_norm_and_pooling_take_the_papers_images():
    with torch.device("meta"):
        for one in SearchSpace(widths=(32,), activations=("relu",)).architectures:
            assert one.build(10, 3, 32)(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_fewer_networks_are_the_first_of_more():
    space = SearchSpace()
    assert space.draw(60, seed=3)[:24] == space.draw(24, seed=3)
    assert len(set(space.draw(720))) == 720
    assert space.draw(5, seed=1) != space.draw(5, seed=2)
    with pytest.raises(ValueError, match="n=721: the space has 720 networks"):
        space.draw(721)


def test_weights_are_the_seeds_alone():
    torch.rand(7)
    first, again, other = (next(Architecture(8, 1).build(10, 1, 8, seed=seed).parameters()) for seed in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_every_image_is_seen_once_before_one_is_seen_again(sets):
    proxy = Proxy(sets[0], steps=10, batch_size=64)
    batches = [proxy.batch(0, step, torch.device("cpu")) for step in range(10)]  # two passes of five
    for half in (batches[:5], batches[5:]):
        assert [len(x) for x, _ in half] == [64, 64, 64, 64, 44]
        seen = torch.cat([x for x, _ in half]).flatten(1)
        expected = proxy.standardised(sets[0].to_float()).flatten(1)
        assert torch.allclose(seen.sum(0), expected.sum(0), atol=1e-3)
    assert not torch.equal(batches[0][0], batches[5][0])


def test_a_training_by_hand_is_the_librarys(sets, proxies):
    """SGD on the same batches, written out."""
    proxy, network = proxies["random"], TWO[0].build(10, 1, 8, seed=1)
    weights, velocity = list(network.parameters()), None
    for step in range(proxy.steps):
        x, labels = proxy.batch(1, step, torch.device("cpu"))
        slopes = torch.autograd.grad(torch.nn.functional.cross_entropy(network(x), labels), weights)
        slopes = [g + 5e-4 * w for g, w in zip(slopes, weights, strict=True)]
        velocity = slopes if velocity is None else [0.9 * v + g for v, g in zip(velocity, slopes, strict=True)]
        rate = 0.01 if step < 3 else 0.001
        with torch.no_grad():
            for w, v in zip(weights, velocity, strict=True):
                w -= rate * v
    library = TWO[0].build(10, 1, 8, seed=1)
    learn(library, proxy, 1, False, {}, None)
    for w, of_library in zip(weights, library.parameters(), strict=True):
        assert torch.allclose(w, of_library, atol=1e-6)


def test_accuracy_is_that_of_the_plain_function(sets, whole):
    network = TWO[0].build(10, 1, 8)
    x = whole.standardised(sets[1].to_float())
    plain = float((network(x).argmax(1) == sets[1].labels).float().mean())
    assert share_right(network, whole, sets[1], False) == pytest.approx(plain)


def test_a_search_trains_everything_once_and_beats_a_guess(sets, proxies, whole):
    result = search(TWO, proxies, Proxy(sets[0], steps=60, batch_size=64, seeds=0), *sets[1:], **CPU)
    assert result.proxies == ("random", "early", "whole")
    assert len(result.trials) == 2 * (2 + 1 + 1)
    assert max(result.accuracies("whole", "test")) > 0.6
    assert repr(result) == "SearchResult(2 networks, proxies: random, early, whole)"


class Killed(Exception):
    """Stands for the end of a process."""


def test_a_killed_search_goes_on_in_the_middle_of_a_training(sets, proxies, whole, tmp_path, monkeypatch):
    straight = search(TWO, proxies, whole, *sets[1:], **CPU)
    taken = []

    def counted(self, step):
        taken.append(step)
        if len(taken) == 17:
            raise Killed
        return plain(self, step)

    plain = Proxy.factor
    monkeypatch.setattr("simplebits._training.SECONDS", 0)  # a checkpoint after every step
    monkeypatch.setattr(Proxy, "factor", counted)
    with pytest.raises(Killed):
        search(TWO, proxies, whole, *sets[1:], folder=tmp_path, **CPU)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".json", ".json", ".safetensors"]
    again = search(TWO, proxies, whole, *sets[1:], folder=tmp_path, **CPU)
    assert len(taken) == 2 * (2 * 6 + 4 + 2 * 12) + 1, "each step once, but for the one that was killed"
    assert values(again) == values(straight)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}, "weights of finished trainings are not kept"
    assert values(search(TWO, proxies, whole, *sets[1:], folder=tmp_path, **CPU)) == values(straight)
    assert len(taken) == 81, "what is finished is read"


def test_a_folder_of_another_search_is_refused(sets, proxies, whole, tmp_path):
    search(TWO, proxies, whole, *sets[1:], folder=tmp_path, **CPU)
    longer = Proxy(sets[0], steps=13, batch_size=64, seeds=[0, 1])
    with pytest.raises(ValueError, match=r"whole-.*belongs to another search, with other steps; name another folder"):
        search(TWO, proxies, longer, *sets[1:], folder=tmp_path, **CPU)
    assert _files.read_json(next(tmp_path.glob("whole-*.json")))["settings"]["steps"] == 12


def test_processes_give_what_one_gives(sets, proxies, whole):
    here = search(TWO, proxies, whole, *sets[1:], **CPU)
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        there = search(TWO, proxies, whole, *sets[1:], spread=pool.map, **CPU)
    assert values(here) == values(there)


def test_order_of_results_does_not_matter(sets, proxies, whole):
    def backwards(function, items):
        return [function(pickle.loads(pickle.dumps(item))) for item in reversed(items)]  # noqa: S301

    here = search(TWO, proxies, whole, *sets[1:], **CPU)
    there = search(TWO, proxies, whole, *sets[1:], spread=backwards, **CPU)
    assert [here.accuracies(name) for name in here.proxies] == [there.accuracies(name) for name in here.proxies]


def test_a_network_that_diverges_guesses(sets, proxies):
    wild = Proxy(sets[0], steps=60, batch_size=64, learning_rate=1e12, seeds=0)
    result = search([Architecture(8, 2, "none")], {"wild": wild}, wild, *sets[1:], **CPU)
    assert [(t.diverged, t.validation, t.test) for t in result.trials] == [(True, 0.1, 0.1)] * 2


def made(**by_proxy):
    """A result with three networks whose accuracies are given, (validation, test) of each."""
    networks = tuple(Architecture(width) for width in (4, 8, 16))
    trials = [
        Trial(proxy, network, seed, *pair, seconds=2.0)
        for proxy, seeds in by_proxy.items()
        for seed, accuracies in enumerate(seeds)
        for network, pair in zip(networks, accuracies, strict=True)
    ]
    return SearchResult(networks, tuple(trials))


RESULT = made(
    few=[[(0.3, 0.2), (0.2, 0.2), (0.25, 0.2)], [(0.3, 0.2), (0.6, 0.2), (0.25, 0.2)]],
    whole=[[(0.8, 0.70), (0.9, 0.85), (0.7, 0.9)]],
)


def test_what_a_result_says():
    assert RESULT.accuracies("few") == pytest.approx([0.3, 0.4, 0.25])
    assert RESULT.accuracies("few", seed=0) == [0.3, 0.2, 0.25]
    assert RESULT.ranking("few") == [1, 0, 2] and RESULT.ranking("few", seed=0) == [0, 2, 1]
    assert RESULT.pairs("few", 2) == (pytest.approx([0.4, 0.3]), [0.9, 0.8])
    assert RESULT.pairs("few", 2, "test")[1] == [0.85, 0.70]
    assert RESULT.pick("few").width == 8 and RESULT.pick("few", seed=0).width == 4
    assert RESULT.regret("few") == 0
    assert RESULT.regret("few", seed=0) == pytest.approx(0.15), "0.85, the pick of the whole set, over 0.70"
    assert RESULT.seconds("few") == 12


def test_ties_keep_the_order_given():
    assert made(few=[[(0.5, 0), (0.5, 0), (0.6, 0)]], whole=[[(0, 0)] * 3]).ranking("few") == [2, 0, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RESULT.pairs("fwe"), "proxy='fwe' is not known; did you mean 'few'"),
        (lambda: RESULT.accuracies("few", seed=9), r"seed=9: few was trained with \[0, 1\]"),
        (lambda: RESULT.pairs("few", 4), "top=4: the search had 3 networks"),
    ],
)
def test_wrong_questions_to_a_result(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_searches(sets, proxies, whole, digits):
    with pytest.raises(ValueError, match="candidates: one occurs twice"):
        search(TWO * 2, proxies, whole, *sets[1:], **CPU)
    for name in ("whole", "a/b", ""):
        with pytest.raises(ValueError, match=f"proxies: '{name}' names files"):
            search(TWO, {name: whole}, whole, *sets[1:], **CPU)
    other = Proxy(digits.resized(12), steps=1)
    with pytest.raises(ValueError, match=r"proxies\['other'\]: has images \[1, 12, 12\], whole has \[1, 8, 8\]"):
        search(TWO, {"other": other}, whole, *sets[1:], **CPU)
    photos = sb.data.load("photos", "test")
    with pytest.raises(ValueError, match="test: .* has a class .* not among those learned"):
        search(TWO, proxies, whole, sets[1], photos, **CPU)
    with pytest.raises(ValueError, match="depth=4 halves the images 4 times"):
        search([Architecture(8, 4)], proxies, whole, *sets[1:], **CPU)
    with pytest.raises(ValueError, match="images: .* is empty; give at least one image"):
        Proxy(digits.subset([]), steps=1)


def test_what_is_stored():
    digits = sb.data.load("digits", "train")
    assert Proxy(digits, steps=3, batch_size=10).images_seen == 30
    assert Proxy(digits, steps=10**6).images_seen == len(digits)


def test_classes_are_found_by_name(sets, proxies, whole):
    turned = [images.with_classes(images.classes[::-1]) for images in sets]
    straight, other = (search(TWO[:1], proxies, whole, *each[1:], **CPU) for each in (sets, turned))
    assert values(straight) == values(other)
    with pytest.raises(ValueError, match=r"proxies\['turned'\]: has the classes \['9', '8'"):
        search(TWO, {"turned": Proxy(turned[0], steps=1)}, whole, *sets[1:], **CPU)
