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


FUSED = 2  # operations that a device's speed counts for one instruction
SHARED = 2  # dimensions that can share one division of additive attention


def additive_cost(B, Tq, Tk, D, Dv=None, dtype="float32", backward=False):
    """Count what additive attention must pay that never stores tanh of all pairs and dimensions, :eq:`additive-score`.

    With e^(2q) and e^(2k) made before, a pair costs half a special function in every dimension (two divisions share
    one) and four instructions. Backward a pair costs in every dimension a special function and nine instructions:
    the product of the factors and the sum with 1, the square of the root, two products for the slope of tanh, and a sum
    each for query and key; tanh itself, and a sum for v. All this is done in float32, whatever the type of the
    arguments; the products of matrices count with it in float32, and in 16 bits run on other units beside it.

    Parameters
    ----------
    B : sequences.
    Tq, Tk : queries, keys.
    D, Dv : hidden units, numbers of a value; None for as many.
    dtype : "float32", "bfloat16" or "float16".
    backward : count what the gradients cost *on top* of context and weights.

    Returns
    -------
    cost : Cost, whose operations are those of the units that are busy longest.
    """
    Dv = D if Dv is None else Dv
    pairs, queries, keys = B * Tq * Tk, B * Tq, B * Tk
    given = queries * D + keys * (D + Dv) + D
    if backward:  # the arguments, the weights and the gradient of the context are read, four gradients written
        moved, pair, products = 2 * given + pairs + queries * Dv, max(FUSED * 9, SPECIAL["float32"]), 4 * pairs * Dv
    else:
        moved, pair, products = (
            given + pairs + queries * Dv,
            max(FUSED * 4, SPECIAL["float32"] / SHARED),
            2 * pairs * Dv,
        )
    return Cost(moved * ITEMSIZE[dtype], pairs * D * pair + (products if dtype == "float32" else 0))


def additive_passes(B, Tq, Tk, D, itemsize):
    """Count the bytes that additive attention moves forward where every step is one of torch's functions.

    Returns
    -------
    passes : dict from what a pass does to its bytes.
    """
    hidden, scores = B * Tq * Tk * D * itemsize, B * Tq * Tk * itemsize
    return {
        "the sum of queries and keys is written": hidden,
        "tanh reads it": hidden,
        "tanh writes the hidden layer": hidden,
        "the product with v reads it": hidden,
        "the scores are written": scores,
        "softmax reads the scores": scores,
        "softmax writes the weights": scores,
        "the sum of the values reads the weights": scores,
    }
