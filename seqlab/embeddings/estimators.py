"""word2vec and GloVe as estimators: give them sentences, take vectors of words."""

import math
from numbers import Real
from typing import NamedTuple

import numpy as np
import torch

import seqlab.kernels  # noqa: F401  chooses Triton's mode before anything imports it
from seqlab.embeddings import functional
from seqlab.embeddings.blocks import PULL, cbow_blocks_step, negatives_weight, skipgram_blocks_step
from seqlab.embeddings.reference import cooccurrence as count_pairs
from seqlab.embeddings.reference import huffman
from seqlab.embeddings.running import Run, digest, one_thread
from seqlab.embeddings.sampling import Draws, blocks, cuts, generator, read_corpus, windows
from seqlab.embeddings.softmax import cbow_softmax_step, skipgram_softmax_step
from seqlab.kernels import pick_backend
from seqlab.shapes import check_whole

CENTRES = {"negative": 16, "hierarchical": 8}  # words of a block
NOISE = 16  # words of noise that a block shares
FIRST = 2.0  # first input vectors hold numbers up to FIRST / dim; with word2vec's 0.5, small texts are learnt later
BATCH = {"negative": 256, "hierarchical": 64, "softmax": 256}  # words in a step
LOSSES = ("negative", "hierarchical", "softmax")
PIECE = 16_384  # words that are prepared at a time, and between which Ctrl-C is heard


class Piece(NamedTuple):
    """A piece of the text, ready to learn from: `step(start, stop, lr)` learns from some of its `size` units."""

    size: int
    terms: torch.Tensor
    step: object


class _Estimator:
    """What all three have in common: their settings, the corpus, the run, the result."""

    def fit(self, sentences, checkpoint=None):
        """Learn vectors of the words of a text.

        Parameters
        ----------
        sentences : lists of words; gone through once. No window reaches over the end of a sentence.
        checkpoint : None, or a file that is written each minute, after each epoch, and on Ctrl-C. Where it exists, the
            run goes on from it, and ends with the very vectors of a run that was never stopped.

        Returns
        -------
        self : with `words` by falling count, their `counts`, `vectors` and `output_vectors`, and `history`, a dict of
            lists with one number an epoch: "loss" (mean over what was predicted, in nats for word2vec), "seconds", and
            "words_per_second" ("cells_per_second" for GloVe).

        Raises
        ------
        ValueError
            when there is no word, none is frequent enough, no two stand in the same sentence, a sentence is no list of
            words, the checkpoint is of another run, or the loss becomes Inf or NaN.
        KeyboardInterrupt
            on Ctrl-C, with a checkpoint after the piece was finished and the checkpoint written; a second Ctrl-C does
            not wait.
        """
        corpus = read_corpus(sentences, self.min_count)
        self._learn(corpus, checkpoint)
        self.words, self.counts = corpus.words, corpus.counts
        return self

    @property
    def word_vectors(self):
        """`WordVectors`: the words with their vectors, to ask for neighbours and analogies."""
        from seqlab.embeddings.vectors import WordVectors

        if not hasattr(self, "vectors"):
            raise ValueError(f"this {type(self).__name__} has learnt nothing yet: call fit(sentences) first")
        return WordVectors(self.words, self.vectors)

    def _settings(self, corpus):
        """What must agree for a run to go on from a checkpoint: all but who computes and what is shown."""
        own = {name: value for name, value in vars(self).items() if name in self.SETTINGS}
        return {"model": type(self).__name__, "text": digest(corpus.ids, corpus.sentence), **own}


