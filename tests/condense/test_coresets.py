"""Coresets: known answers on hand-made points, what each greedy choice promises, counting what is forgotten."""

from itertools import combinations, pairwise

import pytest
import torch
from torch import nn

from simplebits.condense.coresets import coreset, count_forgetting, penultimate_features
from simplebits.data import ImageSet


def numbered(labels, classes=None):
    """One image for each label; its grey level is its position, so that it can be recognised in a coreset."""
    labels = torch.tensor(labels)
    images = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    names = tuple("abcdefghij")[: classes or int(labels.max()) + 1]
    return ImageSet(images, labels, names, "numbered")


def positions(chosen):
    return chosen.images[:, 0, 0, 0].tolist()


def cloud(n, d=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator) * torch.linspace(0.5, 2, d) + 5


def radius(points, centres):
    """Distance of the point that is farthest from its nearest centre."""
    return float(torch.cdist(points, points[list(centres)]).amin(1).max())


class Flat(nn.Module):
    """Dropout, then a linear layer on the pixels; the features are the pixels themselves."""

    def __init__(self, classes=2, pixels=64, dropout=0.0):
        super().__init__()
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(pixels, classes)

    def embed(self, x):
        return self.dropout(x.flatten(1))

    def forward(self, x):
        return self.linear(self.embed(x))


def test_herding_on_a_line():
    # Mean 4. First 3, the closest; then 6 (with 3: mean 4.5; with 0, 1 or 10: 1.5, 2, 6.5); then 1 (mean 10/3).
    features = torch.tensor([[0.0], [1.0], [3.0], [6.0], [10.0]])
    assert positions(coreset(numbered([0] * 5), "herding", 3, features=features)) == [2, 3, 1]


def test_k_centre_on_a_line():
    # Mean 4.1. First 3, the closest; then 9.5, the farthest; then 0, which is 3 from the nearest (1: 2, 7: 2.5).
    features = torch.tensor([[0.0], [1.0], [3.0], [7.0], [9.5]])
    assert positions(coreset(numbered([0] * 5), "k-centre", 3, features=features)) == [2, 4, 0]


def test_every_class_is_chosen_by_itself():
    labels = [1, 0, 1, 0, 1, 0]
    features = torch.tensor([[100.0, 0], [0, 0], [103.0, 0], [0, 1], [104.0, 0], [0, 5]])
    for method in ("herding", "k-centre"):
        chosen = coreset(numbered(labels), method, 2, features=features)
        assert chosen.labels.tolist() == [0, 0, 1, 1] and chosen.name == f"numbered, {method}"
        assert positions(chosen) == [3, 5, 2, 0]


@pytest.mark.parametrize("method", ["random", "herding", "k-centre", "forgetting"])
def test_any_number_of_different_images_and_fewer_are_the_first_of_more(method):
    train, features, counts = numbered([0] * 30 + [1] * 20), cloud(50), torch.arange(50) % 4
    features[:10] = features[0]  # images that look alike are chosen once each all the same
    options = {"features": features, "forgetting": counts}
    per_class = [coreset(train, method, n, **options) for n in (3, 20)]
    for n, chosen in zip((3, 20), per_class, strict=True):
        assert chosen.labels.tolist() == [0] * n + [1] * n and len(set(positions(chosen))) == 2 * n
        assert torch.equal(train.labels[positions(chosen)], chosen.labels)
    assert positions(per_class[1])[:3] == positions(per_class[0])[:3]
    assert positions(per_class[1])[20:23] == positions(per_class[0])[3:]


@pytest.mark.parametrize("seed", range(5))
def test_each_choice_of_herding_is_the_best_that_is_left(seed):
    points = cloud(25, seed=seed)
    chosen = positions(coreset(numbered([0] * 25), "herding", 8, features=points))
    for k in range(8):
        gaps = [float((points[[*chosen[:k], i]].mean(0) - points.mean(0)).norm()) for i in range(25)]
        assert gaps[chosen[k]] <= min(gap for i, gap in enumerate(gaps) if i not in chosen[:k]) + 1e-5


