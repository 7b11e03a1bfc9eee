"""The interactive figure of chapter 15: softmax in tiles, as the flash kernel walks over the keys."""

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number

OFFSETS = (0, 1, 10, 100, 1000, 10000)
TILES = (1, 2, 4)
LARGEST = 8


class FlashTiles(Figure):
    """Attention tile by tile, :eq:`online-softmax`: what a program of the flash kernel holds after every tile.

    A block of queries meets the keys a tile at a time. For each query there are three numbers: the largest score so
    far, the sum of exp(score - largest), and the sum of those times the values; both sums shrink when the largest
    grows. Beside them stands the softmax of the whole row, which the last tile reaches. The reader steps through the
    tiles, hides the future, draws other scores, changes those of a row, and adds up to 10,000 to all of them.

    Parameters
    ----------
    scores : (T, T) scores of T queries and keys, T from 2 to 8. None draws 8 x 8.
    values : (T,) the value of each key, one number; a real one is a row of numbers that are all treated alike. None
        draws them.
    tile : queries and keys of a tile: 1, 2 or 4.
    causal : query i sees keys 1 to i.
    query : whose sums are explained, from 1 on; None takes the seventh, or the last.
    offset : what is added to all scores: 0, 1, 10, 100, 1000 or 10000.
    step : tiles done at the start.

    Raises
    ------
    ValueError
        when a shape does not fit, a number is not finite or is outside its range.
    """

    module = "flash_tiles.js"
    label = "Softmax in tiles: what flash attention holds after every tile"
    how = "Take the tiles one by one: the sums shrink when a larger score comes, and end where the whole softmax does."

    def __init__(self, scores=None, values=None, tile=2, causal=False, query=None, offset=0, step=0):
        rng = np.random.default_rng(2848)  # the largest score of query 7 grows twice
        scores = np.round(rng.normal(scale=1.6, size=(LARGEST, LARGEST)), 1) if scores is None else scores
        scores = checked("scores", scores, 2)
        T = len(scores)
        values = np.round(rng.normal(scale=2, size=T), 1) if values is None else values
        values = checked("values", values, 1)
        if scores.shape != (T, T) or not 2 <= T <= LARGEST:
            raise ValueError(f"scores has shape {scores.shape}; it must have shape (T, T) with T from 2 to {LARGEST}")
        if values.shape != (T,):
            raise ValueError(f"values has shape {values.shape}; with {T} keys it must have shape ({T},)")
        for name, value, allowed in (("tile", tile, TILES), ("offset", offset, OFFSETS)):
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(str, allowed))}")
        query = min(7, T) if query is None else query
        check_number("query", query, 1, T, whole=True)
        check_number("step", step, 0, T, whole=True)
        super().__init__(
            scores=scores.tolist(),
            values=values.tolist(),
            size=T,
            tile=tile,
            causal=bool(causal),
            query=query - 1,
            offset=offset,
            offsets=list(OFFSETS),
            step=step,
            seed=0,
        )

    def still(self):
        from seqlab.attention.reference import online, weighting

        s = self.state
        row, seen = np.array(s["scores"][s["query"]]) + s["offset"], s["query"] + 1 if s["causal"] else s["size"]
        row, values = np.where(np.arange(s["size"]) < seen, row, -np.inf), np.array(s["values"])
        tiles = range(0, seen, s["tile"])
        _, _, steps = online.online_softmax(row[None, :seen], values[:seen, None], s["tile"])
        rows, before = [], -np.inf
        for start, (m, total, weighted) in zip(tiles, steps, strict=True):
            m, total, weighted = m.item(), total.item(), weighted.item()
            last = min(start + s["tile"], seen)
            keys = f"{start + 1}" if last == start + 1 else f"{start + 1} to {last}"
            shrink = f"{np.exp(before - m):.2f}"
            rows.append((keys, f"{m:.1f}", shrink, f"{total:.2f}", f"{weighted:.2f}", f"{weighted / total:.2f}"))
            before = m
        whole = (weighting.masked_softmax(row[None]) @ values).item()
        head = ("keys", "largest score m", "sums shrink by", "sum l", "weighted sum o", "o / l")
        return table(
            head, rows, f"Query {s['query'] + 1}, tile by tile. The softmax of the whole row gives {whole:.2f}"
        )


def checked(name, array, axes):
    array = np.asarray(array, dtype=float)
    if array.ndim != axes or not np.isfinite(array).all():
        text = "(T, T)" if axes == 2 else "(T,)"
        raise ValueError(f"{name} has shape {array.shape}; it must have shape {text} and hold finite numbers")
    return array