class _Word2Vec(_Estimator):
    SETTINGS = (
        "dim", "window", "negative", "loss", "power", "subsample", "min_count", "epochs", "lr", "batch", "seed"
    )  # fmt: skip

    def __init__(
        self,
        dim=100,
        window=5,
        negative=5,
        *,
        loss="negative",
        power=0.75,
        subsample=1e-3,
        min_count=5,
        epochs=5,
        lr=0.025,
        batch=None,
        seed=0,
        backend="auto",
        device=None,
        progress=True,
    ):
        _check_whole(dim=dim, window=window, negative=negative, min_count=min_count, epochs=epochs)
        _check_number(power=power, lr=lr)
        if loss not in LOSSES:
            raise ValueError(f"loss is {loss!r}; it must be 'negative', 'hierarchical' or 'softmax'")
        if subsample is None:
            subsample = 0.0
        if not (isinstance(subsample, Real) and 0 <= subsample < math.inf):
            raise ValueError(f"subsample is {subsample!r}; it must be a share of the text above 0, or 0 to keep all")
        if batch is not None:
            _check_whole(batch=batch)
        self.dim, self.window, self.negative, self.loss, self.power = dim, window, negative, loss, power
        self.subsample, self.min_count, self.epochs, self.lr = subsample, min_count, epochs, lr
        self.seed = check_whole("seed", seed, 0)
        self.batch, self.backend, self.device, self.progress = batch, backend, device, progress

    def _learn(self, corpus, checkpoint):
        device, V = _device(self.device), len(corpus.words)
        reach = FIRST / self.dim / self._together**0.25
        E = (2 * torch.rand(V, self.dim, generator=generator("cpu", self.seed)) - 1) * reach
        tree = huffman(corpus.counts) if self.loss == "hierarchical" else None
        O = torch.zeros(V if tree is None else V - 1, self.dim)
        self._E, self._O = E.to(device), O.to(device)
        self._tree = None if tree is None else [torch.as_tensor(part).to(device) for part in (tree.nodes, tree.bits)]
        self._way = pick_backend(self.backend, self._E)
        self._by_blocks = self.loss != "softmax" and self._way == "torch" and device.type == "cpu"
        draws = Draws(corpus.counts, self.window, self.subsample, self.power, device)
        batch = self.batch or self._steady_batch(draws)
        bounds, N = cuts(corpus.sentence, PIECE), len(corpus.ids)
        rate = self.lr * self._together**0.5
        settings = self._settings(corpus) | {"batch": batch}
        tables = {"input": self._E, "output": self._O}
        run = Run(tables, settings, len(bounds) - 1, self.epochs, N, "words", checkpoint, self.progress)
        with run.started(), torch.no_grad(), one_thread(self._by_blocks):
            while run.epoch < self.epochs:
                for number in range(run.piece, len(bounds) - 1):
                    first, last = int(bounds[number]), int(bounds[number + 1])
                    random = generator(device, self.seed, 1 + run.epoch, number)
                    text = draws.thinned(corpus.ids[first:last], corpus.sentence[first:last], random)
                    piece, each = self._prepared(*text, draws, random, batch)
                    loss = torch.zeros((), dtype=torch.float64, device=device)
                    for start in range(0, piece.size, each):
                        done = (run.epoch * N + first + (last - first) * start / piece.size) / (self.epochs * N)
                        loss += piece.step(start, start + each, rate * max(1 - done, 1e-4))
                    run.after_piece(loss, piece.terms.double(), last - first)
                run.close_epoch()
        self.vectors, self.output_vectors = self._E.cpu().numpy(), self._O.cpu().numpy()
        self.history = run.history
        del self._E, self._O, self._tree

    def _prepared(self, ids, sentence, reach, draws, random, batch):
        """A `Piece`, and how many of its units make a step."""
        if self._by_blocks:
            size = min(CENTRES[self.loss], batch)
            return self._blocks(blocks(ids, sentence, reach, self.window, size), draws, random), batch // size
        near = windows(ids, sentence, reach, self.window)
        some = (near >= 0).any(1)
        return self._windows(ids[some], near[some], draws, random), batch

    def _outputs(self, true, pairs, draws, random):
        """What a block scores: true words (G, P) and noise, or nodes on the ways to the words; weights, signs."""
        if self.loss == "negative":
            noise = draws.words((len(true), NOISE), random)
            weight = torch.cat([pairs, negatives_weight(true, pairs, noise, self.negative)], 2)
            sign = torch.ones(len(true), 1, weight.shape[2])
            sign[:, :, true.shape[1] :] = -1
            return torch.cat([true, noise], 1), weight, sign
        nodes, bits = (table[true] for table in self._tree)
        weight = (pairs[:, :, :, None] * (nodes >= 0)[:, None]).flatten(2)
        return nodes.clamp(min=0).flatten(1), weight, (1.0 - 2.0 * bits).flatten(1)[:, None]

    def _steady_batch(self, draws):
        """How many words of text go into one step where nobody says.

        All gradients of a step are taken at its start, and those of one word are summed. Blocks limit the sum;
        elsewhere the commonest word decides how many words are too many.
        """
        if self._by_blocks:
            return BATCH[self.loss]
        most = PULL / self.lr / self._together**0.5 / self._gradients(draws).max()
        return int(max(16, min(BATCH[self.loss], most)))


