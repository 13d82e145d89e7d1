# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Two short cuts against retraining
#
# What a training sample tells a network is how far weights and predictions end up without it. The truth is known only by training
# again without the sample. Two short cuts guess it: the network linearised at its start, and influence functions at its end. Table 1
# has Pearson's r between squared changes by a short cut and by retraining, a pair for each sample left out. Samples are left out
# in one random order, so that the first of them are a fair draw from all; r is judged anew after every few.

# %%
import copy
import statistics
import time

import torch
from safetensors.torch import load_model, save_model

import simplebits as sb

# %% tags=["parameters"]
image_set = "mnist"  # a name for sb.data.load
classes = [4, 9]  # with target 0, and with target 1
samples = 1000  # n, training samples, and as many on which predictions are compared
size = 28  # pixels a side
network = "mlp"  # mlp, cnn (as the paper's code: stride 2 in the third convolution), cnn-pretrained
width = 1024  # hidden units of the mlp
learning_rate = 0.001  # of full-batch descent on the mean loss; cnn 0.01, cnn-pretrained 0.002
steps = 2000  # t of the linearised network
retraining_steps = 2001  # of the real trainings: the paper's code takes one more
decay = 0.0  # lambda' of the mean loss, towards the start; the paper's lambda is n times as much
damping = None  # added to the Hessian by influence functions; None: 10 without decay, 0 with it
depth = 1000  # steps of their recursion (LiSSA), each on 128 random samples
scale = 1000  # of the recursion, at least half of the largest eigenvalue of a Hessian
retrained = 100  # samples left out; 1000, all, in the paper
first = 0  # of these in the order of their drawing, so that another run can go on
chunk = 10  # of these between two judgements
column = "mlp.lambda0"  # of the published table
pretraining_set = "emnist-letters"  # what cnn-pretrained learns first
pretraining_steps = 12000  # of Adam with rate 0.001 and batches of 256
seed = 0  # of initial weights and of what is left out; 42 draws the samples, as in the paper
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## The task and the network

# %%
device = device or "cpu"
images = sb.data.load(image_set, "train")
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(42))
cut = int(0.8 * len(images))  # the last fifth is for validation


def shifted(x):  # grey values as the paper's code has them for MNIST
    return (x - 0.456) / 0.224


def task(part):
    pair = images.subset(part[torch.isin(images.labels[part], torch.tensor(classes))][:samples])
    return shifted(pair.to_float(size, 1, device)), (pair.labels == classes[1]).float()[:, None].to(device)


def pretrained(start):
    """The CNN after it has learnt other images, with a new last layer; learnt once for all cases."""
    letters = sb.data.load(pretraining_set, "train")
    body = sb.networks.StridedCNN(len(letters.classes), 1, size, stride=2).to(device)
    path = sb.report.artefact("pretrained", set=letters.name, images=len(letters), steps=pretraining_steps, seed=seed)
    if path and path.is_file():
        load_model(body, path)
    else:
        adam, keep = torch.optim.Adam(body.parameters(), lr=1e-3), sb.report.checkpoint("pretraining")
        sb.networks.fit_classifier(body, letters, steps=pretraining_steps, size=size, channels=1, batch_size=256, optimiser=adam, bf16=False, transform=shifted, seed=seed, checkpoint=keep)  # fmt: skip
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_model(body, path)
    body.linear = start.linear
    return body


x, y = task(order[:cut])
x_val, _ = task(order[cut:])
with torch.random.fork_rng():
    torch.random.default_generator.manual_seed(seed)
    if network == "mlp":
        layers = torch.nn.Linear(size * size, width), torch.nn.ReLU(), torch.nn.Linear(width, 1)
        net = torch.nn.Sequential(torch.nn.Flatten(), *layers).to(device)
    else:
        net = sb.networks.StridedCNN(1, 1, size, stride=2).to(device)
        net = net if network == "cnn" else pretrained(net)

# %% [markdown]
# ## All samples at once, linearised at the start

