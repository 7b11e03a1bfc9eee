"""What takes t-SNE's time: the width of every neighbourhood once; in every step, what pushes and pulls the points."""

import math

import numpy as np
import torch

from seqlab.bench.model import Benchmark, Case
from seqlab.bench.peers import COMPILED, absent, compiled, needing
from seqlab.kernels import has_triton, interpreting
from seqlab.tsne import cost, functional

# Relative L2 error against float64. A beta is what an entropy asks for that changes little around it.
TOLERANCE = {"P": 1e-5, "beta": 1e-4, "force": 1e-5, "Z": 1e-5, "cross": 1e-5}
PAIRS = {"cpu": 1 << 20, "cuda": 1 << 26}  # that torch looks at in one block
ROWS = 4096  # of distances in float64 at a time
SKLEARN, ANGLE = "scikit-learn", 0.5
INTERPRETED = "interpreter on the CPU: checked, not timed"


def search_cases(shape, device):
    """The precisions of all rows, found by bisection, and their probabilities."""
    N, k, perplexity = shape["N"], shape["k"], shape["perplexity"]
    generator = torch.Generator(device).manual_seed(0)
    # Squared distances in ten dimensions, around points in crowds of very different densities.
    squared = torch.zeros(N, k, device=device)
    for _ in range(10):
        squared += torch.randn(N, k, generator=generator, device=device).square()
    squared *= torch.randn(N, 1, generator=generator, device=device).exp()

    def named(P, beta):
        return {"P": P, "beta": beta}

    def truth():
        found = [_searched(part.double().cpu().numpy(), perplexity) for part in squared.split(ROWS)]
        return named(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))

    ours = {"seqlab torch": lambda: named(*functional.perplexity_search(squared, perplexity, "torch", tolerance=1e-6))}
    if has_triton():
        from seqlab.tsne import kernels

        ours["seqlab Triton"] = lambda: named(*kernels.perplexity_search(squared, perplexity))
    peers = {"torch, all rows at once": lambda: named(*_bisect(squared, perplexity, _halve))}
    for name, halve in compiled(_halve, device).items():
        peers[name] = lambda halve=halve: named(*_bisect(squared, perplexity, halve))

    def sklearn():
        from sklearn.manifold._utils import _binary_search_perplexity

        here = squared.cpu().numpy()
        return lambda: {"P": torch.from_numpy(_binary_search_perplexity(here, float(perplexity), 0))}

    # It stops where an entropy is right to 1e-5, and gives no widths.
    own = {SKLEARN: (lambda: {"P": truth()["P"]}, {"P": 1e-4})}
    whole = "with as many neighbours as points it takes the row for one of all points, and leaves its own out"
    peers[SKLEARN] = needing(SKLEARN, sklearn) if k < N else absent(whole)
    return [_case(ours, peers, truth, ("P", "beta"), cost.search_cost(N, k), own)]


def _bisect(squared, perplexity, halve):
    """All rows side by side, the same steps for each, as one writes it in torch."""
    above = squared - squared.amin(1, keepdim=True)
    unit = above.mean(1, keepdim=True)
    above = above / unit
    beta, low = torch.ones_like(unit), torch.zeros_like(unit)
    high = torch.full_like(unit, math.inf)
    for _ in range(cost.STEPS):
        beta, low, high = halve(above, beta, low, high, math.log(perplexity))
    e = torch.exp(-beta * above)
    return e / e.sum(1, keepdim=True), (beta / unit)[:, 0]


def _halve(above, beta, low, high, goal):
    e = torch.exp(-beta * above)
    total = e.sum(1, keepdim=True)
    wide = total.log() + beta * (e * above).sum(1, keepdim=True) / total > goal
    low, high = torch.where(wide, beta, low), torch.where(wide, high, beta)
    return torch.where(high == math.inf, 2 * beta, (low + high) / 2), low, high


def _searched(squared, perplexity):
    """The truth: twice the halvings, in float64."""
    above = squared - squared.min(axis=1, keepdims=True)
    low, high = np.zeros((len(above), 1)), np.full((len(above), 1), np.inf)
    beta = 1 / above.mean(axis=1, keepdims=True)
    for _ in range(2 * cost.STEPS):
        e = np.exp(-beta * above)
        total = e.sum(axis=1, keepdims=True)
        wide = np.log(total) + beta * (e * above).sum(axis=1, keepdims=True) / total > np.log(perplexity)
        low, high = np.where(wide, beta, low), np.where(wide, high, beta)
        beta = np.where(np.isinf(high), 2 * beta, (low + high) / 2)
    e = np.exp(-beta * above)
    return e / e.sum(axis=1, keepdims=True), beta[:, 0]


