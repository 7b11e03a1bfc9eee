"""Long work that Ctrl-C ends only where nothing is lost: between two pieces of it."""

import contextlib
import signal
import threading


class Stop:
    """Whether somebody asked for an end: `asked`."""

    asked = False

    @contextlib.contextmanager
    def held_back(self):
        """The first Ctrl-C only asks, the second stops at once. Outside the main thread nothing changes."""

        def later(number, frame):
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, later)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
