"""CTC: our kernels against torch's loss, native and by cuDNN, and against argmax and a collapse written with torch.

The truth is torch's loss on the CPU in float64. In float32, the gradient of torch's loss is far from it where there are
many frames: logarithms of -7000 have few digits left. The limit for all ways must let it pass; so our kernel has one of
its own to keep, HELD, at its first call.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from seqlab.bench.model import AbsentError, Benchmark, Case
from seqlab.bench.peers import COMPILED, compiled
from seqlab.ctc import cost, ctc_loss, decoding
from seqlab.kernels import has_triton, interpreting

TOLERANCE = {"losses": 1e-5, "gradient": 1e-2}
HELD = {"losses": 1e-5, "gradient": 1e-4}
INTERPRETED = "interpreter on the CPU: checked, not timed"


def loss_cases(shape, device):
    """Losses alone, and with the gradient of their weighted sum; all sequences have their full length."""
    T, B, C, L = (shape[name] for name in "TBCL")
    generator = torch.Generator(device).manual_seed(0)
    log_probs = (3 * torch.randn(T, B, C, generator=generator, device=device)).log_softmax(-1)
    targets = torch.randint(1, C, (B, L), generator=generator, device=device)
    weights = torch.rand(B, generator=generator, device=device) + 0.5
    leaf = log_probs.clone().requires_grad_()
    lengths = {
        "input_lengths": torch.full((B,), T, device=device),
        "target_lengths": torch.full((B,), L, device=device),
    }
    known = {}

    def truth(names):
        if not known:
            losses, gradient = [], np.empty((T, B, C))
            for b in range(B):
                exact = log_probs[:, b].double().cpu().requires_grad_()
                loss = F.ctc_loss(exact, targets[b].cpu(), (T,), (L,), reduction="none")
                (found,) = torch.autograd.grad(loss, exact)
                losses.append(loss.item())
                gradient[:, b] = found.numpy() * weights[b].item()
            known.update(losses=np.array(losses), gradient=gradient)
        return {name: known[name] for name in names}

    def forward(loss):
        with torch.no_grad():
            return {"losses": loss(log_probs)}

    def backward(loss):
        losses = loss(leaf)
        return {"losses": losses, "gradient": torch.autograd.grad(losses, leaf, weights)[0]}

    def native(log_probs):
        with torch.backends.cudnn.flags(enabled=False):
            return F.ctc_loss(log_probs, targets, (T,) * B, (L,) * B, reduction="none")

    joined = targets.int().cpu().flatten()  # the only form of targets that cuDNN takes

    def cudnn(log_probs):
        if not torch._use_cudnn_ctc_loss(log_probs, joined, (T,) * B, (L,) * B, 0):
            raise AbsentError("torch does not give this size to cuDNN")
        return F.ctc_loss(log_probs, joined, (T,) * B, (L,) * B, reduction="none")

    ours = {"seqlab torch": partial(ctc_loss, backend="torch", reduction="none", **lengths, targets=targets)}
    if has_triton():
        from seqlab.ctc import kernels

        ours["seqlab Triton"] = partial(kernels.losses, targets=targets, **lengths)
    peers = {"F.ctc_loss": native} | ({"F.ctc_loss cuDNN": cudnn} if device == "cuda" else {})
    untimed = {"seqlab Triton": INTERPRETED} if interpreting() else {}

    def case(passes, run, *names):
        known_here = partial(truth, names)
        mine = {name: partial(run, loss) for name, loss in ours.items()}
        mine |= {name: held(way, known_here) for name, way in mine.items() if "Triton" in name}
        others = {name: partial(run, loss) for name, loss in peers.items()}
        must = cost.loss_cost(T, B, C, L, 4, backward=len(names) > 1)
        return Case(passes, mine, others, known_here, {name: TOLERANCE[name] for name in names}, must, untimed)

    return [case("forward", forward, "losses"), case("forward and backward", backward, "losses", "gradient")]


def held(run, truth):
    """Refuse the first results of a way if they are further from the truth than HELD."""
    checked = []

    def strictly():
        results = run()
        if not checked:
            for name, want in truth().items():
                error = np.linalg.norm(results[name].detach().double().cpu().numpy() - want) / np.linalg.norm(want)
                if not error <= HELD[name]:
                    raise ValueError(f"{name} is off by {error:.1e}, allowed to our kernel is {HELD[name]:.0e}")
            checked.append(True)
        return results

    return strictly


def _loss(T, B, C, L):
    return {"T": T, "B": B, "C": C, "L": L, "dtype": "float32"}


CTC_LOSS = Benchmark(
    "ctc_loss",
    "the CTC loss and its gradient, alpha and beta of all sequences in one launch",
    {
        "small": [_loss(4, 2, 5, 2), _loss(3, 1, 63, 1)],
        "full": [
            _loss(1024, 32, 128, 96),
            _loss(512, 64, 5000, 64),
            _loss(150, 64, 28, 40),
            _loss(1500, 16, 32, 300),
            _loss(200, 128, 500, 25),
        ],
    },
    loss_cases,
    on_gpu=("F.ctc_loss cuDNN",),
)


def greedy_cases(shape, device):
    """Labels and how many there are."""
    T, B, C = (shape[name] for name in "TBC")
    generator = torch.Generator(device).manual_seed(0)
    scores = torch.randn(T, B, C, generator=generator, device=device)
    scores[:, :, 0] += scores.amax(2) * (torch.rand(T, B, generator=generator, device=device) < 0.5)  # many blanks
    frames = torch.full((B,), T, device=device)

    def truth():
        """Sequence by sequence; torch's argmax on the CPU promises no order of equals, NumPy's takes the first."""
        best = scores.cpu().numpy().argmax(axis=2).T
        labels, lengths = np.full((B, T), -1.0), np.empty(B)
        for b, n in enumerate(frames.tolist()):
            path = best[b, :n]
            kept = path[(path != 0) & (np.diff(path, prepend=0) != 0)]
            lengths[b] = len(kept)
            labels[b, : len(kept)] = kept
        return {"labels": labels, "lengths": lengths}

    def eager(scores, frames):
        path = scores.argmax(2).T
        new = torch.ones_like(path, dtype=torch.bool)
        new[:, 1:] = path[:, 1:] != path[:, :-1]
        kept = new & (path != 0) & (torch.arange(T, device=path.device) < frames[:, None])
        place = torch.where(kept, kept.cumsum(1) - 1, T)
        labels = path.new_full((B, T + 1), -1).scatter_(1, place, torch.where(kept, path, -1))
        return labels[:, :T], kept.sum(1)

    ours, peers = {}, {"argmax and collapse": lambda: eager(scores, frames)}
    if has_triton():
        from seqlab.ctc import kernels

        ours["seqlab Triton"] = lambda: kernels.greedy_decode(scores, frames, 0)
    peers |= {name: lambda step=step: step(scores, frames) for name, step in compiled(eager, device).items()}

    def named(step):
        return lambda: dict(zip(("labels", "lengths"), step(), strict=True))

    untimed = {"seqlab Triton": INTERPRETED} if interpreting() else {}
    ways = [{name: named(step) for name, step in group.items()} for group in (ours, peers)]
    tolerance = {"labels": 0.0, "lengths": 0.0}
    return [Case("forward", *ways, truth, tolerance, cost.greedy_cost(T, B, C, 4), untimed)]


def _frames(T, B, C):
    return {"T": T, "B": B, "C": C, "dtype": "float32"}


CTC_GREEDY = Benchmark(
    "ctc_greedy",
    "greedy CTC decoding: the likeliest class of every frame, collapsed",
    {
        "small": [_frames(9, 2, 5), _frames(7, 3, 63)],
        "full": [_frames(1024, 32, 5000), _frames(1024, 32, 128), _frames(1500, 1, 32)],
    },
    greedy_cases,
    on_gpu=(COMPILED,),
)


def beam_cases(shape, device):
    """The K best texts of each sequence; the search of the book's own torch on the CPU is the peer.

    Where two prefixes are worth the same in float32, either may stay in a beam. So what is checked are the beams'
    log-probabilities, and the exact log-probability of the best text in float64, from torch's loss. Only the first call
    of a way looks that up; the calls that are timed do not.
    """
    T, B, C, K = (shape[name] for name in ("T", "B", "C", "K"))
    log_probs, lengths = spoken(T, B, C, getattr(torch, shape["dtype"]), device)
    here, frames = log_probs.cpu(), lengths.cpu()

    def exact(texts):
        """Log-probability (B,) of a text each, over all its paths."""
        sizes = torch.tensor([len(text) for text in texts])
        rows = torch.zeros(B, max(1, int(sizes.max())), dtype=torch.int64)
        for row, text in zip(rows, texts, strict=True):
            row[: len(text)] = torch.tensor(text, dtype=torch.int64)
        return -F.ctc_loss(here.double(), rows, frames, sizes, reduction="none")

    def searched(log_probs):
        """The search in torch on the CPU: log-probabilities (B, K) and the best texts."""
        found = decoding.beam_decode(log_probs, frames, K, n_best=K, backend="torch")
        totals = torch.zeros(B, K, dtype=torch.float64)
        for row, beams in zip(totals, found, strict=True):
            row[: len(beams)] = torch.tensor([h.log_prob for h in beams], dtype=torch.float64)
        return totals, [beams[0].labels for beams in found]

    def truth():
        totals, texts = searched(here.double())
        return {"log_probs": totals.numpy(), "best text": exact(texts).numpy()}

    def checked(search):
        first = [True]

        def run():
            totals, texts = search()
            if not first:
                return {}
            first.clear()
            return {"log_probs": totals, "best text": exact(texts() if callable(texts) else texts)}

        return run

    ours, peers = {}, {"seqlab torch on the CPU": checked(lambda: searched(here))}
    if has_triton():
        from seqlab.ctc import kernels

        def launched():
            labels, sizes, totals = kernels.beam_decode(log_probs, lengths, K)
            return totals.masked_fill(totals.isneginf(), 0.0), lambda: [
                row[:n] for row, n in zip(labels[:, 0].tolist(), sizes[:, 0].tolist(), strict=True)
            ]

        ours["seqlab Triton"] = checked(launched)
    untimed = {"seqlab Triton": INTERPRETED} if interpreting() else {}
    must = cost.beam_cost(T, B, C, K, log_probs.element_size())
    tolerance = {"log_probs": 1e-5, "best text": 1e-5}
    return [Case("forward", ours, peers, truth, tolerance, must, untimed, on_cpu=frozenset(peers))]


def spoken(T, B, C, dtype, device):
    """What a network might say to speech: mostly sure, mostly of the blank, now and then of a letter or of none.

    Returns
    -------
    log_probs : (T, B, C).
    lengths : (B,) frames of each sequence, T // 2 to T.
    """
    generator = torch.Generator(device).manual_seed(0)
    scores = 2 * torch.randn(T, B, C, generator=generator, device=device)
    said = torch.randint(0, C, (T, B), generator=generator, device=device)
    said[torch.rand(T, B, generator=generator, device=device) < 0.7] = 0
    sure = 4 + 10 * torch.rand(T, B, 1, generator=generator, device=device)
    scores.scatter_add_(2, said[..., None], sure)
    lengths = torch.randint(T // 2, T + 1, (B,), generator=generator, device=device)
    lengths[0] = T
    return scores.log_softmax(2).to(dtype), lengths


def _beam(T, B, C, K, dtype="float32"):
    return {"T": T, "B": B, "C": C, "K": K, "dtype": dtype}


CTC_BEAM = Benchmark(
    "ctc_beam",
    "CTC prefix beam search: the K best texts of every sequence",
    {
        "small": [_beam(5, 2, 20, 2), _beam(2, 1, 300, 3, "float64")],
        "full": [
            _beam(512, 64, 1000, 16),
            _beam(512, 64, 1000, 16, "bfloat16"),
            _beam(512, 64, 1000, 8),
            _beam(512, 64, 1000, 32),
            _beam(1024, 32, 128, 16),
            _beam(512, 64, 5000, 16),
        ],
    },
    beam_cases,
)
