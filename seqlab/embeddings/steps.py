"""Training steps of word2vec and GloVe in torch: gather, score, gradient and update in one call, in place.

Each equals one step of gradient descent on the sum of the losses of `seqlab.embeddings.functional`: all gradients are
taken at the vectors with which the step begins, and a word that stands several times gets the sum of its gradients.
"""

import torch
import torch.nn.functional as F

from seqlab.kernels import pick_backend
from seqlab.shapes import check_shape

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def sgns_step(E, O, centre, contexts, negatives, lr, backend="auto"):
    """One step of skip-gram with negative sampling, :eq:`negative-sampling-gradient`; Mikolov et al. (2013).

    The K negatives of a window are shared by its real contexts: the step equals that of all pairs (centre, context),
    each with the same negatives.

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    centre : (W,) ids, one a window.
    contexts : (W, C) ids of the words around it; -1 where there is none.
    negatives : (W, K) ids of words that the noise gave.
    lr : learning rate of each pair.
    backend : "torch", "triton", or "auto": Triton on CUDA, torch on the CPU. The kernel's programs run side by side,
        and one may see what another has already changed.

    Returns
    -------
    loss : the sum over all pairs, before the step, a number on the device of E.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary (on a GPU, ids are not looked at).
    """
    V = check_tables(E, O, "O")
    W = check_shape("centre", centre, ("W",))["W"]
    check_shape("contexts", contexts, (W, "C"))
    check_shape("negatives", negatives, (W, "K"))
    check_ids("centre", centre, V)
    check_ids("contexts", contexts, V, wall=True)
    check_ids("negatives", negatives, V)
    if pick_backend(backend, E, O, centre, contexts, negatives) == "triton":
        return _kernels().sgns_step(E, O, centre, contexts, negatives, lr)
    real = rows_of(contexts, E.dtype)
    ids = torch.cat([contexts.clamp(min=0), negatives], 1)
    sign = torch.ones(ids.shape, dtype=E.dtype, device=E.device)
    sign[:, contexts.shape[1] :] = -1
    pairs = real.sum(1, keepdim=True).expand(-1, negatives.shape[1])
    h, rows = take(E, centre), take(O, ids)
    loss, move = _logistic(rows, h, sign, torch.cat([real, pairs], 1), lr)
    dh = (move[:, None] @ rows)[:, 0]
    add(O, ids, move[:, :, None] * h[:, None])
    add(E, centre, dh)
    return loss


def cbow_step(E, O, contexts, target, negatives, lr, backend="auto"):
    """One step of CBOW with negative sampling, :eq:`cbow`, :eq:`negative-sampling-gradient`.

    The gradient is that of the mean: each context word gets its share, 1 / n of what the mean gets. (word2vec's C code
    gives each the whole of it, which is the same as a larger rate for E.)

    Parameters
    ----------
    E, O : (V, D) input and output vectors; both are changed.
    contexts : (W, C) ids of the words around the target; -1 where there is none. A window without any changes nothing,
        and its loss counts with a mean of zero.
    target : (W,) ids of the words to predict.
    negatives : (W, K) ids of words that the noise gave.
    lr : learning rate.
    backend : as in `sgns_step`.

    Returns
    -------
    loss : the sum over all windows, before the step, a number on the device of E.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary (on a GPU, ids are not looked at).
    """
    V = check_tables(E, O, "O")
    W = check_shape("target", target, ("W",))["W"]
    check_shape("contexts", contexts, (W, "C"))
    check_shape("negatives", negatives, (W, "K"))
    check_ids("contexts", contexts, V, wall=True)
    check_ids("target", target, V)
    check_ids("negatives", negatives, V)
    if pick_backend(backend, E, O, contexts, target, negatives) == "triton":
        return _kernels().cbow_step(E, O, contexts, target, negatives, lr)
    ids = torch.cat([target[:, None], negatives], 1)
    sign = torch.ones(ids.shape, dtype=E.dtype, device=E.device)
    sign[:, 1:] = -1
    real = rows_of(contexts, E.dtype)
    h, rows = mean_rows(take(E, contexts.clamp(min=0)), real), take(O, ids)
    loss, move = _logistic(rows, h, sign, torch.ones_like(sign), lr)
    dh = (move[:, None] @ rows)[:, 0]
    add(O, ids, move[:, :, None] * h[:, None])
    add(E, contexts.clamp(min=0), shares(dh, real))
    return loss


