"""How much of each pixel the subject covers: plain backgrounds by their colour, others by colour and motion."""

from recon.masks.estimate import ESTIMATED, Masking, estimate_alphas
from recon.masks.plain import background_colors, foreground, unmixed

__all__ = ["ESTIMATED", "Masking", "background_colors", "estimate_alphas", "foreground", "unmixed"]
