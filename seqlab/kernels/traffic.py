"""Count what a computation loads from memory and stores there, without a GPU.

`seqlab.kernels.count` runs a function and watches two things. Kernels run in Triton's interpreter, program by program,
and every load, store and atomic of theirs is seen with its addresses and its mask. torch's functions are seen one by
one, as they reach the CPU. So a reader without a GPU can see traffic fall when kernels are fused.

Of a kernel:

- Only lanes whose mask is true count.
- In one load, or one store, an address counts once, however many lanes name it: a program fetches it once and hands
  it around. The next load of the same address counts again, in the same program too, since what the caches of a GPU
  still hold is luck and not part of the kernel.
- An atomic loads and stores for each true lane: two lanes that add to one number are two updates, one after the other.
- What stays in registers or in shared memory costs nothing.

One of torch's functions reads each distinct element of its inputs once and writes its outputs once, as if its inner
working were perfect. A view moves nothing, `empty` moves nothing, `zeros` writes, a function in place reads and writes.
A function that picks (`embedding`, `gather`, `index_select`, an index) reads as many numbers as it picks, and one that
scatters in place touches as many as it is given. A broadcast input counts its distinct elements. What `torch.compile`
made is counted as if it were not compiled: torch does not use it while its calls are watched.

What it cannot know: two arguments that are the same memory (a result written over its input) are one, and the first of
them takes the bytes. A GPU moves whole sectors of 32 bytes, and its caches may spare some of what is loaded again; both
are left out, since they belong to the device. So a count says what a kernel asks for, and a time is measured elsewhere.

What it costs: a load of a row that rises from address to address 10 to 40 us, one of 4,096 scattered addresses 0.2 ms;
the interpreter needs 40 to 200 us for the load itself, so that a kernel takes 0 to 15 % longer. A call of torch takes
0.1 ms more. Measured on one core of a shared machine.
"""

import dataclasses
import math
import threading
from dataclasses import dataclass, field
from html import escape

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from seqlab.kernels.switch import has_triton, interpreting

ROWS = 40  # of a table, before it says how many launches more there are
_running = threading.Lock()


@dataclass(frozen=True, eq=False)
class Event:
    """One load, store or atomic of one program.

    Attributes
    ----------
    program : row of `Launch.per_program`, in the order of execution.
    kind : "load", "store" or "atomic".
    argument : name of the tensor, without `_ptr`.
    elements : (n,) int64, how far each number lies behind the tensor's first, counted in elements: for a contiguous
        tensor the flat index, row by row. Distinct for a load or a store; for an atomic one for each true lane.
    """

    program: int
    kind: str
    argument: str
    elements: np.ndarray


@dataclass(frozen=True, eq=False)
class Launch:
    """One launch of a kernel, or one call of a function of torch.

    Attributes
    ----------
    name : the kernel's name in Python without underscores before it, or torch's name, such as "aten.exp".
    kind : "kernel" or "torch".
    grid : (x, y, z) programs; () for torch.
    loaded, stored : bytes.
    by_argument : dict from an argument's name, without `_ptr`, to the bytes (loaded, stored).
    per_program : (P, 2) int64, bytes that each program loaded and stored, in the order of execution; (1, 2) for torch.
    events : tuple of `Event` in the order of execution, where `count` was asked for events.
    """

    name: str
    kind: str
    grid: tuple
    loaded: int
    stored: int
    by_argument: dict
    per_program: np.ndarray
    events: tuple = ()

    @property
    def moved(self):
        """Bytes loaded and stored."""
        return self.loaded + self.stored

    @property
    def programs(self):
        """Programs of the grid; 0 for torch."""
        return math.prod(self.grid) if self.grid else 0


