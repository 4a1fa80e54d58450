"""vid2three in Blender: a panel that makes assets by the vid2three program, and importers for what it makes."""

from . import operators, panel, preferences, settings, worker

MODULES = (settings, preferences, operators, panel)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    worker.shut_down()
    for module in reversed(MODULES):
        module.unregister()
