"""What attention must pay on a GPU, whoever programs it. Needs no Triton, so it works everywhere."""

from seqlab.kernels import H200, Cost

SUM = 4  # bytes of a number that is kept for the backward pass of each query
ITEMSIZE = {"float32": 4, "bfloat16": 2, "float16": 2}
# A multiprocessor of Hopper has 128 places for fused products and sums, which count as two operations, and 16 for
# exponentials. Its matrix units are faster: an exponential takes the time of more of their operations.
SPECIAL = {dtype: 2 * 128 / 16 * H200.flops[dtype] / H200.flops["float32"] for dtype in ITEMSIZE}


def flash_cost(B, H, Tq, Tk, D, Dv=None, dtype="float32", causal=False, backward=False):
    """Count what scaled dot-product attention must pay that stores no weights, :eq:`online-softmax`.

    A pair of a query and a key that counts costs two products of rows forward (a score, and a value's share), five
    backward (the score again, the weight's gradient, and the gradients of query, key and value), and each time an
    exponential, which other units compute beside the products.

    Parameters
    ----------
    B, H : sequences, heads.
    Tq, Tk : queries, keys.
    D, Dv : numbers of a query, of a value; None for as many.
    dtype : "float32", "bfloat16" or "float16".
    causal : query i sees keys 0 to i, which is half of all pairs when Tq and Tk are the same.
    backward : count what the gradients cost *on top* of the context.

    Returns
    -------
    cost : Cost, whose operations are those of the units that are busy longest.
    """
    Dv = D if Dv is None else Dv
    seen = min(Tq, Tk) if causal else Tk  # keys that any query looks at
    pairs = B * H * _pairs(Tq, Tk, causal)
    queries, keys = B * H * Tq * (D + Dv), B * H * seen * (D + Dv)
    if backward:  # query, context and its gradient, key and value are read; three gradients written, those of all keys
        moved = queries + B * H * Tq * Dv + keys + B * H * (Tq * D + Tk * (D + Dv))
        products = pairs * 2 * (3 * D + 2 * Dv)
    else:
        moved, products = queries + keys, pairs * 2 * (D + Dv)
    operations = max(products, pairs * SPECIAL[dtype])
    return Cost(moved * ITEMSIZE[dtype] + B * H * Tq * SUM, operations, dtype=dtype)


def _pairs(Tq, Tk, causal):
    """Pairs of a query and a key that count in one head."""
    if not causal:
        return Tq * Tk
    whole = max(Tq - Tk, 0)  # queries that see all keys
    short = Tq - whole
    return whole * Tk + short * (short + 1) // 2


def attention_passes(B, H, Tq, Tk, D, itemsize, causal=False):
    """Count the bytes that attention moves forward where every step is one of torch's functions, pass by pass.

    Returns
    -------
    passes : dict from what a pass does to its bytes.
    """
    scores, rows = B * H * Tq * Tk * itemsize, B * H * D * itemsize
    hidden = {"hiding the future reads the scores": scores, "and writes them": scores} if causal else {}
    return {
        "the first product reads queries and keys": (Tq + Tk) * rows,
        "it writes the scores": scores,
        **hidden,
        "softmax reads the scores": scores,
        "softmax writes the weights": scores,
        "the second product reads weights and values": scores + Tk * rows,
        "it writes the context": Tq * rows,
    }