def test_the_mean_of_herding_approaches_that_of_the_class_faster_than_a_random_one():
    points, train = cloud(200, d=5), numbered([0] * 200)

    def gap(chosen):
        return float((points[positions(chosen)].mean(0) - points.mean(0)).norm())

    for n in (5, 10, 20):
        random = [gap(coreset(train, "random", n, seed=seed)) for seed in range(20)]
        assert gap(coreset(train, "herding", n, features=points)) < 0.5 * min(random)


@pytest.mark.parametrize("seed", range(5))
def test_the_radius_of_k_centre_is_at_most_twice_the_smallest_possible(seed):
    points = cloud(12, d=2, seed=seed)
    for k in (2, 3, 4):
        best = min(radius(points, centres) for centres in combinations(range(12), k))
        greedy = radius(points, positions(coreset(numbered([0] * 12), "k-centre", k, features=points)))
        assert best - 1e-5 <= greedy <= 2 * best


def test_features_far_from_zero_are_told_apart():
    # Distances are of the order of 1, the squares of the features of 1e10.
    points = cloud(40).double()
    chosen = [
        positions(coreset(numbered([0] * 40), method, 10, features=points + shift))
        for method in ("herding", "k-centre")
        for shift in (0, 1e5)
    ]
    assert chosen[0] == chosen[1] and chosen[2] == chosen[3]


def test_random_draws_by_its_seed_alone_and_every_image_alike():
    train = numbered([0] * 6)
    before = torch.random.get_rng_state()
    draws = [positions(coreset(train, "random", 2, seed=seed)) for seed in range(300)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert draws[7] == positions(coreset(train, "random", 2, seed=7))
    counts = torch.bincount(torch.tensor(draws).flatten(), minlength=6)
    assert counts.min() > 60 and counts.max() < 140  # 100 expected, standard deviation 8


def test_forgetting_takes_the_most_forgotten_and_breaks_ties_at_random():
    train, counts = numbered([0] * 6), torch.tensor([1, 0, 2, 1, 5, 1])
    draws = [positions(coreset(train, "forgetting", 3, forgetting=counts, seed=seed)) for seed in range(40)]
    assert all(draw[:2] == [4, 2] for draw in draws)
    assert {draw[2] for draw in draws} == {0, 3, 5}


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "k-center"}, ValueError, "did you mean 'k-centre'"),
        ({"images_per_class": 0}, ValueError, "images_per_class=0"),
        ({"seed": "a"}, ValueError, "seed='a'"),
        ({"images_per_class": 3}, ValueError, "class 'b' of numbered has 2 images"),
        ({"train": numbered([0, 0, 0], classes=2)}, ValueError, "class 'b' of numbered has no image"),
        ({"train": torch.zeros(5)}, TypeError, "expected an ImageSet, got Tensor"),
        ({"features": None}, ValueError, r"penultimate_features\(classifier, train\) makes them"),
        ({"features": [[1.0]] * 5}, TypeError, "expected a torch.Tensor"),
        ({"features": torch.zeros(4, 2)}, ValueError, r"features: expected 5 rows, .* got \[4, 2\]"),
        ({"features": torch.zeros(5)}, ValueError, r"features: expected shape \[n, d\], got \[5\]"),
        ({"features": torch.full((5, 2), torch.nan)}, ValueError, "holds NaN"),
        ({"method": "forgetting"}, ValueError, "count_forgetting"),
        (
            {"method": "forgetting", "forgetting": torch.zeros(5, 1)},
            ValueError,
            r"forgetting: expected shape \[n\], got \[5, 1\]",
        ),
    ],
)
def test_wrong_use_is_explained(change, error, message):
    options = {"train": numbered([0, 0, 0, 1, 1]), "method": "herding", "images_per_class": 1}
    with pytest.raises(error, match=message):
        coreset(**(options | {"features": torch.zeros(5, 2)} | change))


def test_penultimate_features_are_those_of_evaluation_mode_in_order():
    train, net = numbered([0, 1] * 5), Flat(dropout=0.9)
    features = penultimate_features(net, train, batch_size=3)
    torch.testing.assert_close(features, train.to_float().flatten(1))
    assert net.training and not features.requires_grad
    assert penultimate_features(Flat(pixels=48), train, size=4, channels=3).shape == (10, 48)
    assert not penultimate_features(net.eval(), train).requires_grad and not net.training


