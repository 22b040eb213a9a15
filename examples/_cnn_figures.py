"""How a convolutional network sees: its filters, what they make of a digit, and the digits it was shown."""

from typing import TYPE_CHECKING, Any

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
    from matplotlib.image import AxesImage

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


def draw_tiles(axes: "Axes", tiles: np.ndarray, signed: bool, aspect: Any = "equal") -> "AxesImage":
    """Small images, all on one scale of colours that few numbers exceed.  tiles: (rows, columns, H, W)."""
    rows, columns, height, width = tiles.shape
    most = max(float(np.quantile(abs(tiles), 0.995)), 1e-9)
    image = axes.imshow(
        tiles.transpose(0, 2, 1, 3).reshape(rows * height, columns * width),
        cmap=SIGNED if signed else INK,
        vmin=-most if signed else 0,
        vmax=most,
        aspect=aspect,
    )
    for i in range(1, rows):
        axes.axhline(i * height - 0.5, color="black", linewidth=2)
    for i in range(1, columns):
        axes.axvline(i * width - 0.5, color="black", linewidth=2)
    axes.set(xticks=[], yticks=[])
    return image


# --- filters -----------------------------------------------------------------------------------------------------


def filters(model: nn.Module) -> "Figure":
    """The weights of both convolutions: of the second, one filter for each pair of a map and one of the first."""
    figure = new_figure(11, 6.6)
    figure.suptitle("Filters: red adds what it lies on, blue takes it away")
    titles = {
        "conv1": "convolution 1: one filter for each map that it makes",
        "conv2": "convolution 2: each map that it makes is the sum of what the filters below it make",
    }
    for axes, (name, title) in zip(figure.subplots(2, 1, height_ratios=[1, 2.2]), titles.items(), strict=True):
        weights = getattr(model, name).weight.detach().numpy().transpose(1, 0, 2, 3)  # to (from, to, H, W)
        image = draw_tiles(axes, weights, signed=True)
        label_tiles(axes, weights)
        axes.set_title(title, fontsize=10)
        figure.colorbar(image, ax=axes, label="weight", extend="both")
    return figure


def label_tiles(axes: "Axes", weights: np.ndarray) -> None:
    """Which map a filter lies on, and which one it makes.  weights: (from, to, H, W)."""
    rows, columns, height, width = weights.shape
    axes.set_xticks([(i + 0.5) * width - 0.5 for i in range(columns)], [f"map {i + 1}" for i in range(columns)])
    names = [f"on map {i + 1}" for i in range(rows)] if rows > 1 else ["on the image"]
    axes.set_yticks([(i + 0.5) * height - 0.5 for i in range(rows)], names)
    axes.tick_params(labelsize=8, length=0, labeltop=True, labelbottom=False)


# --- feature maps ------------------------------------------------------------------------------------------------


@torch.no_grad()
def activations(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each layer makes of one image, which is standardised.  (1, H*W) -> (C, H, W) or (C,) each."""
    results = {}
    for name, layer in model.named_children():
        x = layer(x)
        results[name] = x[0]
    return results


def feature_maps(model: nn.Module, image: np.ndarray, x: torch.Tensor) -> "Figure":
    """An image (H, W), what each layer makes of it, and the probabilities.  x: (1, H*W), the image standardised."""
    layers = activations(model, x)
    figure = new_figure(11, 13)
    figure.suptitle("A digit on its way through LeNet-5")
    top, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 4.5]).flat
    draw_ends(top, image, F.softmax(layers["linear5"], dim=0).numpy())
    grid = below.subplots(len(LAYERS), 1, height_ratios=[height for _, height in LAYERS.values()])
    for axes, (name, (title, _)) in zip(grid, LAYERS.items(), strict=True):
        values = layers[name].numpy()
        draw_layer(axes, values, signed=name.startswith("conv"))
        axes.set_title(f"{title} ({'x'.join(map(str, values.shape))})", fontsize=10)
    return figure


def draw_ends(figure: "SubFigure", image: np.ndarray, probabilities: np.ndarray) -> None:
    """What goes in, and what comes out."""
    left, right = figure.subplots(1, 2, width_ratios=[1, 2.5])
    draw_tiles(left, image[None, None], signed=False)
    left.set_title("in: the image", fontsize=10)
    bars = right.bar(range(CLASSES), 100 * probabilities, color="tab:blue")
    right.bar_label(bars, [f"{100 * each:.1f}" if each >= 0.001 else "" for each in probabilities], fontsize=8)
    right.set(xticks=range(CLASSES), ylim=(0, 115), ylabel="probability (%)")
    right.set_title("out: which digit it is", fontsize=10)


def draw_layer(axes: "Axes", values: np.ndarray, signed: bool) -> None:
    """Maps (C, H, W) side by side, or numbers (C,) in a row."""
    if values.ndim == 3:
        draw_tiles(axes, values[None], signed)
    else:
        draw_tiles(axes, values[None, None, None], signed, aspect="auto")


# --- augmentation ------------------------------------------------------------------------------------------------


def augmentation(distorted: RandomDistortion, image: torch.Tensor, rows: int = 4, columns: int = 8) -> "Figure":
    """An image (H*W), and others that are made of it."""
    others = distorted(image.expand(rows * columns - 1, -1))
    tiles = torch.cat([image[None].float(), others]).numpy()
    figure = new_figure(10, 1.25 * rows + 0.4)
    figure.suptitle("Augmentation: a digit (framed), and how it might be shown in other epochs")
    axes = figure.subplots()
    draw_tiles(axes, tiles.reshape(rows, columns, distorted.height, distorted.width), signed=False)
    from matplotlib.patches import Rectangle

    frame = {"fill": False, "edgecolor": "tab:red", "linewidth": 4, "clip_on": False, "zorder": 3}
    axes.add_patch(Rectangle((-0.5, -0.5), distorted.width, distorted.height, **frame))
    return figure
