"""Transforms of images: known results, the same for PIL images and Tensors, draws from our generator, errors."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tinygrad_fr as torch
from tinygrad_fr import transforms as T
from tinygrad_fr.transforms import functional as F
from tinygrad_fr.utils.data import DataLoader, TensorDataset

BILINEAR, BICUBIC = F.InterpolationMode.BILINEAR, F.InterpolationMode.BICUBIC
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (7, 9), np.uint8)
COLOURS = RNG.integers(0, 256, (7, 9, 3), np.uint8)
SMOOTH = np.round(127 + 120 * np.sin(np.arange(40) / 9)[:, None] * np.cos(np.arange(30) / 7)).astype(np.uint8)


def tensor(pixels):
    """(H, W) or (H, W, C) of uint8 as a Tensor (C, H, W)."""
    return T.PILToTensor()(Image.fromarray(pixels))


def pixels(image):
    """(H, W) or (H, W, C) of a PIL image or a Tensor."""
    if isinstance(image, torch.Tensor):
        image = image.numpy().transpose(1, 2, 0)
        return image[:, :, 0] if image.shape[2] == 1 else image
    return np.asarray(image)


def both(function, image=COLOURS, atol=0):
    """What a function makes of an image, which must be the same for PIL's and for Tensors."""
    of_pil, of_tensor = pixels(function(Image.fromarray(image))), pixels(function(tensor(image)))
    np.testing.assert_allclose(of_tensor.astype(float), of_pil.astype(float), atol=atol)
    return of_tensor


# ---------------------------------------------------------------------------------------------------------------
# Moved.


def test_mirror_images():
    np.testing.assert_array_equal(both(F.hflip), COLOURS[:, ::-1])
    np.testing.assert_array_equal(both(F.vflip), COLOURS[::-1])
    np.testing.assert_array_equal(both(F.vflip, GREY), GREY[::-1])


@settings(deadline=None)
@given(st.integers(-12, 12), st.integers(-12, 12), st.integers(1, 12), st.integers(1, 12))
def test_cut_anywhere(top, left, height, width):
    around = np.zeros((7 + 60, 9 + 60, 3), np.uint8)
    around[30:37, 30:39] = COLOURS
    found = both(lambda image: F.crop(image, top, left, height, width))
    np.testing.assert_array_equal(found, around[30 + top : 30 + top + height, 30 + left : 30 + left + width])


def test_middle():
    np.testing.assert_array_equal(both(lambda image: F.center_crop(image, (3, 5))), COLOURS[2:5, 2:7])
    np.testing.assert_array_equal(both(lambda image: F.center_crop(image, 5)), COLOURS[1:6, 2:7])
    larger = both(lambda image: F.center_crop(image, (11, 9)))
    np.testing.assert_array_equal(larger[2:9], COLOURS)
    assert not larger[:2].any()


@pytest.mark.parametrize(
    ("padding", "sides"), [(2, (2, 2, 2, 2)), ([1, 3], (1, 3, 1, 3)), ((0, 1, 2, 3), (0, 1, 2, 3))]
)
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("image", [GREY, COLOURS], ids=["grey", "colours"])
def test_padding(padding, sides, mode, image):
    left, top, right, bottom = sides
    around = [(top, bottom), (left, right), (0, 0)][: image.ndim]
    expected = np.pad(image, around, mode=mode)
    np.testing.assert_array_equal(both(lambda each: F.pad(each, padding, 0, mode), image), expected)


def test_padding_with_a_colour_and_negative_padding():
    found = both(lambda image: F.pad(image, [-1, 2, 3, 0], (10, 20, 30)))
    np.testing.assert_array_equal(found[2:, :8], COLOURS[:, 1:])
    assert (found[:2] == (10, 20, 30)).all()
    assert (found[:, 8:] == (10, 20, 30)).all()


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("interpolation", [F.InterpolationMode.NEAREST, BILINEAR])
def test_quarter_turns(turns, interpolation):
    square = COLOURS[:, :7]
    found = both(lambda image: F.rotate(image, 90 * turns, interpolation), square)
    np.testing.assert_array_equal(found, np.rot90(square, turns))
    expanded = both(lambda image: F.rotate(image, 90 * turns, interpolation, expand=True))
    np.testing.assert_array_equal(expanded, np.rot90(COLOURS, turns))


