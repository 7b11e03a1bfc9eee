"""Run the programs of a launch side by side in Triton's interpreter, so that they can wait for each other.

The interpreter runs program after program, and a program that waits for a later one never ends. Here each program has
a thread. Python switches between threads at any instruction, so a program that does not wait reads what is not yet
written. What threads do not show is the order in which a GPU's memory makes writes visible.
"""

import inspect
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from triton.runtime import interpreter


def run_together(monkeypatch, together=True, late=0.05):
    """Patch the interpreter; the first program of a launch starts `late` seconds after the others.

    With together=False it starts when the others have ended, which they only do where they do not wait for it.
    """
    mine = threading.local()
    builder = interpreter.interpreter_builder

    def launch(self, *args, **kwargs):
        names = inspect.getfullargspec(self.fn).args
        given = inspect.getcallargs(self.fn, *args, **{name: kwargs[name] for name in kwargs.keys() & set(names)})
        grid = (*self.grid, 1, 1)[:3]
        builder.set_grid_dim(*grid)
        scope = interpreter._patch_lang(self.fn)
        converted = {n: v if n in self.constexprs else interpreter._implicit_cvt(v) for n, v in given.items()}

        def program(place):
            if together and place == (0, 0, 0):
                time.sleep(late)
            builder.set_grid_idx(*place)
            try:
                self.fn(**converted)
            except Exception:
                given["count_ptr"].fill_(1 << 30)  # or those that wait for this program would wait for ever
                raise

        try:
            places = [*itertools.product(*map(range, grid))]
            with ThreadPoolExecutor(len(places) if together else 1) as pool:
                list(pool.map(program, reversed(places)))
        finally:
            scope.restore()

    place = property(lambda self: mine.place, lambda self, value: setattr(mine, "place", value))
    monkeypatch.setattr(type(builder), "grid_idx", place, raising=False)
    monkeypatch.setattr(interpreter.GridExecutor, "__call__", launch)
