"""What a decoder asks of a model: a step that scores the next word, and a state whose rows can be chosen.

A *step* is `step(tokens (N,), state) -> (scores (N, V), state)`, with logits or log-probabilities, -Inf allowed. A
*state* is any nest of tuples, lists, dicts and None around tensors whose first dimension is N.
"""

import torch

from seqlab.shapes import check_shape


def select(state, rows):
    """Choose and repeat rows of every tensor in a state.

    Parameters
    ----------
    state : a nest of tuples, lists, dicts and None around tensors whose first dimension is N.
    rows : (M,) int64, which of the N rows come out.

    Returns
    -------
    state : the same nest with M rows.

    Raises
    ------
    ValueError
        when something else is in the nest.
    """
    if state is None:
        return None
    if isinstance(state, torch.Tensor):
        return state.index_select(0, rows.to(state.device))
    if isinstance(state, dict):
        return {name: select(part, rows) for name, part in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(select(part, rows) for part in state))
    if isinstance(state, tuple | list):
        return type(state)(select(part, rows) for part in state)
    raise ValueError(
        f"state holds a {type(state).__name__}; it must be tensors in tuples, lists and dicts, so that rows "
        "can be chosen"
    )


def tensors(state):
    """All tensors of a nest."""
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict):
        for part in state.values():
            yield from tensors(part)
    elif isinstance(state, tuple | list):
        for part in state:
            yield from tensors(part)
    elif state is not None:
        select(state, None)  # says what is wrong


def begin(state):
    """Number of sentences in a state, and the device that it lies on."""
    found = list(tensors(state))
    if not found:
        return 1, torch.device("cpu")
    sizes = {t.shape[0] if t.ndim else None for t in found}
    if len(sizes) > 1 or None in sizes:
        raise ValueError(
            f"the tensors of state have shapes {[tuple(t.shape) for t in found]}; all must have the same first "
            "dimension, one row for each sentence"
        )
    return sizes.pop(), found[0].device


def read(step, tokens, state, eos):
    """Let the model read a token in every row: checked scores (N, V) and the new state."""
    scores, state = step(tokens, state)
    V = check_shape("the scores of step", scores, (len(tokens), "V"))["V"]
    if not 0 <= eos < V:
        raise ValueError(f"eos is {eos}; the step scores the ids 0 to {V - 1}")
    if not (scores < torch.inf).all():
        raise ValueError("step gave scores with NaN or +Inf; they must be finite or -Inf")
    return scores, state


def log_softmax(scores):
    """As torch's, in float32 or more; a row without a possible word stays -Inf and does not become NaN."""
    scores = scores if scores.dtype == torch.float64 else scores.float()
    total = scores.logsumexp(-1, keepdim=True)
    return scores - torch.where(total == -torch.inf, 0, total)


def prefix_step(distribution):
    """Make a step of a function that knows the next word's probabilities after any beginning.

    Parameters
    ----------
    distribution : function from a tuple of ids, the tokens after `<bos>`, to (V,) probabilities of the next.

    Returns
    -------
    step : its state holds the ids that were read, (N, t); begin with `torch.zeros(B, 0, dtype=torch.int64)`.
    """

    def step(tokens, state):
        state = torch.cat([state, tokens[:, None]], 1)
        rows = [torch.as_tensor(distribution(tuple(row[1:])), dtype=torch.float64) for row in state.tolist()]
        return torch.stack(rows).log().to(state.device), state

    return step


def as_numpy(step):
    """Let `seqlab.decode.reference` search with a step of torch; the state stays torch's."""

    @torch.no_grad()
    def read(tokens, state):
        device = next(tensors(state), torch.empty(0)).device
        scores, state = step(torch.as_tensor(tokens, device=device), state)
        return scores.double().cpu().numpy(), state

    return read
