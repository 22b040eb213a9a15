"""Transforms: torchvision's values, shapes, errors and reprs (0.28), and the batched form of each."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr.transforms import Compose, Lambda, Normalize, ToTensor, functional

BYTES = np.arange(256, dtype=np.uint8).reshape(16, 16)

# CRC-32 of what torchvision makes of BYTES: by ToTensor alone, and with Normalize of a (mean, std)
TO_TENSOR = 3023629315
NORMALIZED = {(0.1307, 0.3081): 2233784032, (0.5, 0.5): 3056371012, (0.286, 0.353): 1256253275}


def checksum(tensor):
    return zlib.crc32(tensor.numpy().tobytes())


def test_values_are_torchvisions_to_the_last_bit():
    assert checksum(ToTensor()(BYTES)) == TO_TENSOR
    for (mean, std), expected in NORMALIZED.items():
        assert checksum(Compose([ToTensor(), Normalize((mean,), (std,))])(BYTES)) == expected


def test_reprs_are_torchvisions():
    inner = Compose([ToTensor()])
    chain = Compose([ToTensor(), Normalize((0.1307,), (0.3081,)), Lambda(abs), inner])
    assert repr(chain) == (
        "Compose(\n    ToTensor()\n    Normalize(mean=(0.1307,), std=(0.3081,))\n    Lambda()\n"
        "    Compose(\n    ToTensor()\n)\n)"
    )
    assert repr(Compose([])) == "Compose(\n)"
    assert repr(Normalize([0.5], 1, inplace=True)) == "Normalize(mean=[0.5], std=1)"


# ---------------------------------------------------------------------------------------------------------------
# ToTensor.


def test_arrays_get_their_channels_first():
    grey = ToTensor()(BYTES[:4])
    assert grey.shape == (1, 4, 16)
    assert grey.dtype == torch.float32
    np.testing.assert_array_equal(grey.numpy()[0], BYTES[:4].astype(np.float32) / np.float32(255))
    colours = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image = ToTensor()(colours)
    assert image.shape == (3, 2, 4)
    assert image.is_contiguous()
    np.testing.assert_array_equal(image.numpy(), colours.transpose(2, 0, 1).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "int16", "int8", "bool"])
def test_only_bytes_are_scaled(dtype):
    image = ToTensor()((BYTES % 3).astype(dtype))
    assert image.dtype == torch.from_numpy(np.zeros(1, dtype)).dtype
    np.testing.assert_array_equal(image.numpy()[0], (BYTES % 3).astype(dtype))


def test_bytes_become_the_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        one, many = ToTensor()(BYTES), ToTensor().__batch__(BYTES[None])
    finally:
        torch.set_default_dtype(torch.float32)
    assert one.dtype == many.dtype == torch.float64
    np.testing.assert_array_equal(one.numpy()[0], BYTES / 255)
    np.testing.assert_array_equal(many.numpy()[0], one.numpy())


@pytest.mark.parametrize(
    ("mode", "channels", "dtype"),
    [
        ("L", 1, "float32"),
        ("P", 1, "float32"),
        ("LA", 2, "float32"),
        ("RGB", 3, "float32"),
        ("YCbCr", 3, "float32"),
        ("RGBA", 4, "float32"),
        ("CMYK", 4, "float32"),
        ("I", 1, "int32"),
        ("F", 1, "float32"),
    ],
)
def test_modes_of_pil(mode, channels, dtype):
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.fromarray(BYTES[:4]).convert(mode)
    tensor = ToTensor()(image)
    assert tensor.shape == (channels, 4, 16)
    assert str(tensor.dtype) == f"tinygrad_fr.{dtype}"
    expected = np.array(image).reshape(4, 16, channels).transpose(2, 0, 1)
    if mode not in "IF":
        expected = expected.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(tensor.numpy(), expected)


def test_other_modes_of_pil():
    image_module = pytest.importorskip("PIL.Image")
    black_and_white = ToTensor()(image_module.fromarray(BYTES).convert("1"))
    assert black_and_white.dtype == torch.float32
    assert set(black_and_white.flatten().tolist()) == {0.0, 1.0}
    for mode in ("I;16", "I;16B"):
        wide = ToTensor()(image_module.new(mode, (3, 2), 40000))
        assert wide.dtype == torch.int16
        assert wide.tolist() == [[[40000 - 65536] * 3] * 2]


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (3, TypeError, r"pic should be PIL Image or ndarray. Got <class 'int'>"),
        (torch.ones(2, 3), TypeError, r"pic should be PIL Image or ndarray. Got .*Tensor"),
        ([[1, 2]], TypeError, r"pic should be PIL Image or ndarray. Got <class 'list'>"),
        (BYTES[0], ValueError, r"pic should be 2/3 dimensional. Got 1 dimensions."),
        (BYTES[None, None], ValueError, r"pic should be 2/3 dimensional. Got 4 dimensions."),
        (BYTES.astype(np.uint16), TypeError, "uint16"),
        (BYTES[::-1], ValueError, "stride .* is negative"),
    ],
)
def test_to_tensor_refuses(image, error, message):
    with pytest.raises(error, match=message):
        ToTensor()(image)


# ---------------------------------------------------------------------------------------------------------------
# Normalize.


def test_normalize():
    image = torch.arange(12, dtype=torch.float32).reshape(3, 2, 2)
    result = Normalize((0.0, 1.0, 2.0), [1.0, 2.0, 4.0])(image)
    expected = (image.numpy() - np.float32([0, 1, 2])[:, None, None]) / np.float32([1, 2, 4])[:, None, None]
    np.testing.assert_array_equal(result.numpy(), expected)
    assert image.tolist()[0] == [[0, 1], [2, 3]]
    batch = functional.normalize(torch.ones(5, 3, 2, 2, dtype=torch.float64), 0.5, torch.tensor(0.25))
    assert batch.dtype == torch.float64
    assert batch.flatten().tolist() == [2.0] * 60


def test_normalize_in_place():
    image = torch.ones(1, 2, 2)
    assert Normalize((0.5,), (0.25,), inplace=True)(image) is image
    assert image.tolist() == [[[2, 2], [2, 2]]]


def test_a_gradient_flows_through_normalize():
    image = torch.ones(1, 2, 2, requires_grad=True)
    Normalize((0.5,), (0.25,))(image).sum().backward()
    assert image.grad.tolist() == [[[4, 4], [4, 4]]]


ONES = torch.ones(2, 2, 2)


@pytest.mark.parametrize(
    ("mean", "std", "image", "error", "message"),
    [
        (0.5, 0.5, BYTES, TypeError, "img should be Tensor Image. Got <class 'numpy.ndarray'>"),
        (0.5, 0.5, torch.ones(1, 2, 2).to(torch.uint8), TypeError, "should be a float tensor. Got tinygrad_fr.uint8"),
        (0.5, 0.5, torch.ones(2, 2), ValueError, r"size \(..., C, H, W\). Got tensor.size\(\) = .*\[2, 2\]"),
        (0.5, 0.0, ONES, ValueError, "std evaluated to zero after conversion to tinygrad_fr.float32"),
        ((0.5,), (1e-60,), ONES, ValueError, "division by zero. Got std=.1e-60"),
        ((0.5, 0.5), (0.5, 0.0), ONES, ValueError, "std evaluated to zero"),
        ((0.5, 0.5), (0.5,), torch.ones(1, 2, 2), RuntimeError, "broadcast shape"),
        ((0.5,) * 3, (0.5,), ONES, RuntimeError, "must match"),
    ],
)
def test_normalize_refuses(mean, std, image, error, message):
    with pytest.raises(error, match=message):
        Normalize(mean, std)(image)


# ---------------------------------------------------------------------------------------------------------------
# Compose and Lambda.


def test_compose_and_lambda():
    assert Compose([Lambda(lambda x: x + 1), Lambda(lambda x: x * 2)])(3) == 8
    assert Compose([])(3) == 3
    with pytest.raises(TypeError, match="Argument lambd should be callable, got 'int'"):
        Lambda(3)


# ---------------------------------------------------------------------------------------------------------------
# Batches.


class Inverted(ToTensor):
    def __call__(self, pic):
        return 1 - super().__call__(pic)


class Shifted(Normalize):
    def __call__(self, tensor):
        return super().__call__(tensor) + 1


class Repeated(Compose):
    def __call__(self, img):
        return super().__call__(super().__call__(img))


NUMBERS = [0.1307, 0.5, -2.0, 1e-30, 1e30, float("inf"), float("nan")]


@st.composite
def values(draw, channels, numbers):
    """One number, or one for each channel, in any form that users write."""
    number = st.sampled_from(numbers)
    listed = draw(st.lists(number, min_size=channels, max_size=channels))
    return draw(st.sampled_from([draw(number), listed[:1], tuple(listed), np.array(listed), torch.tensor(listed)]))


@st.composite
def chains(draw, channels):
    """ToTensor and any number of Normalize, in Composes inside one another."""
    steps = [ToTensor()]
    for _ in range(draw(st.integers(0, 3))):
        steps.append(Normalize(draw(values(channels, [0.0, *NUMBERS])), draw(values(channels, NUMBERS))))
        if draw(st.booleans()):
            cut = draw(st.integers(0, len(steps)))
            steps = [Compose(steps[:cut]), *steps[cut:]]
    return Compose(steps)


@given(st.data(), st.integers(1, 4), st.sampled_from([None, 1, 3]), st.integers(0, 99))
def test_a_batch_has_the_bits_of_its_images(data, count, channels, seed):
    shape = (count, 4, 5) if channels is None else (count, 4, 5, channels)
    images = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    transform = data.draw(chains(channels or 1))
    batched = transform.__batch__(images.copy())
    one_by_one = torch.stack([transform(image) for image in images])
    assert batched is not NotImplemented
    assert batched.dtype == one_by_one.dtype
    assert batched.shape == one_by_one.shape
    assert batched.is_contiguous()
    np.testing.assert_array_equal(batched.numpy().view(np.uint32), one_by_one.numpy().view(np.uint32))


@pytest.mark.parametrize(
    ("transform", "batched"),
    [
        (ToTensor(), True),
        (Compose([ToTensor(), Normalize((0.5,), (0.25,))]), True),
        (Compose([Compose([ToTensor()]), Normalize(0.5, [0.25]), Compose([])]), True),
        (Compose([ToTensor(), Lambda(lambda x: x)]), False),
        (Compose([Inverted()]), False),
        (Compose([ToTensor(), Shifted(0.5, 0.25)]), False),
        (Repeated([ToTensor()]), False),
        (Normalize(0.5, 0.25), False),
        (Compose([ToTensor(), ToTensor()]), False),
        (Compose([ToTensor(), Normalize(0.5, 0.0)]), False),
        (Compose([ToTensor(), Normalize((0.5, 0.5), (0.25, 0.25))]), False),
        (Compose([ToTensor(), Normalize([[[[0.5]]]], 0.25)]), False),
        (Compose([ToTensor(), Normalize(torch.tensor([0.5], requires_grad=True), 0.25)]), False),
    ],
)
def test_what_has_a_batched_form(transform, batched):
    assert (transform.__batch__(BYTES[None].copy()) is not NotImplemented) == batched


@pytest.mark.parametrize("images", [BYTES, BYTES[None].astype(np.float32), BYTES[:0], BYTES[None, :0], [BYTES]])
def test_what_is_no_batch_of_images(images):
    assert ToTensor().__batch__(images) is NotImplemented


@pytest.mark.parametrize("images", [BYTES, ONES, torch.ones(1, 1, 2, 2).to(torch.uint8)])
def test_what_is_no_batch_of_tensors(images):
    assert Normalize(0.5, 0.5).__batch__(images) is NotImplemented