@dataclass(frozen=True, eq=False, repr=False)
class Traffic:
    """What a computation moved, in bytes; `count` makes it.

    Attributes
    ----------
    result : what the function returned.
    launches : tuple of `Launch`, in order. Calls that move nothing (views, `empty`) are left out.
    needed : of the kernels' bytes, those that any kernel must move: distinct addresses read in tensors that existed
        before, and distinct addresses written in tensors that existed before, are returned, or are left as a gradient.
    scratch : of the kernels' bytes, those loaded from or stored to tensors that were made inside and are not returned.
    """

    result: object
    launches: tuple
    needed: int
    scratch: int

    def _sum(self, kind, what):
        return sum(getattr(launch, what) for launch in self.launches if launch.kind == kind)

    @property
    def loaded(self):
        """Bytes that kernels loaded."""
        return self._sum("kernel", "loaded")

    @property
    def stored(self):
        """Bytes that kernels stored."""
        return self._sum("kernel", "stored")

    @property
    def moved(self):
        """Bytes that kernels loaded and stored: needed + scratch + again."""
        return self.loaded + self.stored

    @property
    def again(self):
        """Bytes of the kernels' that move a number one more time, or read back a result of their own."""
        return self.moved - self.needed - self.scratch

    @property
    def torch_moved(self):
        """Bytes that torch's functions read and wrote."""
        return self._sum("torch", "moved")

    @property
    def total(self):
        """Bytes that kernels and torch's functions moved."""
        return self.moved + self.torch_moved

    @property
    def programs(self):
        """Programs of all kernels."""
        return self._sum("kernel", "programs")

    def table(self):
        """Lay the launches out in rows, one a launch; equal launches that follow each other share one."""
        return Table(self)

    def __str__(self):
        return str(self.table())

    def __repr__(self):
        return (
            f"Traffic({len(self.launches)} launches, {self.total:,} bytes: needed {self.needed:,}, "
            f"scratch {self.scratch:,}, again {self.again:,}, torch {self.torch_moved:,})"
        )

    def _repr_html_(self):
        return self.table()._repr_html_()


class Table:
    """The launches of a `Traffic` in rows, in bytes: text for a terminal, HTML for a notebook."""

    head = ("launch", "programs", "loaded", "stored")

    def __init__(self, traffic):
        self.traffic = traffic

    def rows(self):
        """List (name, programs, loaded, stored) as text, equal neighbours in one row, the total last."""
        runs = []
        for launch in self.traffic.launches:
            key = (launch.name, launch.kind, launch.programs, launch.loaded, launch.stored)
            if runs and runs[-1][0] == key:
                runs[-1][1] += 1
            else:
                runs.append([key, 1])
        rows = []
        for (name, _, programs, loaded, stored), times in runs[:ROWS]:
            name = name if times == 1 else f"{times} × {name}"
            rows.append((name, times * programs, times * loaded, times * stored))
        rest = runs[ROWS:]
        if rest:
            programs, loaded, stored = (sum(times * key[i] for key, times in rest) for i in (2, 3, 4))
            rows.append((f"{sum(times for _, times in rest)} more", programs, loaded, stored))
        rows.append(("total", self.traffic.programs, *self._totals()))
        return [
            (name, f"{programs:,}" if programs else "", f"{loaded:,}", f"{stored:,}")
            for name, programs, loaded, stored in rows
        ]

    def _totals(self):
        launches = self.traffic.launches
        return sum(launch.loaded for launch in launches), sum(launch.stored for launch in launches)

    def caption(self):
        """Say in one sentence what the kernels' bytes were for."""
        t = self.traffic
        parts = [f"needed {t.needed:,}", f"scratch {t.scratch:,}", f"again {t.again:,}"] if t.programs else []
        parts += [f"torch {t.torch_moved:,}"] if t.torch_moved or not parts else []
        return f"{t.total:,} bytes moved: " + ", ".join(parts)

    def __str__(self):
        rows = [self.head, *self.rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.head))]

        def line(row):
            return "  ".join(
                [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            ).rstrip()

        rule = "  ".join("-" * width for width in widths)
        lines = [line(row) for row in rows]
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], self.caption()])

    __repr__ = __str__

    def _repr_html_(self):
        def cells(row, line=""):
            name = f'<th scope="row" style="text-align:left;overflow-wrap:anywhere{line}">{escape(row[0])}</th>'
            numbers = "".join(f'<td style="text-align:right{line}">{escape(cell)}</td>' for cell in row[1:])
            return f"<tr>{name}{numbers}</tr>"

        *body, total = self.rows()
        head = "".join(f'<th scope="col" style="text-align:right">{name}</th>' for name in self.head[1:])
        caption = escape(self.caption())
        return (
            f'<div style="overflow-x:auto" tabindex="0" role="group" aria-label="{caption}">'
            f'<table class="dataframe"><caption style="caption-side:top;text-align:left">{caption}</caption>'
            f'<thead><tr><th scope="col" style="text-align:left">{self.head[0]}</th>{head}</tr></thead>'
            f"<tbody>{''.join(map(cells, body))}</tbody>"
            f"<tfoot>{cells(total, ';border-top:1px solid')}</tfoot></table></div>"
        )