# %%
begin = time.perf_counter()
theta, theta_val = (sb.information.kernel(net, *inputs, dtype=torch.float64) for inputs in ((x,), (x_val, x)))
f0, f0_val = net(x).detach().double(), net(x_val).detach().double()
linear = sb.information.sample_information(theta, theta_val, y, f0, f0_val, learning_rate, steps, decay)
seconds = time.perf_counter() - begin
sb.report.fingerprint("linearised", torch.stack([linear.weights, linear.functional]))

# %% [markdown]
# ## Leave samples out, a few at a time
#
# Weights along directions in which no training image extends never move. So the perceptron sees its images in coordinates of the space that these span,
# two thirds as many: the same descent, the same distances, in less time. Beside the paper's recursion stands the exact solution of the system that
# it approximates, with $J^\top J$ in place of the Hessian.

# %%
if network == "mlp":
    net, x, x_val = sb.information.in_span(net, x, x_val)


def left_out(indices):
    """Weights and predictions changed by leaving out each of these, in three ways; seconds a sample of the second."""
    real = sb.information.retrain_without(net, x, y, x_val, learning_rate, retraining_steps, decay, indices=indices, checkpoint=sb.report.checkpoint(f"without-{indices[0]}"))  # fmt: skip
    found = {
        "retraining": [real.weights.tolist(), real.functional.tolist()],
        "outputs": real.predictions[:, 0].tolist(),
    }
    end = copy.deepcopy(net)
    torch.nn.utils.vector_to_parameters(real.end, end.parameters())
    for method in ("lissa", "gauss-newton"):
        begin, draw = time.perf_counter(), torch.Generator().manual_seed(indices[0])
        guess = sb.information.influence(end, x, y, x_val, decay, method=method, damping=damping, depth=depth, scale=scale, indices=indices, generator=draw, chunk=1)  # fmt: skip
        found[method] = [guess.weights.tolist(), guess.functional.tolist()]
        found[f"{method} seconds"] = (time.perf_counter() - begin) / len(indices)
    return found


order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
chosen = order[first : first + retrained].tolist()
pieces, values = [], {}
for start in range(0, len(chosen), chunk):
    indices = chosen[start : start + chunk]
    pieces.append(sb.report.once(f"without {indices}", lambda indices=indices: left_out(indices)))
    done = chosen[: start + len(indices)]
    for i, what in enumerate(("weights", "predictions")):
        found = {method: [score for piece in pieces for score in piece[method][i]] for method in ("retraining", "lissa", "gauss-newton")}  # fmt: skip
        found["linearisation"] = (linear.weights, linear.functional)[i][done].tolist()
        for method, short in {"linearisation": "linearisation", "influence": "lissa"}.items():
            key = f"unique-information.table1.{what}.{column}.{method}"
            guess, real = ({f"sample {one}": score for one, score in zip(done, found[way], strict=True)} for way in (short, "retraining"))  # fmt: skip
            values[key] = {"all": sb.report.judge_correlation(key, guess, real).mean}
        solved = {"all": statistics.correlation(found["gauss-newton"], found["retraining"])}
        sb.report.beside(f"{column} {what}, influence functions solved exactly", solved, "r", samples=len(done))
    changes = [pieces[-1][method] for method in ("retraining", "lissa", "gauss-newton")]
    sb.report.fingerprint(f"left out {first + start}", torch.tensor(changes).log())

# %% [markdown]
# ## The table
#
# Two more numbers explain it: how far the trained network's predictions are from those of its linearisation, as a share of their spread; and how long
# influence functions of all samples take, in passes of the linearised network.

# %%
outputs = torch.tensor(pieces[0]["outputs"], dtype=torch.float64)
gap = (outputs - linear.predictions[:, 0].cpu()).square().mean().sqrt() / outputs.std()
sb.report.beside(f"{column} distance from the linearised network", {"all": float(gap)}, "of the spread")
ratios = {f"from {i * chunk}": len(x) * piece["lissa seconds"] / seconds for i, piece in enumerate(pieces)}
sb.report.beside(f"{column} influence functions take", ratios, "times as long")
sb.report.table_beside(values)
