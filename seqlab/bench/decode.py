"""A step of beam search: our kernel against log_softmax and topk.

Two pairs whose totals are equal in float32 may come in either order, and `topk` promises none. So what is checked are
the totals that come out, and those that the beams and tokens that come out have in float64. Only the first call of a
way looks them up; the calls that are timed do not.
"""

import numpy as np
import torch

from seqlab.bench.model import Benchmark, Case
from seqlab.bench.peers import COMPILED, compiled
from seqlab.decode import cost
from seqlab.kernels import has_triton, interpreting

TOLERANCE = {"totals": 1e-5, "chosen": 1e-5}
INTERPRETED = "interpreter on the CPU: checked, not timed"


def cases(shape, device):
    """One step of all sentences."""
    B, K, V, width = (shape[name] for name in ("B", "K", "V", "width"))
    dtype = getattr(torch, shape["dtype"])
    generator = torch.Generator(device).manual_seed(0)
    scores = (3 * torch.randn(B, K, V, generator=generator, device=device)).to(dtype)
    totals = -10 * torch.rand(B, K, generator=generator, device=device)
    of_all = {}

    def wide():
        """All totals in float64, made when they are first asked for."""
        if not of_all:
            logp = torch.cat([part.double().log_softmax(-1).cpu() for part in scores])
            of_all["totals"] = (logp.reshape(B, K, V) + totals.double().cpu()[..., None]).flatten(1)
        return of_all["totals"]

    def truth():
        best = np.sort(wide().numpy(), axis=1)[:, ::-1][:, :width]
        return {"totals": best, "chosen": best}

    def checked(step):
        first = [True]

        def run():
            found, beams, tokens = step()
            if not first:
                return {}
            first.clear()
            return {"totals": found, "chosen": wide().gather(1, (beams * V + tokens).cpu())}

        return run

    def eager(scores, totals):
        logp = scores.log_softmax(-1, dtype=torch.float32)
        found, at = (logp + totals[..., None]).flatten(1).topk(width)
        return found, at // V, at % V

    ours, peers = {}, {"log_softmax and topk": lambda: eager(scores, totals)}
    if has_triton():
        from seqlab.decode import kernels

        ours["seqlab Triton"] = lambda: kernels.beam_step(scores, totals, width)
    peers |= {name: lambda step=step: step(scores, totals) for name, step in compiled(eager, device).items()}
    untimed = {"seqlab Triton": INTERPRETED} if interpreting() else {}
    ways = [{name: checked(step) for name, step in group.items()} for group in (ours, peers)]
    must = cost.beam_step_cost(B, K, V, width, dtype.itemsize)
    return [Case("forward", *ways, truth, TOLERANCE, must, untimed)]


def _step(B, K, V, width, dtype="float32"):
    return {"B": B, "K": K, "V": V, "width": width, "dtype": dtype}


BEAM_STEP = Benchmark(
    "beam_step",
    "a step of beam search: log-softmax and the best of beams x vocabulary",
    {
        "small": [_step(2, 3, 63, 3), _step(3, 4, 500, 5), _step(1, 2, 1000, 4)],
        "full": [
            _step(64, 10, 32768, 10),
            _step(64, 10, 32768, 10, "bfloat16"),
            _step(64, 5, 50257, 5, "bfloat16"),
            _step(16, 32, 250_000, 32, "bfloat16"),
            _step(1, 4, 32000, 4),
            _step(256, 4, 500, 4),
        ],
    },
    cases,
    on_gpu=(COMPILED,),
)
