"""The largest numbers of rows, in an order that is the same everywhere."""


def first_largest(rows, width):
    """The largest numbers of each row and their places, the largest first; of equals the one that stands first.

    `torch.topk` promises no order of equals: two machines may choose different ones.

    Parameters
    ----------
    rows : (B, N) tensor, -Inf allowed, no NaN.
    width : how many, 1 to N.

    Returns
    -------
    values, places : (B, width), and int64.
    """
    least = rows.topk(width).values[:, -1:]
    above, equal = rows > least, rows == least
    keep = above | (equal & (equal.cumsum(1) <= width - above.sum(1, keepdim=True)))
    places = keep.nonzero()[:, 1].view(len(rows), width)
    values, order = rows.gather(1, places).sort(dim=1, descending=True, stable=True)
    return values, places.gather(1, order)
