# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Classes that come a few at a time
#
# Keep the same number of images of every class, and after each increment train fresh networks on all that is kept (GDumb). An order of the classes is an
# independent unit; within it stands the mean of its networks. Ways of keeping are compared on the same orders.

# %%
import torch

import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar100"  # a name for sb.data.load
increments = 5  # equal parts of the classes; the paper has 5 and 10
images_per_class = 20  # kept of each class
ways = {  # of keeping: name in the claim to the memory and what it takes of sb.condense.condense
    "random": ["random", {}],
    "herding": ["herding", {}],
    "dsa": ["gradient", {"augment": "color_crop_cutout_flip_scale_rotate"}],
    "dm": ["distribution", {"augment": "color_crop_cutout_flip_scale_rotate"}],
}
orders = [0, 1, 2, 3, 4]  # seeds of the classes' orders
networks = 3  # trained after each increment
network_options = {"width": 128}  # of every ConvNet
epochs = 1000  # of each training
augment = "color_crop_cutout_flip_scale_rotate"  # in each training
feature_epochs = 10  # passes of the network whose features herding looks at; the paper does not say how many
image_limit = 0  # real images used of either split; 0: all
device = None  # cpu, cuda; None: the library's choice

# %%
device = device or ("cuda" if torch.cuda.is_available() else "cpu")
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
train, test = (images.draw(min(image_limit, len(images))) if image_limit else images for images in (train, test))


def accuracies(way, order):
    """Test accuracy in percent on all classes so far, after each increment."""
    memory, options = ways[way]
    run = sb.condense.class_incremental(
        train,
        test,
        memory,
        images_per_class,
        increments=increments,
        order=order,
        seeds=range(1000 * order, 1000 * order + networks),
        network_options=network_options,
        epochs=epochs,
        augment=augment,
        feature_epochs=feature_epochs,
        memory_options=options,
        bf16=False,
        device=device,
        checkpoint=sb.report.checkpoint(f"{way}-{order}"),
        progress=False,
    )
    sb.report.fingerprint(f"{way}, {order}", run.memory.images)
    return (100 * run.mean).tolist()


# %% [markdown]
# ## Learn, in every order

# %%
curves = {way: {} for way in ways}
for order in orders:
    for way in ways:
        found = sb.report.once(f"{way}, {order}", lambda way=way, order=order: accuracies(way, order))
        curves[way][f"order {order}"] = found
    groups = {way: {unit: curve[-1] for unit, curve in by_order.items()} for way, by_order in curves.items()}
    sb.report.judge_claim("dm.class-incremental", groups, "%")

# %% [markdown]
# ## All increments

# %%
for way, by_order in curves.items():
    for number in range(increments):
        name = f"{way}, after increment {number + 1} of {increments}"
        sb.report.beside(name, {unit: curve[number] for unit, curve in by_order.items()}, "%")
