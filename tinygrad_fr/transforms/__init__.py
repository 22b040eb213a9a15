"""Changes to images on their way from a dataset to a network, under torchvision's names."""
