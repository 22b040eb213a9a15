"""Datasets known by name, read from local files."""

from . import idx
from .mnist import MNIST

__all__ = ["MNIST", "idx"]