def test_other_turns_are_the_same_for_both_kinds():
    inside = (slice(12, 28), slice(8, 22))
    for angle in (30, -45.5, 170):
        of_pil, of_tensor = (
            pixels(F.rotate(image, angle, BILINEAR))[inside] for image in (Image.fromarray(SMOOTH), tensor(SMOOTH))
        )
        np.testing.assert_allclose(of_tensor.astype(float), of_pil.astype(float), atol=1)
        sizes = {F.rotate(image, angle, expand=True).shape[-2:] for image in (tensor(SMOOTH),)}
        assert sizes == {F.rotate(Image.fromarray(SMOOTH), angle, expand=True).size[::-1]}


@pytest.mark.parametrize("interpolation", [F.InterpolationMode.NEAREST, BILINEAR, BICUBIC])
def test_the_identity_changes_nothing(interpolation):
    for function in (
        lambda image: F.affine(image, 0.0, [0, 0], 1.0, [0.0, 0.0], interpolation),
        lambda image: F.rotate(image, 0.0, interpolation),
        lambda image: F.resize(image, [7, 9], interpolation),
    ):
        np.testing.assert_array_equal(both(function), COLOURS)


def test_moves():
    found = both(lambda image: F.affine(image, 0.0, [2, -1], 1.0, 0.0, fill=[9, 8, 7]))
    np.testing.assert_array_equal(found[:-1, 2:], COLOURS[1:, :-2])
    assert (found[-1] == (9, 8, 7)).all()
    assert (found[:, :2] == (9, 8, 7)).all()


def test_an_affine_turn_is_clockwise_and_a_scale_enlarges():
    square = COLOURS[:, :7]
    found = both(lambda image: F.affine(image, 90.0, [0, 0], 1.0, 0.0), square)
    np.testing.assert_array_equal(found, np.rot90(square, -1))
    doubled = both(lambda image: F.affine(image, 0.0, [0, 0], 2.0, 0.0, center=(0, 0)))
    np.testing.assert_array_equal(doubled, np.kron(COLOURS, np.ones((2, 2, 1), np.uint8))[:7, :9])


def test_shears_and_all_at_once_are_the_same_for_both_kinds():
    inside = (slice(14, 26), slice(10, 20))
    for shear in (20.0, [10.0, -15.0]):
        of_pil, of_tensor = (
            pixels(F.affine(image, 15.0, [2, 1], 1.2, shear, BILINEAR))[inside]
            for image in (Image.fromarray(SMOOTH), tensor(SMOOTH))
        )
        np.testing.assert_allclose(of_tensor.astype(float), of_pil.astype(float), atol=1)


def test_a_shear_moves_rows():
    """x becomes x - tan(shear) (y - middle): a column leans."""
    column = np.zeros((9, 9), np.uint8)
    column[:, 4] = 255
    found = both(lambda image: F.affine(image, 0.0, [0, 0], 1.0, 45.0), column)
    np.testing.assert_array_equal(found, np.fliplr(np.eye(9, dtype=np.uint8)) * 255)


def test_sizes():
    for size, expected in ((14, (14, 18)), ([14], (14, 18)), ((3, 20), (3, 20))):
        assert both(lambda image, size=size: F.resize(image, size), atol=1).shape == (*expected, 3)
    assert F.resize(tensor(COLOURS.transpose(1, 0, 2)), 14).shape == (3, 18, 14)
    assert F.resize(tensor(COLOURS), 14, max_size=15).shape == (3, 11, 15)
    nearest = both(lambda image: F.resize(image, (14, 18), F.InterpolationMode.NEAREST))
    np.testing.assert_array_equal(nearest, np.kron(COLOURS, np.ones((2, 2, 1), np.uint8)))


def test_a_smaller_image_has_means():
    stripes = np.tile(np.array([0, 250], np.uint8), (8, 16))
    found = both(lambda image: F.resize(image, (4, 8)), stripes, atol=1)
    np.testing.assert_allclose(found[:, 1:-1], 125, atol=1)


