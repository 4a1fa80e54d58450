"""LPIPS with random weights of the right shapes: what it is by its formula, and which files are taken for weights."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import interpolate

from recon.lpips import MEAN, STD, load_lpips

ALEX_READ = (2, 5, 8, 10, 12)  # how many modules of torchvision's `features` lead to each of the five layers
VGG_READ = (4, 9, 16, 23, 30)


def alex_features() -> nn.Sequential:
    """AlexNet's features as torchvision builds them."""
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )


def vgg_features() -> nn.Sequential:
    """VGG16's features as torchvision builds them."""
    layers, channels = [], 3
    for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"):
        if width == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def linear(widths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Weights of channels, positive as trained ones are, under the names of the package lpips."""
    generator = torch.Generator().manual_seed(5)
    return {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1, generator=generator) for i, c in enumerate(widths)}


@pytest.fixture(scope="module")
def alex(tmp_path_factory):
    """A folder of torchvision's file and the package's, random, and the network."""
    torch.manual_seed(3)
    features = alex_features()
    folder = tmp_path_factory.mktemp("alex")
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    torch.save({**state, "classifier.1.weight": torch.zeros(4, 4)}, folder / "alexnet-owt-7be5be79.pth")
    torch.save(linear((64, 192, 384, 256, 256)), folder / "alex.pth")
    return folder, features


def pictures(num: int = 2, height: int = 68, width: int = 84) -> torch.Tensor:
    """Smooth random pictures."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(num, 3, 12, 14, generator=generator)
    return interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1).movedim(1, -1)


def by_formula(features: nn.Sequential, read: tuple[int, ...], weights: dict, a: torch.Tensor, b: torch.Tensor):
    """Eq. 1 of arXiv:1801.03924, module by module."""
    total = 0.0
    for layer, end in enumerate(read):
        x, y = (
            features[:end](((2 * p - 1 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)) for p in (a, b)
        )
        x, y = (t / t.norm(dim=1, keepdim=True).clamp(min=1e-10) for t in (x, y))
        weight = weights[f"lin{layer}.model.1.weight"]
        total = total + ((x - y) ** 2 * weight).sum(dim=1).mean(dim=(1, 2))
    return total.detach()


def test_it_is_the_papers_formula_on_torchvisions_layers(alex):
    folder, features = alex
    a, b = pictures(), pictures().flip(2)
    measure = load_lpips(folder)
    assert measure.net == "alex"
    expected = by_formula(features, ALEX_READ, torch.load(folder / "alex.pth"), a, b)
    torch.testing.assert_close(measure(a, b), expected, rtol=1e-4, atol=1e-7)


def test_vgg_too_from_one_file_as_the_package_saves_it(tmp_path):
    torch.manual_seed(4)
    features, weights = vgg_features(), linear((64, 128, 256, 512, 512))
    starts = [0, *VGG_READ]
    slices = {i: next(s + 1 for s in range(5) if starts[s] <= i < starts[s + 1]) for i in range(30)}
    state = {f"net.slice{slices[int(k.split('.')[0])]}.{k}": v for k, v in features.state_dict().items()}
    torch.save({**state, **weights, "scaling_layer.shift": torch.zeros(1, 3, 1, 1)}, tmp_path / "lpips.pth")
    a, b = pictures(1, 40, 33), pictures(1, 40, 33).flip(1)
    measure = load_lpips(tmp_path / "lpips.pth")
    assert measure.net == "vgg"
    torch.testing.assert_close(measure(a, b), by_formula(features, VGG_READ, weights, a, b), rtol=1e-4, atol=1e-7)


def test_equal_pictures_are_at_zero_and_the_two_can_change_places(alex):
    measure = load_lpips(alex[0])
    a, b = pictures(), pictures().flip(2)
    assert measure(a, a).tolist() == [0.0, 0.0]
    torch.testing.assert_close(measure(a, b), measure(b, a))
    assert bool((measure(a, b) > 0).all())


def test_the_more_blur_the_larger(alex):
    measure = load_lpips(alex[0])
    a = pictures()
    channels = a.movedim(-1, 1)
    blurred = [interpolate(interpolate(channels, scale_factor=1 / f, mode="area"), a.shape[1:3]) for f in (2, 4, 8, 16)]
    found = torch.stack([measure(b.movedim(1, -1), a) for b in blurred])
    assert bool((found.diff(dim=0) > 0).all()), found


def test_safetensors_will_do(alex, tmp_path):
    merged = {**torch.load(alex[0] / "alexnet-owt-7be5be79.pth"), **torch.load(alex[0] / "alex.pth")}
    save_file({name: value.contiguous() for name, value in merged.items()}, tmp_path / "all.safetensors")
    a, b = pictures(1), pictures(1).flip(2)
    assert float(load_lpips(tmp_path / "all.safetensors")(a, b)) == float(load_lpips(alex[0])(a, b))


def test_each_wrong_file_has_its_sentence(alex, tmp_path):
    with pytest.raises(FileNotFoundError, match="--lpips wants a file of weights"):
        load_lpips(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="found nothing of AlexNet or VGG16"):
        load_lpips(tmp_path)
    with pytest.raises(ValueError, match=r"found some of alex, but not lin0"):
        load_lpips(alex[0] / "alexnet-owt-7be5be79.pth")
    with pytest.raises(ValueError, match=r"found some of alex, but not 0\.weight"):
        load_lpips(alex[0] / "alex.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match="no file of weights that torch or safetensors can read"):
        load_lpips(tmp_path / "text.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="it holds a list"):
        load_lpips(tmp_path / "list.pth")
    torch.save({"features.0.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet.pth")
    with pytest.raises(ValueError, match="found nothing of AlexNet or VGG16"):
        load_lpips(tmp_path / "resnet.pth")


def test_pictures_too_small_for_the_network_are_named(alex):
    measure = load_lpips(alex[0])
    assert measure(pictures(1, 31, 40), pictures(1, 31, 40)).tolist() == [0.0]
    with pytest.raises(ValueError, match="at least 31 pixels a side, not 30 x 40"):
        measure(pictures(1, 30, 40), pictures(1, 30, 40))
