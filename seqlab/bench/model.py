"""What a benchmark is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field

from seqlab.kernels import Cost


class AbsentError(Exception):
    """Raised by a way that this machine cannot run: a library is not installed, torch has no kernel for it here."""


@dataclass(frozen=True)
class Case:
    """One thing to compute, at one size, in several ways.

    Attributes
    ----------
    passes : "forward", "backward", "forward and backward", or another word for what one call does.
    ours, peers : ways to compute it, name -> function without arguments. It returns {result name: tensor}.
    truth : function without arguments: the float64 results, {result name: NumPy array}.
    tolerance : largest relative L2 error of each result, {result name: number}.
    cost : what any way must pay.
    untimed : name -> why its time would mean nothing here; it is checked all the same.
    own : name -> (truth, tolerance) of a way that cannot be given the same numbers, since it draws its own or rounds
        more coarsely; it is checked against these instead.
    on_cpu : names of ways that run on the CPU even where there is a GPU.
    """

    passes: str
    ours: dict[str, Callable]
    peers: dict[str, Callable]
    truth: Callable
    tolerance: dict[str, float]
    cost: Cost
    untimed: dict[str, str] = field(default_factory=dict)
    own: dict[str, tuple[Callable, dict[str, float]]] = field(default_factory=dict)
    on_cpu: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Benchmark:
    """A named family of cases.

    Attributes
    ----------
    name : as typed, `seqlab bench NAME`.
    about : one line.
    shapes : {"small": list of sizes for any machine, "full": list of sizes for a GPU}; a size is a dict.
    cases : function (shape, device) -> list of Case.
    on_gpu : names of the peers that only a GPU has; on the CPU a report names them as absent.
    """

    name: str
    about: str
    shapes: dict[str, list[dict]]
    cases: Callable
    on_gpu: tuple[str, ...] = ()