def skipgram_hierarchical_step(E, N, centre, contexts, nodes, bits, lr, backend="auto"):
    """One step of skip-gram with the hierarchical softmax, :eq:`hierarchical-softmax`; Morin and Bengio (2005).

    Parameters
    ----------
    E : (V, D) input vectors; changed.
    N : (V - 1, D) vectors of the inner nodes; changed.
    centre : (W,) ids, one a window.
    contexts : (W, C) ids of the words around it; -1 where there is none.
    nodes, bits : (V, L) of the tree: the inner nodes from the root to each word, padded with -1, and the turns.
    lr : learning rate of each pair.
    backend : as in `sgns_step`.

    Returns
    -------
    loss : the sum over all pairs, before the step, a number on the device of E.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary (on a GPU, ids are not looked at).
    """
    V = _check_tree(E, N, nodes, bits)
    W = check_shape("centre", centre, ("W",))["W"]
    check_shape("contexts", contexts, (W, "C"))
    check_ids("centre", centre, V)
    check_ids("contexts", contexts, V, wall=True)
    if pick_backend(backend, E, N, centre, contexts, nodes, bits) == "triton":
        return _kernels().skipgram_hierarchical_step(E, N, centre, contexts, nodes, bits, lr)
    row, place = torch.nonzero(contexts >= 0, as_tuple=True)
    path, turns = nodes[contexts[row, place]], bits[contexts[row, place]]
    pair, turn = torch.nonzero(path >= 0, as_tuple=True)
    used, column = _numbered(path[pair, turn], len(N))
    # A window meets the same nodes again and again: count how often each is passed by each turn, then score it once.
    passed = E.new_zeros(2, W, len(used))
    at = (turns[pair, turn].long() * W + row[pair]) * len(used) + column
    passed.view(-1).scatter_add_(0, at, passed.new_ones(()).expand(len(at)))
    h, rows = take(E, centre), take(N, used)
    scores = h @ rows.T
    loss = -(passed[0] * F.logsigmoid(scores) + passed[1] * F.logsigmoid(-scores)).sum()
    move = lr * (passed[0] - (passed[0] + passed[1]) * scores.sigmoid())
    dh = move @ rows
    add(N, used, move.T @ h)
    add(E, centre, dh)
    return loss


def cbow_hierarchical_step(E, N, contexts, target, nodes, bits, lr, backend="auto"):
    """One step of CBOW with the hierarchical softmax, :eq:`cbow`, :eq:`hierarchical-softmax`.

    Parameters
    ----------
    E : (V, D) input vectors; changed.
    N : (V - 1, D) vectors of the inner nodes; changed.
    contexts : (W, C) ids of the words around the target; -1 where there is none.
    target : (W,) ids of the words to predict.
    nodes, bits : (V, L) of the tree: the inner nodes from the root to each word, padded with -1, and the turns.
    lr : learning rate.
    backend : as in `sgns_step`.

    Returns
    -------
    loss : the sum over all windows, before the step, a number on the device of E.

    Raises
    ------
    ValueError
        when a shape does not fit or an id is outside the vocabulary (on a GPU, ids are not looked at).
    """
    V = _check_tree(E, N, nodes, bits)
    W = check_shape("target", target, ("W",))["W"]
    check_shape("contexts", contexts, (W, "C"))
    check_ids("contexts", contexts, V, wall=True)
    check_ids("target", target, V)
    if pick_backend(backend, E, N, contexts, target, nodes, bits) == "triton":
        return _kernels().cbow_hierarchical_step(E, N, contexts, target, nodes, bits, lr)
    path = nodes[target]
    ids = path.clamp(min=0)
    real = rows_of(contexts, E.dtype)
    h, rows = mean_rows(take(E, contexts.clamp(min=0)), real), take(N, ids)
    loss, move = _logistic(rows, h, 1 - 2 * bits[target].to(E.dtype), rows_of(path, E.dtype), lr)
    dh = (move[:, None] @ rows)[:, 0]
    add(N, ids, move[:, :, None] * h[:, None])
    add(E, contexts.clamp(min=0), shares(dh, real))
    return loss