def test_batches_and_floating_point():
    batch = torch.rand(2, 5, 3, 8, 8, dtype=torch.float64)
    for function in (
        lambda images: F.rotate(images, 33.0, BILINEAR, fill=0.5),
        lambda images: F.affine(images, 10.0, [1, 2], 0.9, 5.0, fill=[0.1, 0.2, 0.3]),
        lambda images: F.resize(images, (5, 6)),
        lambda images: F.gaussian_blur(images, 3),
        lambda images: F.adjust_contrast(images, 0.5),
        lambda images: F.adjust_hue(images, 0.1),
        lambda images: F.rgb_to_grayscale(images),
        lambda images: F.pad(images, 2, [0.1, 0.2, 0.3]),
    ):
        found = function(batch)
        assert found.dtype is torch.float64
        np.testing.assert_array_equal(found[1, 2].numpy(), function(batch[1, 2]).numpy())


# ---------------------------------------------------------------------------------------------------------------
# Values.


def test_brightness_contrast_saturation():
    np.testing.assert_array_equal(both(lambda image: F.adjust_brightness(image, 1.0)), COLOURS)
    both(lambda image: F.adjust_brightness(image, 1.7), atol=1)
    assert not both(lambda image: F.adjust_brightness(image, 0.0)).any()
    for function in (F.adjust_contrast, F.adjust_saturation):
        np.testing.assert_array_equal(both(lambda image, function=function: function(image, 1.0)), COLOURS)
        both(lambda image, function=function: function(image, 0.4), atol=2)
        both(lambda image, function=function: function(image, 2.5), atol=3)
    grey = F.adjust_saturation(T.ToTensor()(Image.fromarray(COLOURS)), 0.0)
    np.testing.assert_allclose(grey[0].numpy(), grey[2].numpy())


def test_hue():
    primary = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [90, 90, 90]]], np.uint8)
    turned = both(lambda image: F.adjust_hue(image, 1 / 3), primary, atol=3)
    np.testing.assert_allclose(turned[0, :3], primary[0, [1, 2, 0]], atol=3)
    np.testing.assert_allclose(turned[0, 3:], [[0, 255, 255], [90, 90, 90]], atol=3)
    np.testing.assert_array_equal(F.adjust_hue(tensor(COLOURS), 0.0).numpy(), tensor(COLOURS).numpy())
    around = F.adjust_hue(F.adjust_hue(tensor(COLOURS).double() / 255, 0.3), -0.3)
    np.testing.assert_allclose(around.numpy(), tensor(COLOURS).numpy() / 255, atol=1e-12)


def test_gamma_invert_grey():
    both(lambda image: F.adjust_gamma(image, 2.0), atol=1)
    np.testing.assert_array_equal(both(F.invert), 255 - COLOURS)
    assert F.invert(torch.tensor([[0.25]])).item() == 0.75
    found = both(lambda image: F.rgb_to_grayscale(image, 3), atol=1)
    np.testing.assert_allclose(found[:, :, 1], COLOURS @ [0.299, 0.587, 0.114], atol=1.01)
    assert F.rgb_to_grayscale(tensor(COLOURS)).shape == (1, 7, 9)


def test_blur():
    both(lambda image: F.gaussian_blur(image, [3, 5], [0.5, 1.5]))
    dot = torch.zeros(1, 9, 9, dtype=torch.float64)
    dot[0, 4, 4] = 1.0
    blurred = F.gaussian_blur(dot, 5, 1.0)[0].numpy()
    bell = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    np.testing.assert_allclose(blurred[2:7, 2:7], np.outer(bell, bell) / bell.sum() ** 2, atol=1e-15)
    flat = torch.full((1, 6, 6), 0.3, dtype=torch.float64)
    np.testing.assert_allclose(F.gaussian_blur(flat, 7, 3.0).numpy(), 0.3)


def test_erase():
    image = torch.zeros(2, 4, 5)
    erased = F.erase(image, 1, 2, 2, 3, 7.0)
    assert erased[:, 1:3, 2:].tolist() == [[[7.0] * 3] * 2] * 2
    assert erased.sum() == 84
    assert not image.any()
    assert F.erase(image, 0, 0, 4, 5, 1.0, inplace=True) is image
    assert image.all()


def test_flips_cuts_and_inverses_have_gradients_and_the_rest_says_that_it_has_none():
    image = torch.rand(1, 4, 4, requires_grad=True)
    F.invert(F.crop(F.hflip(F.vflip(image)), 0, 0, 2, 3)).sum().backward()
    assert image.grad.sum() == -6
    for function in (lambda x: F.rotate(x, 3), lambda x: F.resize(x, 3), lambda x: F.gaussian_blur(x, 3)):
        with pytest.raises(NotImplementedError, match="has no derivative; detach"):
            function(image)


