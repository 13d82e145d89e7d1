"""Film reviews with a mood, and their mean word vectors: the one experiment of the papers that is not about images."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from simplebits._door import door
from simplebits.data.torchvision_sets import root
from simplebits.domains import Count, Filled, Seed, refuse_kind

ReviewSet = Literal["small", "imdb"]
REVIEWS: tuple[ReviewSet, ...] = get_args(ReviewSet)
_IMDB, _GLOVE = "aclImdb", "glove.6B.300d.txt"


def words(text: str) -> list[str]:
    """Split a text into its lower-case words, of any alphabet, without marks and the line breaks of web pages.

    >>> words("A <br />naïve film I can't forget!")
    ['a', 'naïve', 'film', 'i', "can't", 'forget']
    """
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", re.sub(r"<[^>]*>", " ", text.lower()))


# What the small reviews are made of.
_GOOD = words(
    "wonderful moving clever touching brilliant delightful warm gripping superb charming honest witty fresh graceful "
    "powerful memorable sharp funny elegant convincing"
)
_BAD = words(
    "dull clumsy boring shallow awful tedious lifeless silly tiresome weak noisy hollow muddled predictable careless "
    "forced stale painful confused flat"
)
_THINGS = words(
    "plot acting music script camera ending dialogue cast story pacing humour hero villain opening finale light "
    "costumes editing romance tone"
)
_FORMS = (
    "the {thing} felt {word}",
    "i found the {thing} {word}",
    "such {word} {thing}",
    "its {thing} felt quite {word}",
    "they call the {thing} {word} and rightly so",
    "you will remember the {word} {thing}",
    "{word} {thing} from start to end",
)


@door
@dataclass(frozen=True)
class TextSet:
    """Texts and their labels, 0 for a bad and 1 for a good mood.

    Raises:
        TypeError: a text is none, or the labels are not a tensor.
        ValueError: labels of another type or number than the texts.
    """

    texts: tuple[str, ...]
    labels: Int64[Tensor, " n"]
    name: str

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.texts):
            raise ValueError(f"labels: expected one for each of {len(self.texts)} texts, got {len(self.labels)}")

    def __len__(self) -> int:
        return len(self.texts)


@door
def reviews(
    name: ReviewSet = "small", split: Literal["train", "test"] = "train", n: Count | None = None, seed: Seed = 0
) -> TextSet:
    """Load film reviews, or make some.

    Args:
        name: `small`: made here of seven phrases, twenty nouns and forty adjectives, 2 to 12 phrases long, every fourth
            review of mixed mood, labelled by the majority; it shows how the method runs, not how people write.
            `imdb`: the Large Movie Review Dataset of Maas et al. (2011), from the folder `aclImdb` under `root()`.
        split: `train` or `test`.
        n: how many, drawn at random, half of each label; None: 2,000, or all there are of `imdb`.
        seed: of the draw.

    Returns:
        Texts with labels, bad and good in turn.

    Raises:
        ValueError: unknown name or split, or n out of range.
        FileNotFoundError: `imdb` is not on this machine; says what to place where.

    >>> few = reviews(n=2)
    >>> few.labels.tolist(), few.texts[0].endswith(".")
    ([0, 1], True)
    """
    draw = random.Random(f"{name}/{split}/{seed}")  # noqa: S311
    if name == "small":
        labels = [i % 2 for i in range(n or 2000)]
        return TextSet(tuple(_review(label, draw) for label in labels), torch.tensor(labels), f"small/{split}")
    files = [sorted((root() / _IMDB / split / mood).glob("*.txt")) for mood in ("neg", "pos")]
    if not all(files):
        raise FileNotFoundError(
            f"imdb/{split} is not on this machine. Unpack aclImdb_v1.tar.gz (https://ai.stanford.edu/~amaas/data/"
            f"sentiment) so that {root() / _IMDB / split / 'pos'} and .../neg hold its .txt files; "
            f"name='small' needs none"
        )
    most = 2 * min(map(len, files))
    if n is not None and n > most:
        raise ValueError(f"n={n}: imdb/{split} holds {most} reviews; give at most that many")
    chosen = [draw.sample(of_mood, len(of_mood)) for of_mood in files]
    pairs = [(chosen[i % 2][i // 2], i % 2) for i in range(n or most)]
    texts = tuple(path.read_text(encoding="utf-8") for path, _ in pairs)
    return TextSet(texts, torch.tensor([label for _, label in pairs]), f"imdb/{split}")


@door
def glove(
    vocabulary: Iterable[str], file: str | Path | None = None, encoding: str = "utf-8"
) -> dict[str, Float[Tensor, " d"]]:
    """Read published word vectors (Pennington et al. 2014) of those words that have one.

    Reads word2vec's and fastText's text files too, whose first line says how many words and numbers follow. A word may
    hold spaces, as some of glove.840B do: the last d fields of a line are its numbers.

    Args:
        vocabulary: the words wanted.
        file: lines of a word and its numbers; None: `glove.6B.300d.txt` under `root()`.
        encoding: of the file.

    Returns:
        The vectors by word.

    Raises:
        TypeError: the vocabulary is one text.
        FileNotFoundError: the file is not there; says where it is from.
        ValueError: the file is damaged or in another encoding, naming it.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "vectors.txt"
    >>> _ = path.write_text(chr(10).join(["film 0.5 1", ". . . 0 2"]))
    >>> glove(["film", ". . ."], path)
    {'film': tensor([0.5000, 1.0000]), '. . .': tensor([0., 2.])}
    """
    if isinstance(vocabulary, str):  # which is iterable too, by its letters
        refuse_kind("vocabulary", vocabulary, Sequence, " of words")
    path, wanted = Path(file) if file is not None else root() / _GLOVE, set(vocabulary)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there. Take {_GLOVE} out of glove.6B.zip (https://nlp.stanford.edu/projects/glove) and "
            f"place it so; latent_vectors makes vectors from the texts themselves"
        )
    vectors = {}
    try:
        with open(path, encoding=encoding) as lines:
            first = next(lines, "")
            header = len(first.split()) == 2 and all(map(str.isdecimal, first.split()))
            d = int(first.split()[1]) if header else _numbers_of(first)
            if not d:
                raise ValueError(f"its first line, {first[:40]!r}, does not end with numbers")
            for line in lines if header else itertools.chain([first], lines):
                word, *numbers = line.rstrip().rsplit(" ", d)
                if word in wanted:
                    vectors[word] = torch.tensor([float(v) for v in numbers])
                    if len(numbers) != d:
                        raise ValueError(f"{len(numbers)} numbers for {word!r} in place of {d}")
    except (UnicodeDecodeError, LookupError) as error:
        raise ValueError(f"{path} is not in {encoding} ({error}); give its own, encoding='latin-1' maybe") from error
    except ValueError as error:  # no numbers, or no text
        raise ValueError(f"{path} is damaged after {len(vectors)} of the words ({error}); fetch it again") from error
    return vectors


@door
def latent_vectors(
    texts: Annotated[Sequence[str], Filled()], dimensions: Count = 50, seed: Seed = 0
) -> dict[str, Float[Tensor, " d"]]:
    """Compute word vectors from the texts alone, by latent semantic analysis: singular vectors of tf-idf weights.

    Args:
        texts: to weigh words in.
        dimensions: of a vector, below the number of words and of texts.
        seed: of the randomised decomposition.

    Returns:
        A vector for every word of the texts.

    Raises:
        ValueError: dimensions out of range, or texts without words.

    >>> sorted(latent_vectors(["good film", "bad film", "good fun"], dimensions=2))
    ['bad', 'film', 'fun', 'good']
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(map(words, texts)):
        raise ValueError(f"texts: no word is in the {len(texts)} of them; give texts with words")
    weigh = TfidfVectorizer(analyzer=words)  # pyright: ignore[reportArgumentType]  # a function will do
    table = weigh.fit_transform(texts)
    if dimensions >= min(table.shape):
        raise ValueError(f"dimensions={dimensions}: give at least 1 and less than {min(table.shape)}, words or texts")
    svd = TruncatedSVD(dimensions, random_state=seed % 2**32).fit(table)  # scikit-learn takes 32 bits of a seed
    vectors = torch.tensor(np.asarray(svd.components_).T, dtype=torch.float32)
    return dict(zip(weigh.get_feature_names_out().tolist(), vectors, strict=True))


