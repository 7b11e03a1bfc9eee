"""Training steps of word vectors, and counting: our kernels against torch.

A step changes its tables, and windows that race for a row may each see another's change. So the first call of every way
takes a small step through few windows, from the same tables, where the order hardly matters; what it adds to each table
is compared with the float64 gradient. The calls that are timed go through the windows of the size that is shown, whose
words are as frequent as in a text, with a learning rate so small that the tables stay as they are.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch.optim.adagrad import adagrad

from seqlab.bench import gensim
from seqlab.bench.model import Benchmark, Case
from seqlab.bench.peers import needing
from seqlab.embeddings import cost, functional, reference
from seqlab.kernels import has_triton, interpreting

LOSS, CHANGE = 1e-4, 2e-3  # relative L2 error against float64, of the loss and of what a step adds to a table
STEP, STILL = 1e-4, 1e-7  # learning rates of the step that is checked and of those that are timed
CHECKED_WINDOWS, CHECKED_WORDS = 8, 400
INTERPRETED = "interpreter on the CPU: checked, not timed"


def zipf(V, device):
    """Probabilities of V words as in a text: the n-th most frequent has 1 / (n + 2.7) (Mandelbrot)."""
    p = 1 / (torch.arange(V, device=device, dtype=torch.float64) + 2.7)
    return p / p.sum()


def _draw(p, sizes, generator):
    """Ids of the given sizes, each drawn with the probabilities p."""
    at = torch.rand(sizes, generator=generator, device=p.device, dtype=p.dtype)
    return torch.searchsorted(p.cumsum(0), at).clamp(max=len(p) - 1)


def _tables(rows, D, generator, device):
    """Vectors of which two have a product of about 1."""
    return [torch.randn(n, D, generator=generator, device=device) / D**0.25 for n in rows]


def windows(W, C, K, p, generator):
    """Centres (W,), contexts (W, C), negatives (W, K); as in word2vec a window reaches 1 to C / 2 words, at random."""
    device = p.device
    centre, contexts = _draw(p, (W,), generator), _draw(p, (W, C), generator)
    distance = torch.arange(C, device=device) // 2 + 1
    reach = torch.randint(1, max(2, C // 2 + 1), (W, 1), generator=generator, device=device)
    noise = p**0.75 / (p**0.75).sum()
    return centre, contexts.masked_fill(distance > reach, -1), _draw(noise, (W, K), generator)


def _way(step, checked, timed, names):
    """First the step that is checked, with what it adds to each table; from then on the one that is timed."""
    first = [True]
    working = [table.clone() for table in timed[0]]

    def run():
        if not first:
            step(working, *timed[1], STILL)
            return {}
        first.clear()
        tables = [table.clone() for table in checked[0]]
        loss = step(tables, *checked[1], STEP)
        changes = [new.double() - old.double() for new, old in zip(tables, checked[0], strict=True)]
        return {"loss": loss} | dict(zip(names, changes, strict=True))

    return run


def _case(passes, ours, peers, checked, timed, names, truth, cost, change=CHANGE, apart=None):
    """`apart` holds peers that draw their own numbers, name -> (way, truth, tolerance); they run on the CPU."""
    mine = {name: _way(step, checked, timed, names) for name, step in ours.items()}
    others = {name: _way(step, checked, timed, names) for name, step in peers.items()}
    untimed = dict.fromkeys(mine, INTERPRETED) if interpreting() else {}
    apart = apart or {}
    others |= {name: way for name, (way, *_) in apart.items()}
    own = {name: tuple(rest) for name, (_, *rest) in apart.items()}
    tolerance = {"loss": LOSS} | dict.fromkeys(names, change)
    return Case(passes, mine, others, truth, tolerance, cost, untimed, own, frozenset(apart))


def _ours(name):
    """Our step as the benchmark calls it, with the tables first and together."""
    step = getattr(functional, name)
    return {"seqlab Triton": lambda tables, *ids: step(*tables, *ids, backend="triton")} if has_triton() else {}


def _eager(name):
    """Our step written with torch's gathers, products and `index_add_`."""
    step = getattr(functional, name)
    return {"torch, index_add_": lambda tables, *ids: step(*tables, *ids, backend="torch")}