class SkipGram(_Word2Vec):
    """Skip-gram: each word predicts the words around it, :eq:`skip-gram`; Mikolov et al. (2013).

    Parameters
    ----------
    dim : D, length of a vector.
    window : the furthest word that is still near. Each centre draws its own reach, 1 to `window`, so that near words
        count more.
    negative : K, words of noise for each pair, :eq:`negative-sampling`.
    loss : "negative", "hierarchical" (:eq:`hierarchical-softmax`), or "softmax", over the whole vocabulary
        (:eq:`skip-gram-softmax`), for small ones.
    power : of the noise distribution, :eq:`noise`.
    subsample : share of the text above which a word is thinned out, :eq:`subsampling`; 0 keeps all.
    min_count : rarer words are left out.
    epochs : how often to read the text.
    lr : learning rate of a pair; it falls to 0 in a straight line.
    batch : words of text in one step, the gradients of which are summed; None for as many as do no harm.
    seed : of the first vectors and all that is drawn. The same seed gives the same vectors, bit for bit, on the same
        machine (with "softmax", with the same number of threads; not on a GPU).
    backend : "torch", "triton", or "auto": Triton on CUDA, torch on the CPU, where negative sampling works on blocks of
        words that share their noise, see `seqlab.embeddings.blocks`.
    device : "cpu", "cuda", or None for CUDA where there is one.
    progress : True for a bar, False for silence, or a function `progress(done, total, text)`.

    Attributes
    ----------
    words, counts, vectors, output_vectors, history : see `fit`. `vectors` (V, D) are the input vectors, float32;
        `output_vectors` those of the words as context (of the tree's inner nodes with "hierarchical", (V - 1, D)).
    word_vectors : `WordVectors`.

    Raises
    ------
    ValueError
        when a setting is out of range.
    """

    def _blocks(self, cut, draws, random):
        outputs, weight, sign = self._outputs(cut.around, cut.near, draws, random)

        def step(a, b, lr):
            what = outputs[a:b], weight[a:b], sign[a:b], lr
            return skipgram_blocks_step(self._E, self._O, cut.centre[a:b], *what)

        return Piece(len(outputs), cut.near.sum(), step)

    @property
    def _together(self):
        """Input vectors that are moved by the same gradient."""
        return 1

    def _windows(self, centre, contexts, draws, random):
        E, O, way = self._E, self._O, self._way
        if self.loss == "negative":
            negatives = draws.words_beside(contexts, self.negative, random)

            def step(a, b, lr):
                return functional.sgns_step(E, O, centre[a:b], contexts[a:b], negatives[a:b], lr, way)
        elif self.loss == "hierarchical":

            def step(a, b, lr):
                return functional.skipgram_hierarchical_step(E, O, centre[a:b], contexts[a:b], *self._tree, lr, way)
        else:

            def step(a, b, lr):
                return skipgram_softmax_step(E, O, centre[a:b], contexts[a:b], lr)

        return Piece(len(centre), (contexts >= 0).sum(), step)

    def _gradients(self, draws):
        """How many gradients each word gets from one word of text."""
        pairs, K = self.window + 1, self.negative if self.loss == "negative" else 1
        return pairs * np.maximum(draws.share * (1 + K), draws.share + K * draws.noise)


class CBOW(_Word2Vec):
    """CBOW: the mean of the words around predicts the word between, :eq:`cbow`; Mikolov et al. (2013).

    The parameters are those of `SkipGram`, and `lr` means what it means to word2vec's program. That gives each of the n
    words of a mean the whole gradient of the mean; here each gets the n-th part, which is the true gradient. With a
    rate of lr n^(1/2) and first vectors n^(1/4) times shorter, the products of vectors move as they do there.

    Attributes
    ----------
    words, counts, vectors, output_vectors, history, word_vectors : as in `SkipGram`.

    Raises
    ------
    ValueError
        when a setting is out of range.
    """

    def _blocks(self, cut, draws, random):
        places = cut.near.sum(2, keepdim=True)
        mean = cut.near / places.clamp(min=1)
        own = torch.eye(cut.centre.shape[1]) * (places > 0)
        outputs, weight, sign = self._outputs(cut.centre, own, draws, random)

        def step(a, b, lr):
            what = outputs[a:b], weight[a:b], sign[a:b], lr
            return cbow_blocks_step(self._E, self._O, mean[a:b], cut.around[a:b], *what)

        return Piece(len(outputs), own.sum(), step)

    @property
    def _together(self):
        """Words of a mean: a window reaches 1 to `window` words to each side."""
        return self.window + 1

    def _windows(self, target, contexts, draws, random):
        E, O, way = self._E, self._O, self._way
        if self.loss == "negative":
            negatives = draws.words_beside(target[:, None], self.negative, random)

            def step(a, b, lr):
                return functional.cbow_step(E, O, contexts[a:b], target[a:b], negatives[a:b], lr, way)
        elif self.loss == "hierarchical":

            def step(a, b, lr):
                return functional.cbow_hierarchical_step(E, O, contexts[a:b], target[a:b], *self._tree, lr, way)
        else:

            def step(a, b, lr):
                return cbow_softmax_step(E, O, contexts[a:b], target[a:b], lr)

        return Piece(len(target), torch.tensor(len(target)), step)

    def _gradients(self, draws):
        K = self.negative if self.loss == "negative" else 1
        return np.maximum(draws.share * (1 + K), draws.share + K * draws.noise)


