# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Long reviews tell less
#
# Nothing in the score knows of images. Film reviews (IMDB), each the mean of its words' vectors (GloVe), and a perceptron with one hidden layer: do long reviews have lower scores?

# %%
import torch
from torch import nn

import simplebits as sb

# %% tags=["parameters"]
reviews = "imdb"  # imdb, or small: made of a few phrases, which say nothing of real reviews
vectors = "glove"  # glove, or latent: from the texts
samples = 2000  # training reviews, and as many on which predictions are compared
width = 2000  # hidden units
learning_rate = 0.003  # of full-batch descent on the mean loss
steps = 10000  # t
seed = 0  # of the draw and of the initial weights
device = None  # cpu, cuda; None: the library's choice

# %%
device = device or "cpu"
texts, texts_val = (sb.data.reviews(reviews, split, samples, seed) for split in ("train", "test"))
if vectors == "glove":
    known = sb.data.glove({word for text in texts.texts + texts_val.texts for word in sb.data.text.words(text)})
else:
    known = sb.data.latent_vectors(texts.texts, 50, seed)
x, x_val = (sb.data.mean_vectors(some.texts, known).to(device) for some in (texts, texts_val))
y = texts.labels.float()[:, None].to(device)
with torch.random.fork_rng():
    torch.random.default_generator.manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(x.shape[1], width), nn.ReLU(), nn.Linear(width, 1)).to(device)

# %% [markdown]
# ## Scores and lengths

# %%
theta, theta_val = (sb.information.kernel(net, *some, dtype=torch.float64) for some in ((x,), (x_val, x)))
f0, f0_val = net(x).detach(), net(x_val).detach()
scores = sb.information.sample_information(theta, theta_val, y, f0, f0_val, learning_rate, steps).functional.cpu()
lengths = torch.tensor([len(text.split()) for text in texts.texts], dtype=torch.float64)
sb.report.fingerprint("log scores", scores.log())

# %%
key = "unique-information.review-length"
values = {"all": float(torch.corrcoef(torch.stack([scores, lengths]))[0, 1])}
sb.report.judge(key, values, pairs=len(texts))
sb.report.table_beside({key: values})