@pytest.mark.unchecked
def test_wrong_use_of_a_classifier_is_explained():
    train = numbered([0, 1])
    with pytest.raises(TypeError, match="Linear has no embed"):
        penultimate_features(nn.Linear(64, 2), train)
    for call in (lambda s: penultimate_features(Flat(), s), lambda s: count_forgetting(Flat(), s, epochs=1)):
        with pytest.raises(ValueError, match="numbered is empty"):
            call(train.subset(torch.tensor([], dtype=torch.int64)))
        with pytest.raises(TypeError, match="images: expected an ImageSet, got Tensor"):
            call(train.to_float())
    with pytest.raises(TypeError, match=r"classifier: expected a torch\.nn\.Module, got str"):
        count_forgetting("ConvNet", train, epochs=1)
    with pytest.raises(ValueError, match="epochs=0"):
        count_forgetting(Flat(), train, epochs=0)
    with pytest.raises(ValueError, match="seed=-1"):
        count_forgetting(Flat(), train, epochs=1, seed=-1)
    with pytest.raises(ValueError, match="classifier of 2 outputs"):
        count_forgetting(Flat(), numbered([0, 1, 2]), epochs=1, progress=False)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        count_forgetting(Flat(), train, epochs=50, learning_rate=1e20, progress=False)


class Scripted(nn.Module):
    """Says of image i (its grey level) in epoch e whether answers[i][e] is 1: right, label 0; wrong otherwise."""

    def __init__(self, answers):
        super().__init__()
        self.answers, self.seen = torch.tensor(answers), torch.zeros(len(answers), dtype=torch.int64)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        index = (x[:, 0, 0, 0] * 255).round().long()
        right = self.answers[index, self.seen[index]].float()
        self.seen[index] += 1
        return torch.stack([right, 1 - right], 1) * (1 + 0 * self.scale)


def test_an_event_is_right_and_then_wrong_at_the_next_presentation():
    answers = [
        [1, 1, 1, 1, 1],  # never forgotten
        [0, 0, 0, 1, 1],  # learned late
        [1, 0, 0, 0, 0],  # once
        [0, 1, 0, 1, 0],  # twice
        [1, 0, 1, 0, 1],  # twice
        [0, 0, 0, 0, 0],  # never learned: as many as there are epochs
    ]
    counts = count_forgetting(Scripted(answers), numbered([0] * 6, 2), epochs=5, batch_size=4, progress=False)
    assert counts.tolist() == [0, 0, 1, 2, 2, 5]


def test_wrong_labels_are_forgotten_or_never_learned_and_the_classifier_is_trained():
    generator = torch.Generator().manual_seed(0)
    true = torch.arange(60) % 2
    images = torch.randint(0, 60, (60, 1, 8, 8), generator=generator, dtype=torch.uint8)
    images[true == 1, :, 4:] += 150
    given = true.clone()
    given[:6] = 1 - given[:6]
    train = ImageSet(images, given, ("a", "b"), "noisy")
    torch.manual_seed(0)
    nets = [Flat(dropout=0.2), Flat(dropout=0.2)]
    nets[1].load_state_dict(nets[0].state_dict())
    before = torch.random.get_rng_state()
    counts = [count_forgetting(net, train, epochs=12, batch_size=10, seed=3, progress=False) for net in nets]
    assert torch.equal(counts[0], counts[1]) and torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(nets[0].linear.weight, nets[1].linear.weight) and not nets[0].training
    assert counts[0][:6].float().mean() > counts[0][6:].float().mean() + 3
    chosen = coreset(train, "forgetting", 2, forgetting=counts[0])
    assert all(any(torch.equal(image, noisy) for noisy in images[:6]) for image in chosen.images)
    right = nets[0](train.to_float()).argmax(1) == true
    assert right.float().mean() > 0.9


def test_dropout_differs_from_step_to_step_without_a_bar():
    masks = []

    class Recorder(Flat):
        def embed(self, x):
            masks.append(self.dropout(torch.ones_like(x.flatten(1))))
            return masks[-1]

    count_forgetting(Recorder(dropout=0.5), numbered([0, 1]), epochs=3, progress=False)
    assert all(not torch.equal(a, b) for a, b in pairwise(masks))
