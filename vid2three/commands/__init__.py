"""The commands of the command line: what they take, and which function of the library they call.

They read torch-free modules only; libraries come when a command runs.
"""

from .assets import Edit, Generate, Make, Reconstruct, Remake
from .files import Evaluate, Export, ExportViews, Info, View
from .shared import Options
from .tools import Blender, Doctor, Train

__all__ = [
    "Blender",
    "Doctor",
    "Edit",
    "Evaluate",
    "Export",
    "ExportViews",
    "Generate",
    "Info",
    "Make",
    "Options",
    "Reconstruct",
    "Remake",
    "Train",
    "View",
]
