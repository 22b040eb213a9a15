"""Moving elements between channels and places: pixel shuffle and its inverse, channel shuffle."""

from ..autograd.binding import public


@public(method=False)
def pixel_shuffle(input, upscale_factor):
    """Channels spread over r x r pixels.  (*, C r^2, H, W) -> (*, C, H r, W r).  Source: Shi et al., 2016."""
    _check_factor("pixel_shuffle", "upscale_factor", input, upscale_factor)
    r = upscale_factor
    *batch, channels, height, width = input._array.shape
    if channels % r**2:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r**2}"
        )
    n = len(batch)
    parts = input.reshape((*batch, channels // r**2, r, r, height, width))
    return parts.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2).reshape(
        (*batch, channels // r**2, height * r, width * r)
    )


@public(method=False)
def pixel_unshuffle(input, downscale_factor):
    """The inverse of `pixel_shuffle`.  (*, C, H r, W r) -> (*, C r^2, H, W)."""
    _check_factor("pixel_unshuffle", "downscale_factor", input, downscale_factor)
    r = downscale_factor
    *batch, channels, height, width = input._array.shape
    for name, place, size in (("height", -2, height), ("width", -1, width)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({place})={size} "
                f"is not divisible by {r}"
            )
    n = len(batch)
    parts = input.reshape((*batch, channels, height // r, r, width // r, r))
    return parts.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3).reshape(
        (*batch, channels * r**2, height // r, width // r)
    )


def _check_factor(name, factor_name, input, factor):
    if input.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive {factor_name}, but got {factor}")


@public(method=False)
def channel_shuffle(input, groups):
    """The channels of all groups taken in turn.  (N, C, *) -> (N, C, *).  Source: Zhang et al., 2018."""
    shape = input._array.shape
    if input.ndim <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} groups."
        )
    parts = input.reshape((shape[0], groups, shape[1] // groups, *shape[2:]))
    return parts.movedim(1, 2).reshape(shape)