@door
def mean_vectors(
    texts: Annotated[Sequence[str], Filled()], vectors: Annotated[Mapping[str, Float[Tensor, " d"]], Filled()]
) -> Float[Tensor, "n d"]:
    """Take the mean of the vectors of a text's words; words without one are passed over, a text of none is zero.

    Args:
        texts: to average over.
        vectors: by word, as `glove` and `latent_vectors` give them.

    Returns:
        One row a text.

    Raises:
        ValueError: no texts, no vectors, or vectors of different lengths.

    >>> mean_vectors(["a b", "b b c"], {"a": torch.zeros(1), "b": torch.ones(1)}).tolist()
    [[0.5], [1.0]]
    """
    zero = torch.zeros_like(next(iter(vectors.values())))
    if lengths := {len(vector) for vector in vectors.values()} - {len(zero)}:
        raise ValueError(f"vectors: expected one length, got {sorted(lengths | {len(zero)})}")
    of_texts = [[vectors[word] for word in words(text) if word in vectors] for text in texts]
    return torch.stack([torch.stack(of_words).mean(0) if of_words else zero for of_words in of_texts])


def _numbers_of(line: str) -> int:
    """Count the numbers at the end of a line, behind a word that may be a number too."""
    count = 0
    for field in reversed(line.split()[1:]):
        try:
            float(field)
        except ValueError:
            break
        count += 1
    return count


def _review(label: int, draw: random.Random) -> str:
    phrases = draw.randint(2, 12)
    against = draw.randint(1, (phrases - 1) // 2) if phrases > 2 and draw.random() < 0.25 else 0
    moods = [label] * (phrases - against) + [1 - label] * against
    draw.shuffle(moods)
    said = [
        draw.choice(_FORMS).format(thing=draw.choice(_THINGS), word=draw.choice(_GOOD if mood else _BAD))
        for mood in moods
    ]
    return ". ".join(said) + "."
