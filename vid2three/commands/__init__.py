"""The commands of the command line: what they take, and which function of the library they call.

They read torch-free modules only; libraries come when a command runs.
"""

from .assets import Edit, Generate, GenerateByVideoModel, Make, MakeByVideoModel, Reconstruct, Remake
from .files import Evaluate, Export, ExportViews, Info, View
from .many import Batch
from .serve import Serve
from .shared import Options
from .tools import Blender, Doctor, Train

__all__ = [
    "Batch",
    "Blender",
    "Doctor",
    "Edit",
    "Evaluate",
    "Export",
    "ExportViews",
    "Generate",
    "GenerateByVideoModel",
    "Info",
    "Make",
    "MakeByVideoModel",
    "Options",
    "Reconstruct",
    "Remake",
    "Serve",
    "Train",
    "View",
]