def glove_step(W, U, b, c, totals, rows, columns, x, lr, x_max=100, alpha=0.75, backend="auto"):
    """One step of GloVe with AdaGrad, :eq:`glove`, :eq:`adagrad`; Pennington, Socher and Manning (2014).

    Parameters
    ----------
    W, U : (V, D) word and context vectors; changed.
    b, c : (V,) their biases; changed.
    totals : four tensors shaped as W, U, b, c, the sums of squared gradients so far; changed. They start at 1.
    rows, columns : (n,) ids of the cells of the count matrix.
    x : (n,) the counts, above 0.
    lr : learning rate.
    x_max, alpha : of the weight, :eq:`glove-weight`.
    backend : as in `sgns_step`. In torch, the gradients of a word that stands several times are summed before they are
        squared.

    Returns
    -------
    loss : the sum over the cells, before the step, a number on the device of W.

    Raises
    ------
    ValueError
        when a shape does not fit, or an id is outside the vocabulary (on a GPU, ids are not looked at).
    """
    V = check_tables(W, U, "U")
    check_shape("b", b, (V,))
    check_shape("c", c, (V,))
    if len(totals) != 4:
        raise ValueError(f"totals holds {len(totals)} tensors; it must hold four, for W, U, b and c")
    for name, table, total in zip("WUbc", (W, U, b, c), totals, strict=True):
        check_shape(f"the total of {name}", total, table.shape)
    n = check_shape("rows", rows, ("n",))["n"]
    check_shape("columns", columns, (n,))
    check_shape("x", x, (n,))
    check_ids("rows", rows, V)
    check_ids("columns", columns, V)
    if pick_backend(backend, W, U, b, c, *totals, rows, columns, x) == "triton":
        return _kernels().glove_step(W, U, b, c, totals, rows, columns, x, lr, x_max, alpha)
    w, u = take(W, rows), take(U, columns)
    diff = (w * u).sum(1) + take(b, rows) + take(c, columns) - x.log()
    weighted = (x / x_max).clamp(max=1) ** alpha * diff
    loss, g = (weighted * diff).sum(), 2 * weighted
    for ids, tables, gradients in (
        (rows, ((W, totals[0]), (b, totals[2])), (g[:, None] * u, g)),
        (columns, ((U, totals[1]), (c, totals[3])), (g[:, None] * w, g)),
    ):
        words, place = torch.unique(ids, return_inverse=True)
        for (table, total), gradient in zip(tables, gradients, strict=True):
            _adagrad(table, total, words, place, gradient, lr)
    return loss


def _adagrad(table, total, words, place, gradient, lr):
    summed = gradient.new_zeros(len(words), *gradient.shape[1:])
    add(summed, place, gradient)
    add(total, words, summed**2)
    add(table, words, -lr * summed / take(total, words).sqrt())


def take(table, ids):
    """Rows of a table, (...) ids -> (..., D), or entries, of a table with one axis."""
    return table.index_select(0, ids.reshape(-1)).view(*ids.shape, *table.shape[1:])


def add(table, ids, rows):
    """table[ids] += rows, in place; the rows of an id that stands several times add up."""
    ids, rows = ids.reshape(-1).long(), rows.reshape(-1, *table.shape[1:])
    if table.dim() == 2 and not table.is_cuda:  # sorts the ids and goes through each row once, in a fixed order
        table.scatter_add_(0, ids[:, None].expand_as(rows), rows)
    else:
        table.index_add_(0, ids, rows)


def rows_of(ids, dtype):
    """1 where there is a word, 0 where -1 says that there is none."""
    return (ids >= 0).to(dtype)


def mean_rows(rows, real):
    """Mean over the words that are there: (B, C, D) and (B, C) -> (B, D); 0 where there is none."""
    return (real[:, None] @ rows)[:, 0] / real.sum(1, keepdim=True).clamp(min=1)


def check_tables(E, O, name):
    """Both must be (V, D), of the same type; V."""
    V, D = check_shape("E", E, ("V", "D")).values()
    check_shape(name, O, (V, D))
    return V


def check_ids(name, ids, V, wall=False):
    """Ids must be integers from 0 (from -1, where that stands for no word) to V - 1; on a GPU nobody looks."""
    if not isinstance(ids, torch.Tensor) or ids.dtype not in INTEGERS:
        have = ids.dtype if isinstance(ids, torch.Tensor) else type(ids).__name__
        raise ValueError(f"{name} holds {have}; it must be a torch tensor of ids, such as torch.int64")
    if ids.device.type != "cpu" or not ids.numel():
        return
    low, high = (bound.item() for bound in ids.aminmax())
    if low < (-1 if wall else 0) or high >= V:
        none = ", and -1 marks no word" if wall else ""
        raise ValueError(f"{name} holds ids from {low} to {high}; the vocabulary has ids 0 to {V - 1}{none}")


def _logistic(rows, h, sign, weight, lr):
    """Weighted sum of -log sigma(sign h . row), and -lr times its slope by each score; all (W, R)."""
    scores = (rows @ h[:, :, None])[:, :, 0] * sign
    loss = -(F.logsigmoid(scores) * weight).sum()
    return loss, lr * torch.sigmoid(-scores) * sign * weight


def shares(dh, real):
    """What the mean gets, divided among the words that made it: (W, D) -> (W, C, D)."""
    return (real / real.sum(1, keepdim=True).clamp(min=1))[:, :, None] * dh[:, None]


def _numbered(ids, size):
    """The ids that occur, rising, and the place of each id among them."""
    seen = torch.zeros(size, dtype=torch.bool, device=ids.device)
    seen[ids] = True
    return torch.nonzero(seen)[:, 0], (seen.cumsum(0) - 1)[ids]


def _check_tree(E, N, nodes, bits):
    V, D = check_shape("E", E, ("V", "D")).values()
    check_shape("N", N, (V - 1, D))
    L = check_shape("nodes", nodes, (V, "L"))["L"]
    check_shape("bits", bits, (V, L))
    return V


def _kernels():
    from seqlab.embeddings import kernels

    return kernels
