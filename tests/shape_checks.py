"""Array annotations, `Float[Tensor, "n 3"]`, checked at every call of the packages while tests run.

jaxtyping's own import hook decorates the source of every function, and numba cannot compile what it decorates. So
this hook waits until a module has run and then wraps what is still plain Python: functions, methods and the
constructors of dataclasses that annotate an array. What numba compiled is left alone, and so are all annotations
that are not arrays.
"""

import inspect
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FunctionType, ModuleType
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped

ARRAYS = ("Float", "Int", "UInt", "Bool", "Shaped", "Inexact", "Integer", "Num", "Real", "Complex")


def install(packages: tuple[str, ...]) -> None:
    """Check every module of the packages that is imported from now on."""
    loaded = [name for name in sys.modules if name.partition(".")[0] in packages]
    if loaded:
        raise RuntimeError(f"Imported too early to be checked: {', '.join(loaded)}.")
    sys.meta_path.insert(0, _Finder(packages))


def check_module(module: ModuleType) -> None:
    """Wrap the module's functions, methods and dataclasses that annotate an array."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            _check_class(value)
        elif isinstance(value, FunctionType) and annotates_array(value):
            setattr(module, name, jaxtyped(value, typechecker=_check_arrays))


def annotates_array(function: FunctionType) -> bool:
    """Tell whether an argument or the result is annotated as an array of a shape."""
    return any(f"{kind}[" in str(hint) for hint in function.__annotations__.values() for kind in ARRAYS)


def _check_class(cls: type) -> None:
    for name, member in list(vars(cls).items()):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if isinstance(function, FunctionType) and annotates_array(function):
            setattr(cls, name, jaxtyped(member, typechecker=_check_arrays))


def _check_arrays(function: FunctionType) -> Any:
    """Beartype the annotations of arrays and no others; jaxtyping hands over a function that only has a signature."""
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if _holds_array(hint)}
    return beartype(function)


def _holds_array(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(_holds_array(part) for part in get_args(hint))


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        check_module(module)


class _Finder(MetaPathFinder):
    def __init__(self, packages: tuple[str, ...]):
        self.packages = packages

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self.packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec
