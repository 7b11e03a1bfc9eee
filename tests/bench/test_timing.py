"""When graphs are recorded and what becomes of them, on a clock of our own: no GPU is needed to decide."""

import contextlib

import numpy as np
import pytest
import torch

from seqlab.bench import Benchmark, Case, measure
from seqlab.bench.model import AbsentError
from seqlab.bench.timing import CudaClock, HostClock, clock_for
from seqlab.kernels import Cost
from tests.bench.test_speeds import MEASURED


class Clock:
    """A device on which a call takes the seconds that its way says, and a graph a tenth of them."""

    cache = "cold"

    def __init__(self, replays=lambda results: results, refuses=None):
        self.replays, self.refuses, self.turns = replays, refuses, []

    def seconds(self, way, calls):
        way()
        self.turns.append((way.name, calls))
        return way.takes

    def memory(self, way):
        return 1000

    def graph(self, way):
        if self.refuses == way.name:
            raise RuntimeError("it waits\nfor the device")
        return Way(f"{way.name} as a graph", way.takes / 10, self.replays(way()))


class Way:
    def __init__(self, name, takes, results):
        self.name, self.takes, self.results = name, takes, results

    def __call__(self):
        return self.results


def toy(ours=20e-6, peer=40e-6, bytes_=1, own=None, on_cpu=(), **more):
    truth = {"y": np.arange(3.0)}
    right = {"y": torch.arange(3.0)}
    mine = {"ours": Way("ours", ours, right)}
    peers = {"peer": Way("peer", peer, right), **more}

    def cases(shape, device):
        price = Cost(bytes=bytes_, flops=1)
        return [
            Case("forward", mine, peers, lambda: truth, {"y": 1e-6}, price, own=own or {}, on_cpu=frozenset(on_cpu))
        ]

    return Benchmark("toy", "counts", {"small": [{"N": 3}]}, cases, on_gpu=("a GPU's own way",))


def rows(benchmark, clock, repeat=2):
    report = measure(benchmark, repeat=repeat, clock=clock, speeds=MEASURED)
    return {row["way"]: row for row in report["rows"]}, report


def test_short_work_is_timed_as_a_graph_and_launch_by_launch():
    clock = Clock()
    found, report = rows(toy(), clock)
    assert found["ours"]["graph"]
    assert found["ours"]["seconds"] == pytest.approx(2e-6)
    assert found["ours"]["launched_seconds"] == pytest.approx(20e-6)
    assert found["peer"]["seconds"] == pytest.approx(4e-6)
    assert found["ours"]["of_best_peer"] == pytest.approx(2)
    assert found["ours"]["memory"] == 1000
    assert report["cache"] == "cold"
    taken = [name for name, _ in clock.turns[2:]]
    assert taken == ["ours", "ours as a graph", "peer", "peer as a graph"] * 2


def test_long_work_is_timed_launch_by_launch():
    found, _ = rows(toy(ours=2e-3, peer=300e-6, bytes_=3e12 * 200e-6), Clock())
    assert not any(row["graph"] for row in found.values())
    assert found["ours"]["launched_seconds"] is None
    assert found["ours"]["seconds"] == pytest.approx(2e-3)


def test_beside_short_work_a_way_of_many_launches_becomes_a_graph_too_but_not_one_of_a_millisecond():
    found, _ = rows(toy(ours=20e-6, peer=900e-6, slow=Way("slow", 1.1e-3, {"y": torch.arange(3.0)})), Clock())
    assert [found[name]["graph"] for name in ("ours", "peer", "slow")] == [True, True, False]


def test_where_the_floor_is_short_launches_do_not_hide_the_work():
    found, _ = rows(toy(ours=300e-6, peer=300e-6, bytes_=3e12 * 50e-6), Clock())
    assert found["ours"]["graph"]
    found, _ = rows(toy(ours=300e-6, peer=300e-6, bytes_=3e12 * 200e-6), Clock())
    assert not found["ours"]["graph"]


def test_a_way_that_no_graph_can_hold_is_timed_without_and_says_so():
    found, _ = rows(toy(), Clock(refuses="ours"))
    assert not found["ours"]["graph"]
    assert found["ours"]["right"]
    assert found["ours"]["seconds"] == pytest.approx(20e-6)
    assert found["ours"]["note"] == "launch by launch, no graph: it waits for the device"
    assert found["peer"]["graph"]


def test_a_graph_that_gives_something_else_is_not_timed():
    found, _ = rows(toy(), Clock(replays=lambda results: {"y": results["y"] + 1}))
    assert not found["ours"]["graph"]
    assert found["ours"]["note"] == "launch by launch, no graph: what the graph gives is wrong"
    assert found["ours"]["seconds"] == pytest.approx(20e-6)


@pytest.mark.usefixtures("long_samples")
def test_a_sample_on_a_gpu_is_some_calls_and_never_a_million():
    clock = Clock()
    rows(toy(ours=1e-6, peer=4e-3), clock)
    calls = dict(clock.turns[2:])
    assert calls["ours"] == 100
    assert calls["peer"] in (2, 3)


def test_a_way_on_the_cpu_has_the_cpu_s_clock_and_says_so():
    found, _ = rows(toy(on_cpu=["peer"]), Clock())
    assert (found["peer"]["ran_on"], found["peer"]["graph"], found["peer"]["memory"]) == ("cpu", False, None)
    assert found["peer"]["seconds"] != pytest.approx(40e-6)
    assert found["ours"]["graph"]


def test_a_way_that_draws_its_own_numbers_is_held_against_its_own_truth():
    other = Way("other", 1e-5, {"y": torch.ones(3)})
    own = {"other": (lambda: {"y": np.full(3, 1.01)}, {"y": 2e-2})}
    found, _ = rows(toy(other=other, own=own), Clock())
    assert found["other"]["right"]
    assert found["other"]["tolerance"] == {"y": 2e-2}
    assert found["other"]["errors"]["y"] == pytest.approx(0.01 / 1.01)
    own = {"other": (lambda: {"y": np.full(3, 1.1)}, {"y": 2e-2})}
    found, _ = rows(toy(other=other, own=own), Clock())
    assert not found["other"]["right"]
    assert "allowed 2e-02" in found["other"]["note"]


def test_what_is_not_here_has_no_row_and_is_named_with_its_reason():
    def lacking():
        raise AbsentError("gensim cannot be imported here")

    found, report = rows(toy(gensim=lacking), Clock())
    assert set(found) == {"ours", "peer"}
    said = {lack["way"]: lack["note"] for lack in report["absent"]}
    assert said["gensim"] == "gensim cannot be imported here"
    assert torch.cuda.is_available() or said["a GPU's own way"] == "needs a GPU"


def test_floors_come_from_the_speeds_that_were_measured():
    found, report = rows(toy(bytes_=3e12 * 1e-6), Clock())
    assert report["speeds"] == MEASURED
    assert report["floor_device"]["bandwidth"] == MEASURED["bandwidth"]
    assert found["ours"]["floor_seconds"] == pytest.approx(1e-6)
    assert found["ours"]["of_floor"] == pytest.approx(0.5)
    assert found["ours"]["bound"] == "memory"


def test_the_cpu_s_clock_counts_every_call():
    calls = []
    assert HostClock().seconds(lambda: calls.append(1), 7) >= 0
    assert len(calls) == 7
    assert isinstance(clock_for("cpu"), HostClock)


class Stream:
    def wait_stream(self, other):
        assert other is not self


@pytest.fixture
def recorder(monkeypatch):
    """A CUDA clock with stand-ins for CUDA's objects, which not every machine has."""
    told = []

    class Graph:
        def replay(self):
            told.append("replayed")

    @contextlib.contextmanager
    def recording(graph, stream):
        told.append("recording")
        yield
        told.append("recorded")

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: told.append("back"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", told.append)
    return CudaClock.__new__(CudaClock), told


def test_a_graph_is_recorded_once_after_three_calls_that_warm_up(recorder):
    clock, told = recorder
    calls = []
    replay = clock.graph(lambda: calls.append(1) or told.append("called") or len(calls))
    assert told == ["error", "called", 0, "called", "called", "called", "recording", "called", "recorded", "back"]
    assert [replay(), replay()] == [5, 5]  # what the recorded call gave
    assert told[-2:] == ["replayed", "replayed"]
    assert len(calls) == 5


def test_a_recording_that_breaks_off_leaves_the_stream_as_it_was(recorder):
    clock, told = recorder

    def breaks():
        if "recording" in told:
            raise RuntimeError("not while recording")

    with pytest.raises(RuntimeError, match="not while recording"):
        clock.graph(breaks)
    assert told[-1] == "back"


def test_a_way_that_takes_long_is_sampled_until_its_time_is_up():
    clock = Clock()
    found, _ = rows(toy(ours=1.0, peer=4.0, slow=Way("slow", 90.0, {"y": torch.arange(3.0)})), clock, repeat=20)
    assert [found[name]["samples"] for name in ("ours", "peer", "slow")] == [10, 3, 1]
    assert found["slow"]["seconds"] == 90.0
    assert found["slow"]["quartiles"] == [90.0, 90.0]
    assert sum(name == "slow" for name, _ in clock.turns) == 1


def test_a_way_that_waits_is_found_out_before_anything_is_recorded(recorder):
    clock, told = recorder

    def waits():
        raise RuntimeError("called a synchronizing CUDA operation")

    with pytest.raises(RuntimeError, match="synchronizing"):
        clock.graph(waits)
    assert told == ["error", 0]
