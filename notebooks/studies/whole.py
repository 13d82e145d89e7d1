# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train on everything
#
# The upper bound that the tables of gradient matching print beside condensed sets: networks that learn from the whole
# training set. A trained network is an independent unit.

# %%
import torch

import simplebits as sb

# %% tags=["parameters"]
number = "dc.mnist.whole"  # that is measured
image_set = "mnist"  # a name for sb.data.load
network = "ConvNet"  # that is trained
network_options = {}  # of it
epochs = 300  # passes over the training set; after half of them the rate falls to a tenth
seeds = [0, 1, 2]  # of the networks
image_limit = 0  # real images used of either split; 0: all
device = None  # cpu, cuda; None: the library's choice

# %%
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
train, test = (images.draw(image_limit) if image_limit else images for images in (train, test))
device = device or "cpu"
BATCH = 256
steps = epochs * -(-len(train) // BATCH)
# The mean and deviation with which condensed sets are standardised.
scale = sb.condense.CondensedSet.of(sb.condense.coreset(train, "random", 1), train)


def accuracy(seed):
    """Test accuracy, in percent, of a network that has seen the whole set."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        net = sb.networks.build(network, len(train.classes), *train.images.shape[1:3], **network_options)
    net.standardise.mean, net.standardise.std = (x[:, None, None] for x in (scale.mean, scale.std))
    net.to(device)
    history = sb.networks.fit_classifier(
        net,
        train,
        steps=steps,
        batch_size=BATCH,
        optimiser=torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4),
        schedule=lambda step: 1.0 if step < steps // 2 else 0.1,
        bf16=False,
        seed=seed,
        checkpoint=sb.report.checkpoint(f"network-{seed}"),
        progress=False,
    )
    sb.report.fingerprint(f"losses of network {seed}", torch.tensor(history.losses))
    return 100 * sb.networks.accuracy(net, test.to_float(), test.labels)


# %%
values = {}
for seed in seeds:
    values[f"network {seed}"] = sb.report.once(f"network {seed}", lambda seed=seed: accuracy(seed))
    sb.report.judge(number, values)

# %%
sb.report.table_beside({number: values})
