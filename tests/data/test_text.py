"""Reviews, embedded and from files of the published form, and their mean word vectors."""

import pytest
import torch

from simplebits.data import TextSet, glove, latent_vectors, mean_vectors, reviews
from simplebits.data.text import words


def test_small_reviews_are_balanced_repeatable_and_not_all_alike():
    some = reviews(n=200)
    assert some.labels.sum() == 100 and len(some) == 200
    assert some.texts == reviews(n=200).texts
    assert set(some.texts).isdisjoint(reviews("small", "test", 200).texts)
    lengths = [len(words(text)) for text in some.texts]
    assert max(lengths) > 4 * min(lengths)


def test_means_of_latent_vectors_tell_the_mood():
    train, test = reviews(n=600), reviews("small", "test", 300)
    vectors = latent_vectors(train.texts, 30)
    x, x_test = mean_vectors(train.texts, vectors), mean_vectors(test.texts, vectors)
    bias = [torch.cat([part, torch.ones(len(part), 1)], 1) for part in (x, x_test)]
    line = torch.linalg.lstsq(bias[0], train.labels[:, None].float()).solution
    right = ((bias[1] @ line)[:, 0] > 0.5) == (test.labels == 1)
    assert float(right.float().mean()) > 0.85


def test_files_of_the_published_form(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    for mood, said in {"pos": "Great!<br />Loved it", "neg": "Awful, isn't it?"}.items():
        folder = tmp_path / "aclImdb" / "train" / mood
        folder.mkdir(parents=True)
        for i in range(3):
            (folder / f"{i}_7.txt").write_text(said, encoding="utf-8")
    found = reviews("imdb", "train", 4)
    assert found.labels.tolist() == [0, 1, 0, 1] and "Loved" in found.texts[1]
    assert len(reviews("imdb")) == 6
    (tmp_path / "glove.6B.300d.txt").write_text("great 1.0 0.0\nit 0.0 1.0\nother 5 5\n", encoding="utf-8")
    vectors = glove(word for text in found.texts for word in words(text))
    assert sorted(vectors) == ["great", "it"]
    assert mean_vectors(["Great it IT", "unknown"], vectors).tolist() == [
        [pytest.approx(1 / 3), pytest.approx(2 / 3)],
        [0, 0],
    ]
    with pytest.raises(ValueError, match="n=8: imdb/train holds 6 reviews"):
        reviews("imdb", "train", 8)


@pytest.mark.unchecked
def test_wrong_input_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"imdb/test is not on this machine. Unpack aclImdb_v1.tar.gz"):
        reviews("imdb", "test")
    with pytest.raises(FileNotFoundError, match=r"Take glove.6B.300d.txt out of glove.6B.zip"):
        glove(["a"])
    with pytest.raises(ValueError, match="name='imbd' is not known; did you mean 'imdb'"):
        reviews("imbd")
    with pytest.raises(ValueError, match="split='dev' is not known"):
        reviews("small", "dev")
    with pytest.raises(ValueError, match="n=0"):
        reviews(n=0)
    with pytest.raises(ValueError, match="dimensions=9: give at least 1 and less than 3"):
        latent_vectors(["a b", "b c", "c a"], 9)
    vectors = {"a": torch.zeros(2)}
    for texts, known, message in (
        ([], vectors, "texts: holds 0; give at least 1"),
        (["a"], {}, "vectors: holds 0; give at least 1"),
        (["a"], vectors | {"b": torch.zeros(3)}, r"vectors: expected one length, got \[2, 3\]"),
    ):
        with pytest.raises(ValueError, match=message):
            mean_vectors(texts, known)
    with pytest.raises(TypeError, match="texts: expected a sequence, got str"):
        mean_vectors("a b", vectors)
    with pytest.raises(TypeError, match="vocabulary: expected a sequence of words, got str"):
        glove("a b")
    with pytest.raises(ValueError, match="texts: no word is in the 2 of them"):
        latent_vectors(["", "1 2"], 1)
    with pytest.raises(ValueError, match="labels: expected one for each of 2 texts, got 1"):
        TextSet(("a", "b"), torch.tensor([0]), "two")
    (tmp_path / "vectors").write_text("a 1.0 zero\n", encoding="utf-8")
    with pytest.raises(ValueError, match="vectors is damaged after 0 of the words .*zero"):
        glove(["a"], tmp_path / "vectors")
    (tmp_path / "vectors").write_bytes(b"\xeb\x00")
    with pytest.raises(ValueError, match="vectors is not in utf-8"):
        glove(["a"], tmp_path / "vectors")


def test_a_time_in_nanoseconds_is_a_seed():
    texts, seed = ["good film", "bad film", "good fun"], 1_764_431_234_123_456_789
    assert len(latent_vectors(texts, 2, seed)) == 4 and len(reviews(n=2, seed=seed)) == 2


def test_word_vectors_of_every_publisher_are_read(tmp_path):
    """Tokens with spaces (glove.840B), a header (word2vec, fastText), words of any alphabet, another encoding."""
    path = tmp_path / "vectors.txt"
    path.write_text("film 1 2 3\nat name@domain.com 4 5 6\n. . . 7 8 9\nat 9 9 9\n3 1 1 1\n", encoding="utf-8")
    vectors = glove(["film", "at", "at name@domain.com", ". . .", "3"], path)
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        "film": [1, 2, 3], "at name@domain.com": [4, 5, 6], ". . .": [7, 8, 9], "at": [9, 9, 9], "3": [1, 1, 1],
    }  # fmt: skip
    path.write_text("2 3\nfilm 1 2 3 \nthe 4 5 6 \n", encoding="utf-8")
    assert glove(["2", "film"], path).keys() == {"film"}
    path.write_bytes("café 1 2 3\n".encode("latin-1"))
    with pytest.raises(ValueError, match="is not in utf-8 .* encoding='latin-1'"):
        glove(["café"], path)
    assert glove(["café"], path, encoding="latin-1")["café"].tolist() == [1, 2, 3]
    path.write_text("film 1 2 3\nthe 4 5\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged after"):
        glove(["the 4 5", "the"], path)
    assert words("Naïve café größe ничего don't 3D") == ["naïve", "café", "größe", "ничего", "don't", "d"]
