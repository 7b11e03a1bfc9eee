"""The public face of a room whose names are imported when they are first used, so that its light parts stay light."""

from importlib import import_module


def exports(room, homes):
    """Make `__getattr__`, `__dir__` and `__all__` of a room.

    Parameters
    ----------
    room : its name, `__name__`.
    homes : dict from the name of a module inside the room to the public names that it holds.

    Returns
    -------
    getattr, dir, all : for the three names of the room.
    """
    home = {name: f"{room}.{module}" for module, names in homes.items() for name in names}

    def get(name):
        if name not in home:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(home[name]), name)

    return get, lambda: sorted(home), sorted(home)