class GloVe(_Estimator):
    """GloVe: products of vectors that equal the logarithms of counts, :eq:`glove`; Pennington et al. (2014).

    Parameters
    ----------
    dim : D, length of a vector.
    window : how many words to each side are counted.
    weighting : "harmonic" counts a pair at distance d as 1 / d, "flat" as 1.
    x_max, alpha : of the weight of a count, :eq:`glove-weight`.
    min_count : rarer words are left out.
    epochs : how often to go through the counts, each time in another order.
    lr : learning rate of AdaGrad, :eq:`adagrad`.
    batch : cells of the count matrix in one step.
    seed, backend, device, progress : as in `SkipGram`.

    Attributes
    ----------
    words, counts, history : see `fit`.
    vectors : (V, D) sum of both vectors of each word, as the authors give them.
    output_vectors : (V, D) context vectors.
    biases : (b, c), each (V,).
    word_vectors : `WordVectors`.

    Raises
    ------
    ValueError
        when a setting is out of range.
    """

    SETTINGS = ("dim", "window", "weighting", "x_max", "alpha", "min_count", "epochs", "lr", "batch", "seed")

    def __init__(
        self,
        dim=100,
        window=10,
        *,
        weighting="harmonic",
        x_max=100,
        alpha=0.75,
        min_count=5,
        epochs=25,
        lr=0.05,
        batch=1024,
        seed=0,
        backend="auto",
        device=None,
        progress=True,
    ):
        _check_whole(dim=dim, window=window, min_count=min_count, epochs=epochs, batch=batch)
        _check_number(x_max=x_max, alpha=alpha, lr=lr)
        if weighting not in ("flat", "harmonic"):
            raise ValueError(f"weighting is {weighting!r}; it must be 'flat' or 'harmonic'")
        self.dim, self.window, self.weighting, self.x_max, self.alpha = dim, window, weighting, x_max, alpha
        self.seed = check_whole("seed", seed, 0)
        self.min_count, self.epochs, self.lr, self.batch = min_count, epochs, lr, batch
        self.backend, self.device, self.progress = backend, device, progress

    def _learn(self, corpus, checkpoint):
        device, V = _device(self.device), len(corpus.words)
        rows, columns, x = self._cells(corpus, device)
        random = generator("cpu", self.seed)
        shapes = {"word": (V, self.dim), "context": (V, self.dim), "word bias": (V,), "context bias": (V,)}
        tables = {n: ((torch.rand(s, generator=random) - 0.5) / self.dim).to(device) for n, s in shapes.items()}
        totals = {f"total of {name}": torch.ones_like(table) for name, table in tables.items()}
        settings = self._settings(corpus)
        n, every = len(x), PIECE // self.batch * self.batch or self.batch
        run = Run(tables | totals, settings, -(-n // every), self.epochs, n, "cells", checkpoint, self.progress)
        with run.started(), torch.no_grad():
            while run.epoch < self.epochs:
                order = torch.randperm(n, generator=generator("cpu", self.seed, 1 + run.epoch)).to(device)
                for first in range(run.piece * every, n, every):
                    loss = torch.zeros((), dtype=torch.float64, device=device)
                    for cells in order[first : first + every].split(self.batch):
                        what = rows[cells], columns[cells], x[cells], self.lr, self.x_max, self.alpha, self.backend
                        loss += functional.glove_step(*tables.values(), tuple(totals.values()), *what)
                    done = min(every, n - first)
                    run.after_piece(loss, float(done), done)
                run.close_epoch()
        W, U, b, c = (table.cpu().numpy() for table in tables.values())
        self.vectors, self.output_vectors, self.biases = W + U, U, (b, c)
        self.history = run.history

    def _cells(self, corpus, device):
        """The cells of the count matrix that are not 0."""
        walls = np.flatnonzero(np.diff(corpus.sentence)) + 1
        ids = np.insert(corpus.ids.astype(np.int64), walls, -1)
        X = count_pairs(ids, len(corpus.words), self.window, self.weighting).tocoo()
        return (
            torch.from_numpy(part).to(device)
            for part in (X.row.astype(np.int64), X.col.astype(np.int64), X.data.astype(np.float32))
        )


def _device(device):
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _check_whole(**numbers):
    for name, value in numbers.items():
        check_whole(name, value)


def _check_number(**numbers):
    for name, value in numbers.items():
        if not isinstance(value, Real) or not 0 < value < math.inf:
            raise ValueError(f"{name} is {value!r}; it must be a number above 0")
