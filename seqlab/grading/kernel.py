"""The kernel that runs a student's cells: IPython's own, with limits, sockets that are handed in and short tracebacks.

    python kernel.py SETTINGS        SETTINGS is JSON: key, sockets (descriptors), limits, cwd, transport, ip, ports;
                                     or what `seqlab.grading.forks.serve` takes

The sandbox starts this file. It holds nothing secret: a student's code can read it, and can undo what it does to the
streams and tracebacks, which serve her alone. The limits it cannot undo.
"""

import contextlib
import hashlib
import json
import os
import sys

STREAM_CHARACTERS = 20_000  # that one cell may print; the rest is dropped
STREAM_WRITES = 2_000
CELL = "<cell {}>"  # what a cell's code is called in a traceback: its hash


def cell_name(source):
    """Name a cell's code object after the source, so that the grader knows whose line raised."""
    return CELL.format(hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16])


def limit(limits):
    """Set resource limits for this process and those it starts. Hard ones: they cannot be raised again."""
    import resource

    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is None:
            continue
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(number, (value, value))


def lines_of(tb, syntax=None):
    """The cells and lines that an exception passed through, outermost first, as `<cell hash>:line`."""
    places = []
    while tb is not None and len(places) < 1000:
        name = tb.tb_frame.f_code.co_filename
        if name.startswith("<cell "):
            places.append(f"{name}:{tb.tb_lineno}")
        tb = tb.tb_next
    if syntax is not None and str(getattr(syntax, "filename", "")).startswith("<cell "):
        places.append(f"{syntax.filename}:{syntax.lineno}")
    return places[-20:]


def application(settings):
    """Make the kernel application: sockets handed in, nothing written to disk, no history."""
    from ipykernel import heartbeat
    from ipykernel.iostream import OutStream
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.zmqshell import ZMQInteractiveShell

    class Capped(OutStream):
        """A stream that a cell cannot flood: a right answer that prints a lot must stay gradable."""

        cell, characters, writes = None, 0, 0

        def write(self, string):
            """Pass on what fits in the cell's allowance."""
            if not isinstance(string, str):
                raise TypeError(f"write() argument must be str, not {type(string)}")
            cell = self.parent_header.get("msg_id")
            if cell != self.cell:
                self.cell, self.characters, self.writes = cell, 0, 0
            room = STREAM_CHARACTERS - self.characters
            self.characters += len(string)
            self.writes += 1
            if room > 0 and self.writes < STREAM_WRITES:
                super().write(string[:room])
            return len(string)

        def flush(self):
            """Flush no more often than the allowance of writes."""
            if self.writes < STREAM_WRITES and self.characters < STREAM_CHARACTERS:
                super().flush()

    class Shell(ZMQInteractiveShell):
        """Reports an exception by its type, its message and the lines of cells: nothing is formatted."""

        def showtraceback(self, exc_tuple=None, *args, **kwargs):
            """Send the exception that is being handled."""
            kind, error, tb = exc_tuple or sys.exc_info()
            places = lines_of(tb, error if issubclass(kind, SyntaxError) else None)
            for _ in range(20):  # Triton's interpreter wraps what a kernel raises, once for each function of it
                if type(error).__name__ != "InterpreterError" or error.__cause__ is None:
                    break
                error = error.__cause__
                kind, places = type(error), places + lines_of(error.__traceback__)
            self.report(kind, error, places[-20:])

        def showsyntaxerror(self, *args, **kwargs):
            """Send a syntax error with its line."""
            kind, error, _ = sys.exc_info()
            self.report(kind, error, lines_of(None, error))

        def report(self, kind, error, places):
            """Publish one error message; what cannot be turned into text is said to be so."""
            try:
                text = str(error)[:2000]
            except BaseException:
                text = "(its message cannot be shown)"
            self._showtraceback(kind, text, places)

    class Kernel(IPythonKernel):
        """IPython's kernel with the shell above."""

        shell_class = Shell

    class Application(IPKernelApp):
        """Binds to the sockets that the grader listens on; there is no connection file."""

        def init_connection_file(self):
            """Nothing to read: the settings came with the command."""

        def write_connection_file(self, **kwargs):
            """Nothing to write."""

        def cleanup_connection_file(self):
            """Nothing to remove."""

        def _try_bind_socket(self, s, port):
            return bind(s, super()._try_bind_socket, port)

    def bind(socket, ordinary, port):
        import zmq

        if settings["transport"] != "ipc":
            return ordinary(socket, port)
        socket.setsockopt(zmq.USE_FD, settings["sockets"][port - 1])
        socket.bind(f"ipc://{port}")
        return port

    if settings["transport"] == "ipc":
        heartbeat.Heartbeat._try_bind_socket = lambda self: bind(self.socket, None, self.port)
    app = Application.instance(
        transport=settings["transport"],
        ip=settings["ip"],
        kernel_class=Kernel,
        log_level="CRITICAL",
        **dict(
            zip(("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"), settings["ports"], strict=True)
        ),
    )
    app.session.key = settings["key"].encode()
    app.outstream_class = "ipykernel.iostream.OutStream"
    import ipykernel.iostream

    ipykernel.iostream.OutStream = Capped
    app.config.HistoryManager.enabled = False
    app.config.IPCompleter.use_jedi = False
    app.initialize([])
    app.kernel.shell.compile.get_code_name = lambda raw, code, number: cell_name(raw)
    return app


def die_with_parent():
    """Ask Linux to end this process when the grader that started it ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


def become(settings):
    """Turn this process into the kernel that the settings describe; it serves until it is killed."""
    if settings["limits"]:
        limit(settings["limits"])
    if settings.get("cwd"):
        os.chdir(settings["cwd"])
    os.environ.update(settings.get("environment", {}))
    application(settings).start()


def main():
    """Start a kernel, or a process that forks kernels."""
    settings = json.loads(sys.argv[1])
    sys.argv[1:] = []
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if root not in sys.path:  # the very package that grades, installed or not
        sys.path.append(root)
    sys.modules["debugpy"] = None  # the debugger takes a quarter of the start-up, and nobody debugs here
    die_with_parent()
    if "listener" not in settings:
        return become(settings)
    from seqlab.grading.forks import serve

    return serve(settings)


if __name__ == "__main__":
    main()