def count(fn, *args, events=False, **kwargs):
    """Run `fn(*args, **kwargs)` and count the bytes that its kernels and torch's functions load and store.

    Parameters
    ----------
    fn : function that launches kernels on CPU tensors, calls torch, or both; autograd's backward is seen too.
    args, kwargs : its arguments.
    events : keep every single access, in `Launch.events`.

    Returns
    -------
    traffic : Traffic

    Raises
    ------
    ValueError
        when `fn` cannot be called, or a kernel is launched on tensors that do not lie on the CPU.
    RuntimeError
        when kernels do not run in Triton's interpreter, or when this process counts something already: the interpreter
        runs one program at a time, so a count cannot hold another, nor a launch from another thread.
    Exception
        whatever `fn` raises, as it is; the count is given up and nothing of it stays behind. A kernel that reaches
        outside all tensors it was given is stopped before it does, with an error that names the kernel.

    Notes
    -----
    The module's first lines say what counts and what that assumes. Every tensor that was seen is kept until the end,
    since memory that is freed may be handed out again, and two tensors would look like one.

    Examples
    --------
    >>> import torch
    >>> from seqlab.kernels import count
    >>> from seqlab.lm.kernels.softmax import softmax_row
    >>> print(count(lambda z: softmax_row(2 * z), torch.ones(8, 100)))
    launch       programs  loaded  stored
    -----------  --------  ------  ------
    aten.mul                3,200   3,200
    softmax_row         8   3,200   3,200
    -----------  --------  ------  ------
    total               8   6,400   6,400
    12,800 bytes moved: needed 3,200, scratch 3,200, again 0, torch 6,400
    """
    if not callable(fn):
        raise ValueError(
            f"fn is of type {type(fn).__name__} and cannot be called: give the function and its arguments apart, "
            "count(f, x) and not count(f(x))"
        )
    if not interpreting():
        why = "kernels are compiled in this process" if has_triton() else "the package triton exists for Linux alone"
        raise RuntimeError(
            f"count needs Triton's interpreter, and {why}: on Linux, restart Python and set TRITON_INTERPRET=1 first"
        )
    if not _running.acquire(blocking=False):
        raise RuntimeError("count is running already in this process: let it end before the next one begins")
    try:
        watch = _Watch(events)
        with watch, _TorchCalls(watch):
            result = fn(*args, **kwargs)
        return watch.traffic(result, (args, kwargs))
    finally:
        _running.release()


# What memory was touched


