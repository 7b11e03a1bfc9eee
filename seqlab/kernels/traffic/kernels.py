"""Watches kernels: the loads, stores, atomics and launches of Triton's interpreter."""

import threading
from dataclasses import dataclass, field

import numpy as np
import torch

from seqlab.kernels.traffic.memory import Storage, has_memory, span, tensors_in
from seqlab.kernels.traffic.report import Event, Launch, Traffic


@dataclass
class _Place:
    """An argument of a kernel: the addresses from `start` up to `end`."""

    name: str
    start: int
    end: int
    storage: Storage


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


class Watch:
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
            places.append(_Place(name, start, start + span(value) * value.element_size(), self.seen(value)))

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
            self.storages[memory._cdata] = Storage(memory, made)
        if tensor.requires_grad and tensor.is_leaf:
            self.leaves[id(tensor)] = tensor
        return self.storages[memory._cdata]

    def traffic(self, result, given):
        """Close the account, now that it is known what is returned."""
        tensors = [*tensors_in(result), *tensors_in(given)]
        tensors += [t.grad for t in [*tensors, *self.leaves.values()] if t.is_leaf and t.grad is not None]
        kept = {t.untyped_storage()._cdata for t in tensors if has_memory(t)}
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
