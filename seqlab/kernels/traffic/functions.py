"""Watches torch's functions: what each must read and write."""

import math

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from seqlab.kernels.traffic.memory import has_memory, span
from seqlab.kernels.traffic.report import Launch

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


class TorchCalls(TorchDispatchMode):
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
    last = max(view.storage_offset() + span(view) for view in views)
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
    return [value] if has_memory(value) else []


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