def _sparse(loss):
    """What a user of torch writes: embeddings with sparse gradients, autograd, and SGD.

    `loss` takes the two embeddings as functions of ids, and the ids.
    """

    def step(tables, *rest):
        *ids, lr = rest
        weights = [table.requires_grad_() for table in tables]
        total = loss(*[partial(F.embedding, weight=weight, sparse=True) for weight in weights], *ids)
        gradients = torch.autograd.grad(total, weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.add_(gradient, alpha=-lr)
                weight.requires_grad_(False)
        return total.detach()

    return {"torch, sparse gradients": step}


def _scores(rows, h):
    return (rows @ h[:, :, None])[:, :, 0]


def _mean(e, contexts):
    here = (contexts >= 0).float()
    rows = e(contexts.clamp(min=0))
    return (here[:, None] @ rows)[:, 0] / here.sum(1, keepdim=True).clamp(min=1)


def _sgns_loss(e, o, centre, contexts, negatives):
    here = (contexts >= 0).float()
    h = e(centre)
    true, noise = _scores(o(contexts.clamp(min=0)), h), _scores(o(negatives), h)
    return -(F.logsigmoid(true) * here).sum() - (F.logsigmoid(-noise).sum(1) * here.sum(1)).sum()


def _cbow_loss(e, o, contexts, target, negatives):
    h = _mean(e, contexts)
    scores = _scores(o(torch.cat([target[:, None], negatives], 1)), h)
    return -F.logsigmoid(scores[:, 0]).sum() - F.logsigmoid(-scores[:, 1:]).sum()


def _turns(words, nodes, bits):
    """Every turn on the way to every word: the place of the word in `words`, the node, and the sign."""
    place, turn = torch.nonzero(nodes[words] >= 0, as_tuple=True)
    return place, nodes[words[place], turn], 1.0 - 2.0 * bits[words[place], turn]


def _skipgram_hierarchical_loss(e, n, centre, contexts, nodes, bits):
    window, column = torch.nonzero(contexts >= 0, as_tuple=True)
    place, node, sign = _turns(contexts[window, column], nodes, bits)
    return -F.logsigmoid(sign * (n(node) * e(centre)[window[place]]).sum(1)).sum()


def _cbow_hierarchical_loss(e, n, contexts, target, nodes, bits):
    place, node, sign = _turns(target, nodes, bits)
    return -F.logsigmoid(sign * (n(node) * _mean(e, contexts)[place]).sum(1)).sum()


def _turn_by_turn(tables, centre, contexts, nodes, bits, lr):
    """The step of skip-gram's hierarchical softmax with a row for every turn of every pair, and `index_add_`."""
    E, N = tables
    window, column = torch.nonzero(contexts >= 0, as_tuple=True)
    place, node, sign = _turns(contexts[window, column], nodes, bits)
    owner = window[place]
    h, rows = E[centre][owner], N[node]
    scores = sign * (rows * h).sum(1)
    move = (lr * sign * torch.sigmoid(-scores))[:, None]
    E.index_add_(0, centre[owner], move * rows)
    N.index_add_(0, node, move * h)
    return -F.logsigmoid(scores).sum()


def _numpy(tensors):
    return [t.double().cpu().numpy() if t.is_floating_point() else t.cpu().numpy() for t in tensors]


def _downhill(loss, gradients):
    return {"loss": loss.sum()} | {name: -STEP * gradient for name, gradient in gradients.items()}


def _pairs(centre, contexts):
    """Centre and context of every real pair, and the window that it is in."""
    window, column = (contexts >= 0).nonzero()
    return centre[window], contexts[window, column], window


def _problem(W, V, shape, p, device, seed):
    """Two tables, and the windows."""
    generator = torch.Generator(device).manual_seed(seed)
    tables = _tables((V, V), shape["D"], generator, device)
    return tables, windows(W, shape["C"], shape["K"], p, generator)


def _both(shape, device):
    """The problem that is checked and the one that is timed."""
    uniform = torch.full((CHECKED_WORDS,), 1 / CHECKED_WORDS, device=device, dtype=torch.float64)
    yield _problem(CHECKED_WINDOWS, CHECKED_WORDS, shape, uniform, device, 0)
    yield _problem(shape["W"], shape["V"], shape, zipf(shape["V"], device), device, 1)


def _real(contexts):
    """Mean number of words in a window."""
    return (contexts >= 0).sum().item() / len(contexts)


def sgns_cases(shape, device):
    """A step of skip-gram with negative sampling."""
    checked, timed = _both(shape, device)

    def truth():
        E, O, centre, contexts, negatives = _numpy((*checked[0], *checked[1]))
        words, near, window = _pairs(centre, contexts)
        return _downhill(*reference.skipgram_negative_loss(E, O, words, near, negatives[window]))

    peers = _eager("sgns_step") | _sparse(_sgns_loss)
    price = cost.sgns_cost(shape["W"], _real(timed[1][1]), shape["K"], shape["D"])
    C, K, D = (shape[name] for name in "CKD")
    way = needing("gensim", partial(gensim.way, shape["W"], C, K, D, zipf(shape["V"], device)))
    apart = {"gensim": (way, partial(gensim.truth, C, K, D), dict.fromkeys("EO", gensim.ERROR))}
    return [_case("step", _ours("sgns_step"), peers, checked, timed, "EO", truth, price, apart=apart)]


def cbow_cases(shape, device):
    """A step of CBOW with negative sampling."""
    checked, timed = ((tables, (near, word, noise)) for tables, (word, near, noise) in _both(shape, device))

    def truth():
        return _downhill(*reference.cbow_negative_loss(*_numpy((*checked[0], *checked[1]))))

    peers = _eager("cbow_step") | _sparse(_cbow_loss)
    price = cost.cbow_cost(shape["W"], _real(timed[1][0]), shape["K"], shape["D"])
    return [_case("step", _ours("cbow_step"), peers, checked, timed, "EO", truth, price)]


def _planted(problem, p):
    """Put a Huffman tree in the place of the negatives, and the vectors of its nodes in that of the outputs."""
    (E, O), (centre, contexts, _) = problem
    tree = reference.huffman((1e9 * p).cpu().numpy())
    nodes, bits = (torch.tensor(table, device=E.device) for table in (tree.nodes, tree.bits))
    return (E, O[:-1].contiguous()), centre, contexts, (nodes, bits), tree


def hierarchical_cases(shape, device):
    """A step of skip-gram, and one of CBOW, with hierarchical softmax."""
    problems = _both(shape | {"K": 0}, device)
    # In the tree that is checked words are as frequent as in a text, so that ways differ in length.
    small = _planted(next(problems), zipf(CHECKED_WORDS, device))
    large = _planted(next(problems), zipf(shape["V"], device))

    def ids(problem, name):
        _, centre, contexts, tables, _ = problem
        return (*((centre, contexts) if name == "skipgram" else (contexts, centre)), *tables)

    def truth(name):
        (E, N), centre, contexts, _, tree = small
        E, N, centre, contexts = _numpy((E, N, centre, contexts))
        if name == "skipgram":
            words, near, _ = _pairs(centre, contexts)
            return _downhill(*reference.skipgram_hierarchical_loss(E, N, words, near, tree))
        return _downhill(*reference.cbow_hierarchical_loss(E, N, contexts, centre, tree))

    def case(name, words, peers, price):
        checked, timed = ((problem[0], ids(problem, name)) for problem in (small, large))
        ours = _ours(f"{name}_hierarchical_step")
        return _case(words, ours, peers, checked, timed, "EN", partial(truth, name), price)

    _, centre, contexts, (nodes, _), _ = large
    lengths = (nodes >= 0).sum(1).float()
    real = contexts >= 0
    W, D, C = shape["W"], shape["D"], _real(contexts)
    skipgram = cost.skipgram_hierarchical_cost(W, C, lengths[contexts[real]].mean().item(), D)
    cbow = cost.cbow_hierarchical_cost(W, C, lengths[centre].mean().item(), D)
    turns = {"torch, index_add_": _turn_by_turn}
    return [
        case("skipgram", "skip-gram step", turns | _sparse(_skipgram_hierarchical_loss), skipgram),
        case("cbow", "CBOW step", _eager("cbow_hierarchical_step") | _sparse(_cbow_hierarchical_loss), cbow),
    ]


GLOVE = ("W", "U", "b", "c", "W total", "U total", "b total", "c total")


def _glove_step(tables, rows, columns, x, lr, backend):
    return functional.glove_step(*tables[:4], tuple(tables[4:]), rows, columns, x, lr, backend=backend)


def _sparse_adagrad(tables, rows, columns, x, lr):
    """What a user of torch writes: embeddings with sparse gradients, autograd, and Adagrad."""
    weights, totals = ([t.view(len(t), -1) for t in part] for part in (tables[:4], tables[4:]))
    weights = [weight.requires_grad_() for weight in weights]
    w, u, b, c = (F.embedding(i, t, sparse=True) for i, t in zip((rows, columns) * 2, weights, strict=True))
    difference = (w * u).sum(1) + b[:, 0] + c[:, 0] - x.log()
    total = ((x / 100).clamp(max=1) ** 0.75 * difference**2).sum()
    gradients = torch.autograd.grad(total, weights)
    options = {"lr": lr, "weight_decay": 0.0, "lr_decay": 0.0, "eps": 0.0, "maximize": False}
    with torch.no_grad():
        steps = [torch.zeros(()) for _ in weights]
        weights = [weight.detach() for weight in weights]
        adagrad(weights, list(gradients), totals, steps, has_sparse_grad=True, foreach=False, **options)
    for table in tables:
        table.requires_grad_(False)
    return total.detach()


def _cells(n, V, D, p, device, seed):
    """Four tables, their totals, and n cells of a count matrix. Without probabilities no row comes twice."""
    generator = torch.Generator(device).manual_seed(seed)
    weights = [
        *_tables((V, V), D, generator, device),
        *(torch.randn(V, generator=generator, device=device) for _ in "bc"),
    ]
    totals = [1 + torch.rand(w.shape, generator=generator, device=device) for w in weights]
    if p is None:
        ids = [torch.randperm(V, generator=generator, device=device)[:n] for _ in range(2)]
    else:
        ids = [_draw(p, (n,), generator) for _ in range(2)]
    x = torch.exp(7 * torch.rand(n, generator=generator, device=device))  # 1 to 1097, most below x_max
    return [*weights, *totals], (*ids, x)


def glove_cases(shape, device):
    """A step of GloVe with AdaGrad."""
    n, V, D = shape["n"], shape["V"], shape["D"]
    checked = _cells(CHECKED_WORDS // 2, CHECKED_WORDS, D, None, device, 0)
    timed = _cells(n, V, D, zipf(V, device), device, 1)

    def truth():
        *tables, rows, columns, x = _numpy((*checked[0], *checked[1]))
        loss, gradients = reference.glove_loss(*tables[:4], rows, columns, x)
        steps = zip(tables[:4], gradients.values(), tables[4:], strict=True)
        after = [reference.adagrad_step(w, g, total, STEP) for w, g, total in steps]
        new = [*(w for w, _ in after), *(total for _, total in after)]
        return {"loss": loss.sum()} | {name: a - b for name, a, b in zip(GLOVE, new, tables, strict=True)}

    ours = {"seqlab Triton": partial(_glove_step, backend="triton")} if has_triton() else {}
    peers = {"torch, index_add_": partial(_glove_step, backend="torch"), "torch, sparse Adagrad": _sparse_adagrad}
    return [_case("step", ours, peers, checked, timed, GLOVE, truth, cost.glove_cost(n, D))]


def _sorted_counts(ids, size, window, weighting):
    """Sort all pairs, add up what is alike, and put it into the table."""
    wall = (ids < 0).cumsum(0)
    keys, weights = [], []
    for d in range(1, min(window, len(ids) - 1) + 1):
        left, right = ids[:-d], ids[d:]
        near = (left >= 0) & (right >= 0) & (wall[:-d] == wall[d:])
        keys.append((left * size + right)[near])
        weights.append(torch.full_like(keys[-1], 1 / d if weighting == "harmonic" else 1, dtype=torch.float32))
    cells, place = torch.unique(torch.cat(keys), return_inverse=True)
    X = torch.zeros(size * size, device=ids.device)
    X[cells] = X.new_zeros(len(cells)).index_add_(0, place, torch.cat(weights))
    return X.view(size, size) + X.view(size, size).T


def cooccurrence_cases(shape, device):
    """Counting, flat and harmonic; what is checked is a shorter text, with walls."""
    N, V, window = shape["N"], shape["V"], shape["window"]
    generator = torch.Generator(device).manual_seed(0)
    words = min(V, CHECKED_WORDS)
    short = torch.randint(-1, words, (2000,), generator=generator, device=device)
    text = _draw(zipf(V, device), (N,), generator)

    def way(count, weighting):
        first = [True]

        def run():
            if not first:
                return {"X": count(text, V, window, weighting)}
            first.clear()
            return {"X": count(short, words, window, weighting)}

        return run

    def case(weighting):
        count = functional.cooccurrence
        ours = {"seqlab Triton": partial(count, backend="triton")} if has_triton() else {}
        peers = {"torch, bincount": partial(count, backend="torch"), "torch, sort and unique": _sorted_counts}
        return Case(
            weighting,
            {name: way(count, weighting) for name, count in ours.items()},
            {name: way(count, weighting) for name, count in peers.items()},
            lambda: {"X": reference.cooccurrence(short.cpu().numpy(), words, window, weighting).toarray()},
            {"X": 1e-6},
            cost.cooccurrence_cost(N, V, window),
            dict.fromkeys(ours, INTERPRETED) if interpreting() else {},
        )

    return [case("flat"), case("harmonic")]


# Looking up copies, so that nothing differs. A gradient in 16 bits is rounded once, when its sum is written.
ROWS, SUMS = 1e-12, {"float32": 1e-5, "bfloat16": 1e-2}


def embedding_cases(shape, device):
    """Looking rows up, and its gradient alone."""
    B, V, D, dtype = shape["B"], shape["V"], shape["D"], getattr(torch, shape["dtype"])
    generator = torch.Generator(device).manual_seed(0)
    ids = _draw(zipf(V, device), (B,), generator)
    weight, d = (torch.randn(n, D, generator=generator, device=device, dtype=dtype) for n in (V, B))

    def copied():
        return {"rows": weight[ids].double().cpu().numpy()}

    def added():
        sums = torch.zeros(V, D, device=device, dtype=torch.float64).index_add_(0, ids, d.double())
        return {"sums": sums.cpu().numpy()}

    gathers, adders = {}, {}
    if has_triton():
        from seqlab.embeddings.kernels import gather

        gathers = {"seqlab Triton": lambda: gather.embedding(ids, weight)}
        adders = {
            "seqlab Triton, in order": lambda: gather.add_in_order(d, ids, V),
            "seqlab Triton, at random": lambda: gather.add_at_random(d, ids, V),
        }
    lookups = {"F.embedding": lambda: F.embedding(ids, weight), "index_select": lambda: weight.index_select(0, ids)}
    backward = torch.ops.aten.embedding_dense_backward
    sums = {
        "F.embedding's gradient": lambda: backward(d, ids, V, -1, False),
        "torch, index_add_": lambda: torch.zeros_like(weight).index_add_(0, ids, d),
    }
    prices = (
        cost.gather_cost(B, len(ids.unique()), D, dtype.itemsize),
        cost.scatter_add_cost(B, V, D, dtype.itemsize),
    )

    def case(passes, name, ours, peers, truth, tolerance, price):
        ways = [{way: lambda run=run: {name: run()} for way, run in group.items()} for group in (ours, peers)]
        untimed = dict.fromkeys(ours, INTERPRETED) if interpreting() else {}
        return Case(passes, *ways, truth, {name: tolerance}, price, untimed)

    return [
        case("forward", "rows", gathers, lookups, copied, ROWS, prices[0]),
        case("backward", "sums", adders, sums, added, SUMS[shape["dtype"]], prices[1]),
    ]


def _lookup(B, V, D, dtype="float32"):
    return {"B": B, "V": V, "D": D, "dtype": dtype}


EMBEDDING = Benchmark(
    name="embedding",
    about="looking rows of a table up, and adding up their gradients",
    shapes={
        "small": [_lookup(300, 50, 16), _lookup(200, 500, 63), _lookup(100, 20, 8, "bfloat16")],
        "full": [
            _lookup(1_000_000, 50_000, 256),
            _lookup(1_000_000, 71_290, 300),
            _lookup(1_000_000, 1_000_000, 256),
            _lookup(65_536, 50_257, 768, "bfloat16"),
            _lookup(1_000_000, 50_000, 256, "bfloat16"),
        ],
    },
    cases=embedding_cases,
)


def _text(W, C, K, D, V):
    return {"W": W, "C": C, "K": K, "D": D, "V": V}


SGNS = Benchmark(
    name="sgns",
    about="skip-gram with negative sampling, one step over many windows",
    shapes={
        "small": [_text(64, 4, 3, 16, 500), _text(32, 10, 5, 63, 500)],
        # a million pairs: windows hold 6 words on the average
        "full": [
            _text(166_667, 10, 5, 300, 71_290),
            _text(166_667, 10, 5, 100, 71_290),
            _text(90_909, 20, 15, 300, 71_290),
        ],
    },
    cases=sgns_cases,
)
CBOW = Benchmark(
    name="cbow",
    about="CBOW with negative sampling, one step over many windows",
    shapes={
        "small": [_text(64, 4, 3, 16, 500), _text(32, 10, 5, 63, 500)],
        "full": [_text(1_000_000, 10, 5, 300, 71_290)],
    },
    cases=cbow_cases,
)


def _tree(W, C, D, V):
    return {"W": W, "C": C, "D": D, "V": V}


HIERARCHICAL = Benchmark(
    name="hierarchical",
    about="skip-gram and CBOW with hierarchical softmax, one step over many windows",
    shapes={
        "small": [_tree(64, 4, 16, 500), _tree(16, 10, 63, 300)],
        "full": [_tree(166_667, 10, 300, 71_290)],
    },
    cases=hierarchical_cases,
)


def _counts(n, D, V):
    return {"n": n, "D": D, "V": V}


GLOVE_STEP = Benchmark(
    name="glove",
    about="GloVe with AdaGrad, one step over many counts",
    shapes={
        "small": [_counts(500, 16, 500), _counts(300, 63, 500)],
        "full": [_counts(1_000_000, 100, 71_290)],
    },
    cases=glove_cases,
)


def _words(N, V, window):
    return {"N": N, "V": V, "window": window}


COOCCURRENCE = Benchmark(
    name="cooccurrence",
    about="words that stand together, counted into a dense table",
    shapes={
        "small": [_words(5000, 300, 5), _words(2000, 63, 10)],
        "full": [_words(17_005_207, 20_000, 10), _words(17_005_207, 5_000, 5)],
    },
    cases=cooccurrence_cases,
)
