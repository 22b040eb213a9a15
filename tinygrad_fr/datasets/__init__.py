"""Datasets known by name, read from files on this machine or fetched from their mirrors."""

from . import idx
from .mnist import MNIST, FashionMNIST, default_root

__all__ = ["MNIST", "FashionMNIST", "default_root", "idx"]
