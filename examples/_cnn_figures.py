"""How a convolutional network sees: its filters, what they make of a digit, and the digits it was shown."""

from typing import TYPE_CHECKING

import numpy as np
from _digits import CLASSES
from _distortion import RandomDistortion
from _outputs import new_figure

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

SIGNED, INK = "RdBu_r", "gray_r"  # colours of numbers of both signs, and of those from 0 on
LAYERS = {  # how a row is called, and how high it is
    "conv1": ("convolution 1", 1.5),
    "relu1": ("ReLU: what is below 0 becomes 0", 1.5),
    "pool1": ("pooling: the largest of 2x2", 1.5),
    "conv2": ("convolution 2, of all maps above", 1.0),
    "relu2": ("ReLU", 1.0),
    "pool2": ("pooling", 1.0),
    "relu3": ("linear layer 3 and ReLU", 0.6),
    "relu4": ("linear layer 4 and ReLU", 0.6),
}


# --- filters -----------------------------------------------------------------------------------------------------


def filters(model: nn.Sequential) -> "Figure":
    """The weights of both convolutions: of the second, one filter for each pair of a map and one of the first."""
    first, second = [getattr(model, name).weight.detach().numpy() for name in ("conv1", "conv2")]
    figure = new_figure(11, 6.2)
    figure.suptitle("Filters: red adds what it lies on, blue takes it away")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 3])
    draw_filters(above, first.transpose(1, 0, 2, 3), "convolution 1: one filter for each map that it makes", "")
    draw_filters(below, second.transpose(1, 0, 2, 3), "convolution 2: a map is the sum of a column's filters", "from ")
    return figure


def draw_filters(figure: "SubFigure", weights: np.ndarray, title: str, source: str) -> None:
    """weights: (rows, columns, height, width)."""
    figure.suptitle(title, fontsize=10)
    most = abs(weights).max()
    grid = figure.subplots(*weights.shape[:2], squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        image = axes.imshow(weights[row, column], cmap=SIGNED, vmin=-most, vmax=most)
        hide_ticks(axes)
        if row == 0:
            axes.set_title(f"map {column + 1}", fontsize=8)
        if column == 0 and source:
            axes.set_ylabel(f"{source}{row + 1}", fontsize=8)
    figure.colorbar(image, ax=grid, label="weight", shrink=0.9)


# --- feature maps ------------------------------------------------------------------------------------------------


@torch.no_grad()
def activations(model: nn.Sequential, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each layer makes of one image, which is standardised.  (1, H*W) -> (C, H, W) or (C,) each."""
    results = {}
    for name, layer in model.named_children():
        x = layer(x)
        results[name] = x[0]
    return results


def feature_maps(model: nn.Sequential, image: np.ndarray, x: torch.Tensor) -> "Figure":
    """An image (H, W), what each layer makes of it, and the probabilities.  x: (1, H*W), the image standardised."""
    layers = activations(model, x)
    heights = [height for _, height in LAYERS.values()]
    figure = new_figure(11, 12)
    figure.suptitle("A digit on its way through LeNet-5")
    top, *rows = figure.subfigures(len(LAYERS) + 1, 1, height_ratios=[2.2, *heights])
    draw_ends(top, image, F.softmax(layers["linear5"], dim=0).numpy())
    for row, (name, (title, _)) in zip(rows, LAYERS.items(), strict=True):
        size = "x".join(map(str, layers[name].shape))
        row.suptitle(f"{title} ({size})", fontsize=10)
        draw_layer(row, layers[name].numpy(), signed=name.startswith("conv"))
    return figure


def draw_ends(figure: "SubFigure", image: np.ndarray, probabilities: np.ndarray) -> None:
    """What goes in, and what comes out."""
    left, right = figure.subplots(1, 2, width_ratios=[1, 2.5])
    left.imshow(image, cmap=INK)
    left.set_title("in: the image", fontsize=10)
    hide_ticks(left)
    bars = right.bar(range(CLASSES), 100 * probabilities, color="tab:blue")
    right.bar_label(bars, [f"{100 * each:.1f}" if each >= 0.001 else "" for each in probabilities], fontsize=8)
    right.set(xticks=range(CLASSES), ylim=(0, 115), ylabel="probability (%)")
    right.set_title("out: which digit it is", fontsize=10)


def draw_layer(figure: "SubFigure", values: np.ndarray, signed: bool) -> None:
    """Maps (C, H, W) side by side, numbers (C,) in a row, all on one scale."""
    most = max(float(abs(values).max()), 1e-9)
    maps = values if values.ndim == 3 else values.reshape(1, 1, -1)
    for axes, each in zip(figure.subplots(1, len(maps), squeeze=False).flat, maps, strict=True):
        aspect = "equal" if values.ndim == 3 else "auto"
        axes.imshow(each, cmap=SIGNED if signed else INK, vmin=-most if signed else 0, vmax=most, aspect=aspect)
        hide_ticks(axes)


# --- augmentation ------------------------------------------------------------------------------------------------


def augmentation(distorted: RandomDistortion, image: torch.Tensor, rows: int = 4, columns: int = 8) -> "Figure":
    """An image (H*W), and others that are made of it."""
    variants = distorted(image.expand(rows * columns - 1, -1)).numpy()
    figure = new_figure(10, 1.3 * rows + 0.4)
    figure.suptitle("Augmentation: the same digit, as it might be shown in different epochs")
    grid = figure.subplots(rows, columns)
    for axes, each in zip(grid.flat, [image.numpy(), *variants], strict=True):
        axes.imshow(each.reshape(distorted.height, distorted.width), cmap=INK, vmin=0, vmax=image.max().item())
        hide_ticks(axes)
    frame(grid[0, 0], "the original")
    return figure


def frame(axes: "Axes", title: str) -> None:
    axes.set_title(title, fontsize=9, color="tab:red")
    for side in axes.spines.values():
        side.set(color="tab:red", linewidth=2)


def hide_ticks(axes: "Axes") -> None:
    axes.set(xticks=[], yticks=[])
