"""Augmentation: handwritten digits turned, scaled and shifted a little, as other hands would have written them."""

import math

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F


class RandomDistortion:
    """Draws how each image is distorted, evenly within the limits.

    For each pixel of the result it is computed where in the image it comes from; its value is the mean of the four
    pixels around that place, weighted by how near they are (bilinear interpolation). Outside the image all is 0.
    """

    def __init__(self, height: int, width: int, degrees: float = 10, scale: float = 0.1, shift: float = 1 / 14):
        """Turned by at most ``degrees``, larger or smaller by ``scale``, shifted by a share of the size ``shift``."""
        self.height, self.width = height, width
        self.angle, self.scale, self.shift = math.radians(degrees), scale, shift
        rows = torch.arange(height) - (height - 1) / 2  # from the centre
        columns = torch.arange(width) - (width - 1) / 2
        self.y, self.x = [each.flatten() for each in torch.meshgrid(rows, columns, indexing="ij")]

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(N, H*W) -> (N, H*W) float32."""
        angle, scale, down, right = torch.rand(4, len(images), 1) * 2 - 1
        scale = 1 + scale * self.scale
        cos, sin = scale * torch.cos(angle * self.angle), scale * torch.sin(angle * self.angle)
        y = sin * self.x + cos * self.y + down * (self.shift * self.height)
        x = cos * self.x - sin * self.y + right * (self.shift * self.width)
        return self.pixels_at(images, y + (self.height + 1) / 2, x + (self.width + 1) / 2)

    def pixels_at(self, images: torch.Tensor, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The pixels at places between pixels of the images with a border of 1; what lies outside is on the border."""
        y, x = y.clamp(0, self.height + 1), x.clamp(0, self.width + 1)
        top, left = y.floor(), x.floor()
        bordered = F.pad(images.reshape(-1, self.height, self.width), (1, 2, 1, 2)).float()  # also below the border
        _, height, width = bordered.shape
        place = (top * width + left).long() + height * width * torch.arange(len(images))[:, None]
        pixels = bordered.flatten()
        down, right = y - top, x - left
        above = pixels[place] * (1 - right) + pixels[place + 1] * right
        below = pixels[place + width] * (1 - right) + pixels[place + width + 1] * right
        return above * (1 - down) + below * down