class _Storage:
    """The memory of one tensor and of all its views: which of its bytes were loaded and stored, and how often."""

    def __init__(self, storage, made):
        self.alive = storage  # as long as this is held, its memory is not handed out again
        self.made = made
        self.loaded = self.stored = 0
        self.read = self.written = None

    def _maps(self):
        size = -(-self.alive.nbytes() // 16) * 16
        if self.read is None:
            self.read, self.written = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        elif len(self.read) < size:  # the storage grew
            more = np.zeros(size - len(self.read), np.uint8)
            self.read, self.written = np.concatenate([self.read, more]), np.concatenate([self.written, more])
        return self.read, self.written

    def mark(self, addresses, size, load, store):
        """Remember distinct, rising addresses of numbers of `size` bytes.

        A byte that was written here before it is read is a result that is read back: it does not become "read".
        """
        read, written = self._maps()
        at = (addresses - np.uint64(self.alive.data_ptr())).view(np.int64)
        first, last = int(at[0]), int(at[-1])
        if last - first == (len(at) - 1) * size:
            parts = [(read, written, slice(first, last + size), np.uint8(1))]
        elif not int(np.bitwise_or.reduce(at)) & (size - 1):
            wide = np.dtype(f"u{size}")
            ones = np.frombuffer(b"\x01" * size, wide)[0]
            parts = [(read.view(wide), written.view(wide), at // size, ones)]
        else:
            parts = [(read, written, at + byte, np.uint8(1)) for byte in range(size)]
        for was_read, was_written, where, ones in parts:
            if load:
                was_read[where] |= was_written[where] ^ ones
            if store:
                was_written[where] = ones


@dataclass
class _Place:
    """An argument of a kernel: the addresses from `start` up to `end`."""

    name: str
    start: int
    end: int
    storage: _Storage


@dataclass
class _Open:
    """A launch that is going on."""

    name: str
    places: list
    grid: tuple = ()
    bytes: dict = field(default_factory=dict)
    programs: list = field(default_factory=list)
    events: list = field(default_factory=list)

    def close(self):
        loaded, stored = (sum(pair[i] for pair in self.bytes.values()) for i in (0, 1))
        per_program = np.array(self.programs, dtype=np.int64).reshape(-1, 2)
        by_argument = {name: tuple(pair) for name, pair in self.bytes.items()}
        return Launch(self.name, "kernel", self.grid, loaded, stored, by_argument, per_program, tuple(self.events))


class _Watch:
    """Wraps the interpreter's loads, stores and launches while it is entered, and keeps the account."""

    def __init__(self, events):
        self.keep_events = events
        self.thread = threading.get_ident()
        self.storages = {}
        self.leaves = {}
        self.launches = []
        self.launch = None
        self.undo = []

    def __enter__(self):
        from triton.runtime.interpreter import GridExecutor, interpreter_builder

        builder = interpreter_builder
        try:
            self._wrap(GridExecutor, "__call__", self._launching)
            self._wrap(builder, "set_grid_dim", self._grid)
            self._wrap(builder, "set_grid_idx", self._program)
            self._wrap(builder, "create_masked_load", self._access("load", pointer=0, mask=1))
            self._wrap(builder, "create_masked_store", self._access("store", pointer=0, mask=2))
            self._wrap(builder, "create_atomic_rmw", self._access("atomic", pointer=1, mask=3))
            self._wrap(builder, "create_atomic_cas", self._access("atomic", pointer=0))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        while self.undo:
            self.undo.pop()()

    def _wrap(self, owner, name, wrapper):
        """Put `wrapper(original)` in the place of a method; `undo` takes it away again."""
        own = vars(owner).get(name)
        original = getattr(owner, name)
        setattr(owner, name, wrapper(original))
        self.undo.append(lambda: delattr(owner, name) if own is None else setattr(owner, name, own))

    # Launches

    def _launching(self, original):
        watch = self

        def launching(executor, *args, **kwargs):
            if threading.get_ident() != watch.thread:
                raise RuntimeError(
                    "a kernel was launched while another thread counts traffic, and the interpreter runs one program "
                    "at a time: launch it after the count, or inside the function that is counted, in its thread"
                )
            watch.launch = watch._open(executor, args, kwargs)
            try:
                result = original(executor, *args, **kwargs)
                watch.launches.append(watch.launch.close())
            finally:
                watch.launch = None
            return result

        return launching

    def _open(self, executor, args, kwargs):
        from triton.runtime.jit import TensorWrapper

        places = []

        def add(name, value):
            if isinstance(value, tuple | list):
                for i, part in enumerate(value):
                    add(f"{name}[{i}]", part)
                return
            if isinstance(value, TensorWrapper) or (hasattr(value, "block_shape") and hasattr(value, "base")):
                value = value.base  # a tensor seen as another dtype, or a tensor's descriptor
            if not isinstance(value, torch.Tensor):
                return
            if value.device.type != "cpu":
                raise ValueError(f"{name} lies on {value.device}; count follows kernels on CPU tensors: use .cpu()")
            start = value.data_ptr()
            places.append(_Place(name, start, start + _span(value) * value.element_size(), self.seen(value)))

        names = executor.arg_names
        for name, value in [
            *zip(names, args, strict=False),
            *((name, kwargs[name]) for name in names if name in kwargs),
        ]:
            add(name.removesuffix("_ptr"), value)
        launch = _Open(executor.fn.__name__.lstrip("_"), places)
        launch.bytes = {place.name: [0, 0] for place in places}
        return launch

    def _grid(self, original):
        def set_grid_dim(*grid):
            if self._mine():
                self.launch.grid = tuple(int(n) for n in grid)
            return original(*grid)

        return set_grid_dim

    def _program(self, original):
        def set_grid_idx(*index):
            if self._mine():
                self.launch.programs.append([0, 0])
            return original(*index)

        return set_grid_idx

    def _mine(self):
        return self.launch is not None and threading.get_ident() == self.thread

    # Accesses

    def _access(self, kind, pointer, mask=None):
        def wrapper(original):
            def access(*args, **kwargs):
                if self._mine():
                    given = args[mask] if mask is not None and mask < len(args) else kwargs.get("mask")
                    self._touch(kind, args[pointer], given)
                return original(*args, **kwargs)

            return access

        return wrapper

    def _touch(self, kind, pointers, mask):
        lanes = np.asarray(pointers.data)
        if mask is not None:
            inside = np.asarray(mask.data, dtype=bool)
            lanes = lanes.ravel() if inside.all() else lanes[np.broadcast_to(inside, lanes.shape)]
        lanes = lanes.ravel()
        if not lanes.size:
            return
        size = _itemsize(pointers.dtype)
        distinct = lanes if _rising(lanes) else np.sort(lanes)
        if not _rising(distinct):
            distinct = distinct[np.append(True, distinct[1:] != distinct[:-1])]
        place = self._find(int(distinct[0]), int(distinct[-1]) + size)
        if place is not None:
            return self._note(kind, place, lanes, distinct, size)
        self._touch_several(kind, lanes, distinct, size)

    def _find(self, start, end):
        """The argument that holds all addresses; where none does, one whose storage does."""
        for place in self.launch.places:
            if place.start <= start and end <= place.end:
                return place
        for place in self.launch.places:
            memory = place.storage.alive
            if memory.data_ptr() <= start and end <= memory.data_ptr() + memory.nbytes():
                return place
        return None

    def _touch_several(self, kind, lanes, distinct, size):
        """Share one access between arguments: a pointer may come from a choice between two."""
        for place in self.launch.places:
            inside = [(a >= place.start) & (a + np.uint64(size) <= place.end) for a in (lanes, distinct)]
            if inside[1].any():
                self._note(kind, place, lanes[inside[0]], distinct[inside[1]], size)
                lanes, distinct = lanes[~inside[0]], distinct[~inside[1]]
        if not distinct.size:
            return
        nearest = min(self.launch.places, key=lambda p: _distance(p, int(distinct[0])), default=None)
        where = "and it was given no tensor"
        if nearest is not None:
            element = (int(distinct[0]) - nearest.start) // size
            where = (
                f"the nearest is {nearest.name}, at its element {element} of {(nearest.end - nearest.start) // size}"
            )
        raise IndexError(
            f"program {len(self.launch.programs) - 1} of the kernel {self.launch.name} has a {kind} outside its "
            f"tensors: {where}; mask the lanes that stick out"
        )

    def _note(self, kind, place, lanes, distinct, size):
        elements = lanes if kind == "atomic" else distinct
        load, store = kind != "store", kind != "load"
        loaded, stored = load * size * len(elements), store * size * len(elements)
        for account in (self.launch.bytes[place.name], self.launch.programs[-1]):
            account[0] += loaded
            account[1] += stored
        place.storage.loaded += loaded
        place.storage.stored += stored
        place.storage.mark(distinct, size, load, store)
        if self.keep_events:
            offsets = (elements - np.uint64(place.start)).view(np.int64) // size
            self.launch.events.append(Event(len(self.launch.programs) - 1, kind, place.name, offsets))

    # Tensors

    def seen(self, tensor, made=False):
        """Give the account of a tensor's storage; one that was not made here existed before."""
        memory = tensor.untyped_storage()
        if memory._cdata not in self.storages:
            self.storages[memory._cdata] = _Storage(memory, made)
        if tensor.requires_grad and tensor.is_leaf:
            self.leaves[id(tensor)] = tensor
        return self.storages[memory._cdata]

    def traffic(self, result, given):
        """Close the account, now that it is known what is returned."""
        tensors = [*_tensors(result), *_tensors(given)]
        tensors += [t.grad for t in [*tensors, *self.leaves.values()] if t.is_leaf and t.grad is not None]
        kept = {t.untyped_storage()._cdata for t in tensors if _has_memory(t)}
        needed = scratch = 0
        for key, storage in self.storages.items():
            if storage.read is None:
                continue
            if not storage.made:
                needed += int(storage.read.sum()) + int(storage.written.sum())
            elif key in kept:
                needed += int(storage.written.sum())
            else:
                scratch += storage.loaded + storage.stored
        return Traffic(result, tuple(self.launches), needed, scratch)


def _rising(addresses):
    return addresses.size == 1 or bool((addresses[1:] > addresses[:-1]).all())


def _itemsize(dtype):
    while hasattr(dtype, "element_ty"):
        dtype = dtype.element_ty
    return max(1, dtype.primitive_bitwidth // 8)


def _distance(place, address):
    return max(place.start - address, address - place.end, 0)


def _span(tensor):
    """Elements from a tensor's first to its last in memory."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))


def _has_memory(tensor):
    return tensor.layout == torch.strided and not tensor.is_meta


def _tensors(value):
    """All tensors in nested lists, tuples, dicts and dataclasses; a module gives its parameters and buffers."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, torch.nn.Module):
        return [*value.parameters(), *value.buffers()]
    if isinstance(value, dict):
        return [t for part in value.values() for t in _tensors(part)]
    if isinstance(value, list | tuple | set | frozenset):
        return [t for part in value for t in _tensors(part)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [t for part in dataclasses.fields(value) for t in _tensors(getattr(value, part.name))]
    return []


# torch's functions

NOTHING = {"set_", "resize_", "resize_as_", "is_same_size", "record_stream"}
FILLS = {  # in place, but what was there before is not read
    "copy_",
    "zero_",
    "fill_",
    "uniform_",
    "normal_",
    "random_",
    "exponential_",
    "geometric_",
    "cauchy_",
    "log_normal_",
    "bernoulli_",
    "_foreach_copy_",
    "_foreach_zero_",
}
FOR_SHAPE = {"nll_loss_backward": {"self"}, "nll_loss2d_backward": {"self"}}  # arguments that are not read
PICKS = {  # function -> the argument that is read at as many places as another (None: the output) has elements
    "embedding": ("weight", None),
    "gather": ("self", "index"),
    "index": ("self", None),
    "index_select": ("self", None),
    "take": ("self", "index"),
    "nll_loss_forward": ("self", "target"),
    "nll_loss2d_forward": ("self", "target"),
}
SCATTERS = {  # in place: touch self at as many places as this argument has elements; True: read it there too
    "scatter_": ("index", False),
    "scatter_add_": ("index", True),
    "scatter_reduce_": ("index", True),
    "index_add_": ("source", True),
    "index_copy_": ("source", False),
    "index_put_": ("indices", False),
    "_index_put_impl_": ("indices", False),
}


class _TorchCalls(TorchDispatchMode):
    """Sees every function of torch that reaches the CPU, and counts what it must read and write."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    @classmethod
    def _should_skip_dynamo(cls):
        """Spare the first count the seconds that importing torch's compiler takes; torch asks this of a mode."""
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.watch.launch is not None:  # the interpreter's own
            return func(*args, **kwargs)
        schema = func._schema
        name = schema.name.split("::")[-1]
        values = {argument.name: value for argument, value in zip(schema.arguments, args, strict=False)} | kwargs
        inputs = [(argument, _parts(values[argument.name])) for argument in schema.arguments if argument.name in values]
        fresh = name in ("lift_fresh", "lift_fresh_copy")  # numbers of Python that become a tensor
        before = set()
        for _, tensors in inputs:
            for tensor in tensors:
                self.watch.seen(tensor, made=fresh)
                before.add(tensor.untyped_storage()._cdata)
        result = func(*args, **kwargs)
        outputs = _parts(result)
        for tensor in outputs:
            self.watch.seen(tensor, made=tensor.untyped_storage()._cdata not in before)
        new = [t for t in outputs if fresh or t.untyped_storage()._cdata not in before]
        view = bool(outputs) and not new and not any(_writes(argument) for argument, _ in inputs)
        if not (view or name in NOTHING or "empty" in name or torch.Tag.inplace_view in func.tags):
            self._record(schema.name.replace("::", "."), name, values, inputs, new)
        return result

    def _record(self, label, name, values, inputs, outputs):
        account = _Account()
        creates = name.startswith(("new_", "lift_fresh")) or name.endswith("_like")
        for argument, tensors in inputs:
            write = _writes(argument)
            if name in SCATTERS and write:
                account.some(argument.name, tensors, *_scattered(name, values), store=True)
                continue
            if name in PICKS and argument.name == PICKS[name][0]:
                picked = outputs if PICKS[name][1] is None else _parts(values[PICKS[name][1]])
                account.some(argument.name, tensors, sum(t.numel() for t in picked), load=True, store=False)
                continue
            fills = write and (argument.is_out or name in FILLS)
            reads = not (creates or fills or argument.name in FOR_SHAPE.get(name, ()))
            account.whole(argument.name, tensors, load=reads, store=write)
        for i, tensor in enumerate(outputs):
            account.whole("out" if len(outputs) == 1 else f"out[{i}]", [tensor], load=False, store=True)
        loaded, stored = account.totals()
        if loaded + stored:
            per_program = np.array([[loaded, stored]], dtype=np.int64)
            self.watch.launches.append(Launch(label, "torch", (), loaded, stored, account.bytes, per_program))


def _writes(argument):
    return argument.alias_info is not None and argument.alias_info.is_write


class _Account:
    """Bytes by argument for one call; what two arguments share counts once."""

    def __init__(self):
        self.bytes = {}
        self.loads, self.stores = {}, {}  # storage -> views that were counted

    def whole(self, name, tensors, load, store):
        loaded = sum(self._new(self.loads, t) for t in tensors) if load else 0
        stored = sum(self._new(self.stores, t) for t in tensors) if store else 0
        self._add(name, loaded, stored)

    def some(self, name, tensors, places, load, store):
        touched = sum(min(places * t.element_size(), _distinct([t]) * t.element_size()) for t in tensors)
        self._add(name, load * touched, store * touched)

    def totals(self):
        return tuple(sum(pair[i] for pair in self.bytes.values()) for i in (0, 1))

    def _add(self, name, loaded, stored):
        if loaded + stored:
            before = self.bytes.get(name, (0, 0))
            self.bytes[name] = (before[0] + loaded, before[1] + stored)

    @staticmethod
    def _new(counted, tensor):
        """Bytes of a view that the views counted before do not hold."""
        views = counted.setdefault((tensor.untyped_storage()._cdata, tensor.element_size()), [])
        if any(_same(view, tensor) for view in views):
            return 0
        before = _distinct(views)
        views.append(tensor)
        return (_distinct(views) - before) * tensor.element_size()


def _same(a, b):
    return (a.shape, a.stride(), a.storage_offset()) == (b.shape, b.stride(), b.storage_offset())


def _distinct(views):
    """Count the distinct elements that views of one storage name together."""
    if not views:
        return 0
    if len(views) == 1:
        dims = sorted((s, n) for n, s in zip(views[0].shape, views[0].stride(), strict=True) if s and n > 1)
        reach, apart = 0, True
        for stride, n in dims:
            apart = apart and stride > reach
            reach += (n - 1) * stride
        if apart or not views[0].numel():
            return math.prod(n for _, n in dims) if views[0].numel() else 0
    first = min(view.storage_offset() for view in views)
    last = max(view.storage_offset() + _span(view) for view in views)
    seen = np.zeros(max(last - first, 0), bool)
    for view in views:
        if view.numel():
            start = seen[view.storage_offset() - first :]
            np.lib.stride_tricks.as_strided(start, tuple(view.shape), view.stride())[...] = True
    return int(seen.sum())


def _parts(value):
    """The tensors of an argument or a result of torch's; a sparse one gives its indices and its values."""
    if isinstance(value, list | tuple):
        return [t for part in value for t in _parts(part)]
    if not isinstance(value, torch.Tensor):
        return []
    if value.layout == torch.sparse_coo:
        return [value._indices(), value._values()]
    return [value] if _has_memory(value) else []


def _scattered(name, values):
    """Count the numbers of `self` that a scattering function touches, and say whether it reads them too."""
    by, adds = SCATTERS[name]
    if by != "indices":
        return sum(t.numel() for t in _parts(values[by])), adds
    target, indices = values["self"], values["indices"]
    axis, rows, left = 0, [], 1
    for index in indices:
        if index is None:
            left *= target.shape[axis]
            axis += 1
        elif index.dtype in (torch.bool, torch.uint8):
            rows.append((int(index.sum()),))
            axis += index.dim()
        else:
            rows.append(index.shape)
            axis += 1
    return math.prod(torch.broadcast_shapes(*rows)) * left * math.prod(target.shape[axis:]), bool(
        values.get("accumulate")
    )
