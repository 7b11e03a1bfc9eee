"""Which bytes of a tensor's memory were touched, and which tensors there are."""

import dataclasses

import numpy as np
import torch


class Storage:
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


def span(tensor):
    """Elements from a tensor's first to its last in memory."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))


def has_memory(tensor):
    return tensor.layout == torch.strided and not tensor.is_meta


def tensors_in(value):
    """All tensors in nested lists, tuples, dicts and dataclasses; a module gives its parameters and buffers."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, torch.nn.Module):
        return [*value.parameters(), *value.buffers()]
    if isinstance(value, dict):
        return [t for part in value.values() for t in tensors_in(part)]
    if isinstance(value, list | tuple | set | frozenset):
        return [t for part in value for t in tensors_in(part)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [t for part in dataclasses.fields(value) for t in tensors_in(getattr(value, part.name))]
    return []
