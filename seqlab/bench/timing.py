"""Clocks: how long a call takes on the CPU, and on a GPU, launch by launch or recorded as a CUDA graph.

On a GPU every call finds the L2 cache cold: before it, a buffer twice as large as the cache is read, so that nothing of
the call before is left there and nothing has to be written back. The floors charge every byte to memory, and this is
the state in which they are floors. Each call stands between two events of its own; the reading stays outside.
"""

import statistics
import time

import torch

WASHED = 128 << 20  # bytes that are read between calls, at least


class HostClock:
    """The CPU's clock."""

    cache = None

    def seconds(self, way, calls):
        """Mean seconds of a call, of so many in a row."""
        begun = time.perf_counter()
        for _ in range(calls):
            way()
        return (time.perf_counter() - begun) / calls

    def memory(self, way):
        """Nothing: on the CPU nobody counts what torch takes."""
        return None


class CudaClock:
    """Events of the current CUDA device."""

    cache = "cold"

    def __init__(self):
        cache = getattr(torch.cuda.get_device_properties(), "L2_cache_size", 0)
        self.buffer = torch.ones(max(WASHED, 2 * cache) // 4, device="cuda")
        self.seen = torch.empty((), device="cuda")

    def seconds(self, way, calls):
        """Mean seconds of a call, each with a cold L2 cache."""
        events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(calls)]
        torch.cuda.synchronize()
        for start, end in events:
            torch.amax(self.buffer, dim=0, out=self.seen)
            start.record()
            way()
            end.record()
        torch.cuda.synchronize()
        return statistics.fmean(start.elapsed_time(end) for start, end in events) / 1e3

    def memory(self, way):
        """Peak bytes of one call, its results included, what it is given not."""
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        way()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def graph(self, way):
        """Record the launches of a way; give the function that launches them all at once, with the same results.

        Raises
        ------
        RuntimeError
            when the way waits for the device, which no graph can hold, or does something else that none can.
        """
        self._refuse_to_wait(way)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):  # what is compiled, chosen or allocated the first time cannot be recorded
                way()
        torch.cuda.current_stream().wait_stream(beside)
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, stream=beside):
                results = way()
        finally:
            torch.cuda.set_stream(current)  # where a recording breaks off, torch leaves its stream in place

        def replay():
            graph.replay()
            return results

        return replay

    def _refuse_to_wait(self, way):
        """Find out before the recording: one that breaks off leaves torch's allocator and generators in disorder."""
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            way()
        finally:
            torch.cuda.set_sync_debug_mode(before)


def clock_for(device):
    """Choose the clock: "cpu" or "cuda"."""
    return CudaClock() if device == "cuda" else HostClock()
