"""Networks without weights: nerfstudio makes an LPIPS, and here nothing asks it anything."""

from torch import nn


class Weights:
    """Names that torchmetrics looks up."""

    DEFAULT = IMAGENET1K_V1 = None


class Net(nn.Module):
    """A network that has features."""

    def __init__(self, features: nn.Sequential):
        super().__init__()
        self.features = features


def alexnet(weights: None = None, **_: object) -> Net:
    """AlexNet's layers."""
    relu, pool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)
    first = (nn.Conv2d(3, 64, 11, 4, 2), relu, pool, nn.Conv2d(64, 192, 5, padding=2), relu, pool)
    widths = ((192, 384), (384, 256), (256, 256))
    rest = [layer for before, after in widths for layer in (nn.Conv2d(before, after, 3, padding=1), relu)]
    return Net(nn.Sequential(*first, *rest, pool))


def __getattr__(name: str) -> type[Weights]:
    if name.startswith("__"):
        raise AttributeError(name)
    return Weights
