"""A stand-in for torchvision beside a CPU torch: what nerfstudio needs to start; untrained networks, no operators."""

__version__ = "0.0.1"