# ---------------------------------------------------------------------------------------------------------------
# Between kinds.


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "CMYK", "HSV"])
def test_there_and_back(mode):
    image = Image.fromarray(COLOURS).convert(mode)
    back = T.ToPILImage(mode)(T.PILToTensor()(image))
    assert back.mode == mode
    np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
    back = T.ToPILImage(mode)(T.ToTensor()(image))
    np.testing.assert_array_equal(np.asarray(back), np.asarray(image))


def test_modes_of_other_dtypes():
    for dtype, mode in ((np.int32, "I"), (np.float32, "F"), (np.int16, "I;16")):
        image = F.to_pil_image(GREY.astype(dtype))
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image), GREY)
    assert F.to_pil_image(torch.zeros(5, 6)).size == (6, 5)


def test_dtypes_with_their_ranges():
    bytes_ = torch.tensor([0, 1, 128, 255], dtype=torch.uint8)
    floats = T.ConvertImageDtype(torch.float64)(bytes_)
    np.testing.assert_allclose(floats.numpy(), np.array([0, 1, 128, 255]) / 255)
    assert F.convert_image_dtype(floats, torch.uint8).tolist() == bytes_.tolist()
    wide = F.convert_image_dtype(bytes_, torch.int32)
    assert F.convert_image_dtype(wide, torch.uint8).tolist() == bytes_.tolist()
    assert F.convert_image_dtype(bytes_).dtype is torch.float32
    with pytest.raises(RuntimeError, match="cannot be performed safely"):
        F.convert_image_dtype(torch.rand(3), torch.int32)


def test_dimensions():
    assert F.get_dimensions(Image.fromarray(COLOURS)) == F.get_dimensions(tensor(COLOURS)) == [3, 7, 9]
    assert F.get_image_size(tensor(GREY)) == [9, 7]
    assert F.get_image_num_channels(torch.zeros(2, 3)) == 1


# ---------------------------------------------------------------------------------------------------------------
# By chance.

RANDOM = {
    "hflip": T.RandomHorizontalFlip(),
    "vflip": T.RandomVerticalFlip(),
    "crop": T.RandomCrop(5, padding=2),
    "small": T.RandomCrop((20, 5), pad_if_needed=True, padding_mode="symmetric"),
    "resized": T.RandomResizedCrop(6),
    "rotation": T.RandomRotation(90),
    "affine": T.RandomAffine(30, (0.2, 0.3), (0.5, 1.5), 10),
    "shear": T.RandomAffine(0, shear=[-10, 10, -5, 5]),
    "jitter": T.ColorJitter(0.5, 0.5, 0.5, 0.2),
    "blur": T.GaussianBlur(3),
    "invert": T.RandomInvert(),
    "grey": T.RandomGrayscale(0.5),
    "apply": T.RandomApply([T.Resize(4), T.RandomVerticalFlip(0.3)]),
    "choice": T.RandomChoice([T.Resize(4), T.CenterCrop(3)], p=[1, 3]),
    "order": T.RandomOrder([T.Resize(4), T.Pad(1)]),
    "erasing": T.RandomErasing(value="random"),
}


def drawn(name, count=8):
    """What a transform makes of an image, again and again."""
    image = T.ToTensor()(Image.fromarray(COLOURS)) if name == "erasing" else Image.fromarray(COLOURS)
    return [pixels(RANDOM[name](image)) for _ in range(count)]