def repulsion_cases(shape, device):
    """The forces between all pairs of points, and the sum of their affinities."""
    N, d = shape["N"], shape["d"]
    Y = 20 * torch.randn(N, d, generator=torch.Generator(device).manual_seed(0), device=device)

    def named(force, Z):
        return {"force": force, "Z": Z}

    def truth():
        return {name: tensor.cpu().numpy() for name, tensor in named(*_in_blocks(Y.double(), _block)).items()}

    ours = {"seqlab torch": lambda: named(*functional.repulsion(Y, "torch"))}
    if has_triton():
        from seqlab.tsne import kernels

        ours["seqlab Triton"] = lambda: named(*kernels.repulsion(Y))
    peers = {"torch, in blocks": lambda: named(*_in_blocks(Y, _block))}
    for name, block in compiled(_block, device).items():
        peers[name] = lambda block=block: named(*_in_blocks(Y, block))

    def barnes_hut():
        from sklearn.manifold._barnes_hut_tsne import gradient

        here, threads = Y.cpu().numpy(), torch.get_num_threads()
        nobody, neighbours, rows = np.zeros(N, np.float32), np.roll(np.arange(N), 1), np.arange(N + 1)

        def run():
            found = np.zeros((N, d), np.float32)
            options = {"dof": 1, "compute_error": False, "num_threads": threads}
            gradient(nobody, here, neighbours, rows, found, ANGLE, d, 0, **options)
            return {"push": torch.from_numpy(found)}

        return run

    def pushed():
        exact = truth()
        return {"push": -exact["force"] / exact["Z"]}

    # It looks at crowds from afar, which is right to a few hundredths, and gives the downhill force over Z.
    name = f"{SKLEARN}, Barnes-Hut"
    peers[name] = needing(SKLEARN, barnes_hut)
    return [_case(ours, peers, truth, ("force", "Z"), cost.repulsion_cost(N, d), {name: (pushed, {"push": 5e-2})})]


def _in_blocks(Y, block):
    """As many points at a time as memory allows, against all."""
    rows = max(1, PAIRS[Y.device.type] // len(Y))
    forces, sums = zip(*[block(part, Y) for part in Y.split(rows)], strict=True)
    return torch.cat(forces), torch.stack(sums).sum() - len(Y)  # each point with itself counted 1


def _block(part, Y):
    difference = part[:, None] - Y[None]
    w = 1 / (1 + difference.square().sum(2))
    return ((w * w)[:, :, None] * difference).sum(1), w.sum(dtype=torch.float64).to(Y.dtype)


def attraction_cases(shape, device):
    """The forces between neighbours, and the cross-entropy of their affinities."""
    N, k, d = shape["N"], shape["k"], shape["d"]
    generator = torch.Generator(device).manual_seed(0)
    Y = 20 * torch.randn(N, d, generator=generator, device=device)
    # About 1.5 k neighbours a point, as a symmetric P has of k nearest ones each; a few points are everybody's.
    counts = (1.5 * k * torch.rand(N, generator=generator, device=device).neg().add(1).pow(-0.3)).long().clamp(max=N)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    columns = torch.randint(N, (int(starts[-1]),), generator=generator, device=device)
    p = torch.rand(len(columns), generator=generator, device=device)
    p /= p.sum()
    rows = torch.repeat_interleave(torch.arange(N, device=device), counts)

    def torch_way(Y, p):
        difference = Y[rows] - Y[columns]
        square = 1 + difference.square().sum(1)
        force = torch.zeros_like(Y).index_add_(0, rows, (p / square)[:, None] * difference)
        return named(force, (p * square.log()).sum())

    def named(force, cross):
        return {"force": force, "cross": cross}

    def truth():
        return {name: tensor.cpu().numpy() for name, tensor in torch_way(Y.double(), p.double()).items()}

    ours = {"seqlab torch": lambda: named(*functional.attraction(Y, starts, columns, p, "torch"))}
    if has_triton():
        from seqlab.tsne import kernels

        ours["seqlab Triton"] = lambda: named(*kernels.attraction(Y, starts, columns, p))
    peers = {"torch, index_add_": lambda: torch_way(Y, p)}
    return [_case(ours, peers, truth, ("force", "cross"), cost.attraction_cost(N, len(columns), d))]


def _case(ours, peers, truth, names, cost, own=None):
    """`own` holds the truth and the tolerance of peers that run on the CPU."""
    untimed = dict.fromkeys((name for name in ours if "Triton" in name), INTERPRETED) if interpreting() else {}
    own, tolerance = own or {}, {name: TOLERANCE[name] for name in names}
    return Case("forward", ours, peers, truth, tolerance, cost, untimed, own, frozenset(own))


def _rows(N, k, perplexity):
    return {"N": N, "k": k, "perplexity": perplexity, "dtype": "float32"}


def _points(N, d=2, **more):
    return {"N": N, "d": d, **more, "dtype": "float32"}


PERPLEXITY_SEARCH = Benchmark(
    "perplexity_search",
    "the width of every point's neighbourhood in t-SNE, by bisection",
    {
        "small": [_rows(40, 30, 10), _rows(63, 90, 30), _rows(5, 500, 50)],
        "full": [_rows(70_000, 90, 30), _rows(70_000, 150, 50), _rows(1797, 91, 30)],
    },
    search_cases,
    on_gpu=(COMPILED,),
)
REPULSION = Benchmark(
    "repulsion",
    "what pushes all pairs of t-SNE's points apart",
    {
        "small": [_points(63), _points(300), _points(150, 3)],
        "full": [_points(70_000), _points(60_000), _points(10_000), _points(1797), _points(70_000, 3)],
    },
    repulsion_cases,
    on_gpu=(COMPILED,),
)
ATTRACTION = Benchmark(
    "attraction",
    "what pulls t-SNE's neighbours together, over a sparse matrix",
    {
        "small": [_points(63, k=10), _points(100, 3, k=20)],
        "full": [_points(70_000, k=90), _points(1797, k=91)],
    },
    attraction_cases,
)
