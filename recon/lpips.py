"""LPIPS, how different two pictures look to a network: Zhang et al., "The Unreasonable Effectiveness of Deep Features
as a Perceptual Metric", CVPR 2018 (arXiv:1801.03924).

The weights are the user's: torchvision's AlexNet or VGG16 trained on ImageNet, and the linear layers of the package
`lpips` (version 0.1). Nothing is downloaded, and neither package is needed.

Shapes: N pictures of H x W pixels, five layers l of C_l channels and H_l x W_l cells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

Net = Literal["alex", "vgg"]
SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's colours, for pictures in [-1, 1]
EPS = 1e-10  # as in the package


@dataclass(frozen=True)
class Conv:
    """A convolution by its number in torchvision's `features`, and what stands before and after it."""

    index: int
    channels: int
    stride: int = 1
    padding: int = 1
    pooled: bool = False
    """Whether its input is the largest of 3 x 3 (AlexNet) or 2 x 2 (VGG) cells, two apart."""
    is_read: bool = True
    """Whether what comes out of it, after ReLU, is one of the five layers."""


LAYERS: dict[Net, tuple[Conv, ...]] = {
    "alex": (
        Conv(0, 64, stride=4, padding=2),
        Conv(3, 192, padding=2, pooled=True),
        Conv(6, 384, pooled=True),
        Conv(8, 256),
        Conv(10, 256),
    ),
    "vgg": (
        Conv(0, 64, is_read=False),
        Conv(2, 64),
        Conv(5, 128, pooled=True, is_read=False),
        Conv(7, 128),
        Conv(10, 256, pooled=True, is_read=False),
        Conv(12, 256, is_read=False),
        Conv(14, 256),
        Conv(17, 512, pooled=True, is_read=False),
        Conv(19, 512, is_read=False),
        Conv(21, 512),
        Conv(24, 512, pooled=True, is_read=False),
        Conv(26, 512, is_read=False),
        Conv(28, 512),
    ),
}
KERNELS: dict[Net, tuple[int, ...]] = {"alex": (11, 5, 3, 3, 3), "vgg": (3,) * 13}
POOLS: dict[Net, int] = {"alex": 3, "vgg": 2}
SMALLEST: dict[Net, int] = {"alex": 31, "vgg": 16}  # pixels a side that leave a cell in the last layer


@dataclass(frozen=True, eq=False)
class Lpips:
    """A network and the weights of its channels."""

    net: Net
    kernels: dict[int, tuple[Tensor, Tensor]]
    """Weight and bias of each convolution, by its number."""
    linear: tuple[Tensor, ...]
    """Weight of each channel [C_l], one a layer."""

    def __call__(self, a: Float[Tensor, "n h w 3"], b: Float[Tensor, "n h w 3"]) -> Float[Tensor, " n"]:
        """Return the distance of each of N pairs of pictures in [0,1]: 0 for equal ones, larger the more they differ.

        Raises ValueError where the pictures are too small for the network.
        """
        smallest = SMALLEST[self.net]
        if min(a.shape[1:3]) < smallest:
            size = f"{a.shape[1]} x {a.shape[2]}"
            raise ValueError(f"LPIPS ({self.net}) needs pictures of at least {smallest} pixels a side, not {size}.")
        with torch.no_grad():
            return torch.stack([self._distance(x, y) for x, y in zip(a, b, strict=True)])  # one by one: less memory

    def _distance(self, a: Float[Tensor, "h w 3"], b: Float[Tensor, "h w 3"]) -> Tensor:
        layers = self._layers(torch.stack([a, b]))
        parts = [
            ((unit[0] - unit[1]) ** 2 * weight[:, None, None]).sum(dim=0).mean()
            for unit, weight in zip(map(_unit, layers), self.linear, strict=True)
        ]
        return torch.stack(parts).sum()

    def _layers(self, pictures: Float[Tensor, "n h w 3"]) -> list[Tensor]:
        """Return what comes out of the five layers, [N,C_l,H_l,W_l]."""
        x = (2 * pictures.float() - 1 - torch.tensor(MEAN)) / torch.tensor(STD)
        x = x.movedim(-1, 1)  # N 3 H W
        found = []
        for conv in LAYERS[self.net]:
            if conv.pooled:
                x = max_pool2d(x, POOLS[self.net], 2)
            weight, bias = self.kernels[conv.index]
            x = relu(conv2d(x, weight, bias, conv.stride, conv.padding))
            if conv.is_read:
                found.append(x)
        return found