@pytest.mark.parametrize("name", RANDOM)
def test_draws_are_fixed_by_the_seed(name):
    torch.manual_seed(5)
    first = drawn(name)
    torch.manual_seed(5)
    for one, other in zip(first, drawn(name), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(one.shape != first[0].shape or (one != first[0]).any() for one in first), "nothing happens by chance"


def test_chances():
    torch.manual_seed(0)
    image = tensor(COLOURS)
    flips = sum((T.RandomHorizontalFlip(0.25)(image) is not image) for _ in range(400))
    assert 70 < flips < 130
    assert T.RandomVerticalFlip(0.0)(image) is image
    np.testing.assert_array_equal(T.RandomVerticalFlip(1.0)(image).numpy(), image.numpy()[:, ::-1])
    sizes = [T.RandomChoice([T.Resize(4), T.CenterCrop(3)], p=[1, 3])(image).shape[-2] for _ in range(400)]
    assert 70 < sizes.count(4) < 130


def test_draws_stay_within_their_limits():
    torch.manual_seed(1)
    image = torch.zeros(3, 30, 40)
    for _ in range(200):
        top, left, height, width = T.RandomResizedCrop.get_params(image, (0.2, 0.5), (0.5, 2.0))
        assert 0 <= top <= 30 - height
        assert 0 <= left <= 40 - width
        assert 0.18 < height * width / 1200 < 0.52
        assert 0.4 < width / height < 2.2
        angle, moves, scale, shear = T.RandomAffine.get_params((-5, 8), (0.1, 0.2), (0.5, 0.6), (1, 2), (40, 30))
        assert -5 <= angle <= 8
        assert abs(moves[0]) <= 4
        assert abs(moves[1]) <= 6
        assert 0.5 <= scale <= 0.6
        assert 1 <= shear[0] <= 2
        assert shear[1] == 0
        top, left, height, width, values = T.RandomErasing.get_params(image, (0.1, 0.2), (0.5, 2), [0.5])
        assert 0.08 < height * width / 1200 < 0.22
        assert values.shape == (1, 1, 1)
    order, *factors = T.ColorJitter.get_params((0.5, 1.5), None, (2, 3), None)
    assert sorted(order.tolist()) == [0, 1, 2, 3]
    assert factors[1] is factors[3] is None
    assert 2 <= factors[2] <= 3


def test_all_places_are_drawn():
    torch.manual_seed(2)
    found = {T.RandomCrop.get_params(torch.zeros(1, 4, 5), (3, 3))[:2] for _ in range(200)}
    assert found == {(top, left) for top in range(2) for left in range(3)}


def test_a_crop_that_never_fits_is_the_middle():
    assert T.RandomResizedCrop.get_params(torch.zeros(1, 4, 40), (0.9, 1.0), (0.5, 2.0)) == (0, 16, 4, 8)
    assert T.RandomErasing.get_params(torch.zeros(1, 4, 4), (1.0, 1.0), (1.0, 1.0), [0])[:4] == (0, 0, 4, 4)


class Augmented(TensorDataset):
    """Each item through a transform by chance."""

    def __getitem__(self, index):
        return T.RandomErasing(1.0, value="random")(super().__getitem__(index)[0])


def test_workers_of_a_loader_draw_from_streams_of_their_own():
    def epoch(workers):
        torch.manual_seed(3)
        loader = DataLoader(Augmented(torch.zeros(12, 1, 8, 8)), batch_size=4, num_workers=workers)
        return torch.cat(list(loader)).numpy()

    for workers in (0, 2):
        np.testing.assert_array_equal(epoch(workers), epoch(workers))
    assert len({each.tobytes() for each in epoch(2)}) == 12


# ---------------------------------------------------------------------------------------------------------------
# Text and errors.


def test_reprs():
    shown = {
        "Resize(size=3, interpolation=bilinear, max_size=None, antialias=True)": T.Resize(3),
        "CenterCrop(size=(3, 3))": T.CenterCrop(3),
        "Pad(padding=2, fill=0, padding_mode=constant)": T.Pad(2),
        "RandomHorizontalFlip(p=0.5)": T.RandomHorizontalFlip(),
        "RandomCrop(size=(3, 4), padding=2)": T.RandomCrop((3, 4), 2),
        "RandomRotation(degrees=[-30.0, 30.0], interpolation=nearest, expand=False, fill=0)": T.RandomRotation(30),
        "RandomAffine(degrees=[-3.0, 3.0], translate=(0.1, 0.2))": T.RandomAffine(3, (0.1, 0.2)),
        "RandomResizedCrop(size=(6, 6), scale=(0.08, 1.0), ratio=(0.75, 1.3333), interpolation=bilinear, "
        "antialias=True)": T.RandomResizedCrop(6),
        "GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))": T.GaussianBlur(3),
        "ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=(-0.1, 0.1))": T.ColorJitter(
            0.5, hue=0.1
        ),
        "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)": T.RandomErasing(),
        "RandomApply(\n    p=0.5\n    RandomInvert(p=0.5)\n)": T.RandomApply([T.RandomInvert()]),
        "PILToTensor()": T.PILToTensor(),
        "ToPILImage()": T.ToPILImage(),
        "Grayscale(num_output_channels=3)": T.Grayscale(3),
    }
    for text, transform in shown.items():
        assert repr(transform) == text


IMAGE = torch.zeros(3, 4, 5)
REFUSED = {
    "no image": (TypeError, "PIL Image or Tensor", lambda: F.hflip(np.zeros((3, 3)))),
    "a vector": (TypeError, r"Tensor of shape \[3\]", lambda: F.hflip(torch.zeros(3))),
    "interpolation": (TypeError, "InterpolationMode or .*, got 'bilinear'", lambda: T.Resize(3, "bilinear")),
    "turning": (ValueError, "lanczos is not one of", lambda: F.rotate(IMAGE, 3, F.InterpolationMode.LANCZOS)),
    "antialias": (NotImplementedError, "antialias=False", lambda: F.resize(IMAGE, 2, antialias=False)),
    "max_size": (ValueError, "must be strictly greater", lambda: F.resize(IMAGE, 4, max_size=4)),
    "size": (ValueError, "1 or 2 values", lambda: T.Resize((1, 2, 3))),
    "padding": (ValueError, "1, 2, or 4 element tuple, not a 3", lambda: T.Pad((1, 2, 3))),
    "padding mode": (ValueError, "either constant, edge", lambda: F.pad(IMAGE, 1, 0, "wrap")),
    "fill": (ValueError, r"number of channels of the image \(2 != 3\)", lambda: F.pad(IMAGE, 1, (1, 2))),
    "crop": (ValueError, r"size \(9, 9\) is larger than .* \(4, 5\)", lambda: T.RandomCrop(9)(IMAGE)),
    "angle": (TypeError, "angle should be int or float", lambda: F.rotate(IMAGE, "3")),
    "scale": (ValueError, "scale should be positive", lambda: F.affine(IMAGE, 0, [0, 0], 0.0, 0)),
    "degrees": (ValueError, "must be positive", lambda: T.RandomRotation(-3)),
    "translate": (ValueError, "between 0 and 1", lambda: T.RandomAffine(0, (0.5, 2))),
    "limits": (ValueError, "of kind", lambda: T.RandomResizedCrop(3, scale=(1.0, 0.5))),
    "hue": (ValueError, r"hue_factor \(0.7\) is not in", lambda: F.adjust_hue(IMAGE, 0.7)),
    "hues": (ValueError, "hue values should be between", lambda: T.ColorJitter(hue=0.7)),
    "brightness": (ValueError, "is not non-negative", lambda: F.adjust_brightness(IMAGE, -1)),
    "channels": (TypeError, r"values are \[1, 3\], but found 2", lambda: F.adjust_hue(IMAGE[:2], 0.1)),
    "kernel": (ValueError, "odd and positive", lambda: T.GaussianBlur(4)),
    "sigma": (ValueError, "positive", lambda: T.GaussianBlur(3, (0, 1))),
    "large kernel": (RuntimeError, "too large for an image of 4 x 5", lambda: F.gaussian_blur(IMAGE, 9)),
    "erase": (TypeError, "should be Tensor Image", lambda: T.RandomErasing(1.0)(Image.fromarray(GREY))),
    "value": (ValueError, "should be 'random'", lambda: T.RandomErasing(value="noise")),
    "values": (ValueError, "single value or 3", lambda: T.RandomErasing(1.0, value=(1, 2))(IMAGE)),
    "weights": (ValueError, "a weight for each of 1", lambda: T.RandomChoice([abs], p=[1, 2])),
    "to PIL": (TypeError, "should be Tensor or ndarray", lambda: F.to_pil_image(3)),
    "axes": (ValueError, "2/3 dimensional. Got 4", lambda: F.to_pil_image(torch.zeros(1, 1, 2, 2))),
    "many channels": (ValueError, "> 4 channels", lambda: F.to_pil_image(torch.zeros(5, 2, 2))),
    "mode": (ValueError, r"Incorrect mode \(RGB\)", lambda: F.to_pil_image(torch.zeros(1, 2, 2), "RGB")),
    "from PIL": (TypeError, "should be PIL Image", lambda: F.pil_to_tensor(IMAGE)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize(
    ("module", "call"),
    [("PIL.Image", lambda: F.resize(IMAGE, 2)), ("scipy.ndimage", lambda: F.rotate(IMAGE, 3))],
)
def test_a_missing_library_is_named_with_the_command(module, call, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r'pip install "tinygrad_fr\[vision\]"'):
        call()