def load_lpips(path: Path) -> Lpips:
    """Read weights: one file with all of them (the state of an `lpips.LPIPS`), or a folder of files that add up to it.

    A folder may hold torchvision's file (alexnet-owt-*.pth or vgg16-*.pth) and the package's linear layers (alex.pth or
    vgg.pth). AlexNet is taken where both networks are complete. Raises FileNotFoundError or ValueError with the cure.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}; --lpips wants a file of weights, or a folder of them.")
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES) if path.is_dir() else [path]
    parts: dict[Net, dict[str, Tensor]] = {"alex": {}, "vgg": {}}
    for file in files:
        for name, tensors in _sorted_out(_read(file)).items():
            parts[name].update(tensors)
    lacking = {net: _lacking(net, tensors) for net, tensors in parts.items()}
    net = min(parts, key=lambda name: (len(lacking[name]), name))
    if lacking[net]:
        found = f"some of {net}, but not {lacking[net][0]}" if parts[net] else "nothing of AlexNet or VGG16"
        raise ValueError(
            f"{path} holds no weights of LPIPS (found {found}); give the state of an lpips.LPIPS, or a folder with "
            "torchvision's AlexNet or VGG16 and the linear layers of the lpips package (alex.pth, vgg.pth)."
        )
    tensors = parts[net]
    kernels = {conv.index: (tensors[f"{conv.index}.weight"], tensors[f"{conv.index}.bias"]) for conv in LAYERS[net]}
    return Lpips(net, kernels, tuple(tensors[f"lin{index}"].flatten() for index in range(5)))


def _read(file: Path) -> Mapping[str, Any]:
    """Read a file of tensors; tensors alone, no code."""
    try:
        loaded = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{file} is no file of weights that torch or safetensors can read ({reason}).") from None
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{file} is no file of weights: it holds a {type(loaded).__name__}, not named tensors.")
    return loaded


def _sorted_out(state: Mapping[str, Any]) -> dict[Net, dict[str, Tensor]]:
    """Return which network a file's tensors belong to, under short names: "3.weight" of a convolution, "lin0".

    Convolutions are called features.3.weight by torchvision, net.slice2.3.weight by lpips (the same numbers), and the
    linear layers lin0.model.1.weight or lins.0.model.1.weight.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        conv = re.fullmatch(r"(?:net\.slice\d\.|net\.slices\.\d\.|features\.)?(\d+)\.(weight|bias)", name)
        linear = re.fullmatch(r"lin(?:s\.)?(\d)\.model\.\d\.weight", name)
        if isinstance(value, Tensor) and conv:
            found[f"{conv[1]}.{conv[2]}"] = value.float()
        elif isinstance(value, Tensor) and linear:
            found[f"lin{linear[1]}"] = value.float()
    kept: dict[Net, dict[str, Tensor]] = {}
    for net in LAYERS:
        shapes = _shapes(net)
        if found and all(tuple(value.shape) == shapes.get(name) for name, value in found.items()):
            kept[net] = found
    return kept


def _shapes(net: Net) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor of a network."""
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for conv, kernel in zip(LAYERS[net], KERNELS[net], strict=True):
        shapes[f"{conv.index}.weight"] = (conv.channels, channels, kernel, kernel)
        shapes[f"{conv.index}.bias"] = (conv.channels,)
        channels = conv.channels
    read = [conv.channels for conv in LAYERS[net] if conv.is_read]
    return shapes | {f"lin{index}": (1, width, 1, 1) for index, width in enumerate(read)}


def _lacking(net: Net, tensors: Mapping[str, Tensor]) -> list[str]:
    return [name for name in _shapes(net) if name not in tensors]


def _unit(layer: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Scale each cell's channels to length 1."""
    return layer / (layer.square().sum(dim=1, keepdim=True).sqrt() + EPS)
