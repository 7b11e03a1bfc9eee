"""gensim's skip-gram with negative sampling on the CPU, the word2vec that most people run.

It draws its windows and its negatives itself, so it cannot be given ours. What is checked is a short text in which both
are certain: windows of full reach, and one word that is all the noise there is. What is timed is a text with as many
words as the benchmark has windows, drawn from the same frequencies.
"""

import numpy as np
import torch

from seqlab.embeddings import reference

WORDS, VOCABULARY = 40, 60  # of the text that is checked
STEP, STILL = 1e-4, 1e-7  # learning rates of the step that is checked and of those that are timed
ERROR = 3e-2  # relative; it looks its sigmoids up in a table of a thousand
SENTENCE = 1000  # words


def way(W, C, K, D, p):
    """A way that imports gensim; as `needing` wants it.

    Parameters
    ----------
    W : words of the text that is timed.
    C, K, D : twice the reach of a window, negatives, numbers of a vector.
    p : (V,) probabilities of the words, the most frequent first.
    """
    short = _model(VOCABULARY, C, K, D, shrink_windows=False)
    E, O, words = _problem(D)
    short.wv.vectors[:], short.syn1neg[:] = E, O
    short.cum_table[:] = 2**31 - 1  # whatever is drawn, it is word 0
    first, timed = [True], []

    def run():
        if first:
            first.clear()
            _train(short, [[str(word) for word in words]], STEP)
            return {name: torch.tensor(new.astype(float) - old) for name, new, old in _tables(short, E, O)}
        if not timed:
            timed.extend((_model(len(p), C, K, D, counts=p.cpu().numpy()), _text(W, p)))
        _train(*timed, STILL)
        return {}

    return run


def truth(C, K, D):
    """What the step that is checked adds to each table, in float64."""
    E, O, words = _problem(D)
    reach, n = C // 2, len(words)
    pairs = [(words[j], words[i]) for i in range(n) for j in range(max(0, i - reach), min(n, i + reach + 1)) if i != j]
    centre, near = np.array(pairs).T
    noise = np.zeros((len(pairs), K), dtype=int)
    _, gradients = reference.skipgram_negative_loss(E.astype(float), O.astype(float), centre, near, noise)
    return {name: -STEP * gradient for name, gradient in gradients.items()}


def _problem(D):
    """Two tables, and a text in which no word comes twice and word 0 not at all."""
    rng = np.random.default_rng(0)
    E, O = ((rng.normal(size=(VOCABULARY, D)) / D**0.25).astype(np.float32) for _ in "EO")
    return E, O, rng.permutation(np.arange(1, VOCABULARY))[:WORDS]


def _tables(model, E, O):
    return ("E", model.wv.vectors, E), ("O", model.syn1neg, O)


def _model(V, C, K, D, counts=None, shrink_windows=True):
    from gensim.models import Word2Vec

    threads = torch.get_num_threads()
    sizes = {"vector_size": D, "window": C // 2, "negative": K}
    model = Word2Vec(**sizes, sg=1, hs=0, sample=0, min_count=1, workers=threads, shrink_windows=shrink_windows)
    counts = np.arange(V, 0, -1) if counts is None else np.maximum(1, (1e9 * counts).astype(int))
    model.build_vocab_from_freq({str(word): int(count) for word, count in enumerate(counts)})
    return model


def _text(W, p):
    draws = torch.multinomial(p.cpu(), W, replacement=True, generator=torch.Generator().manual_seed(1)).tolist()
    return [[str(word) for word in draws[start : start + SENTENCE]] for start in range(0, W, SENTENCE)]


def _train(model, sentences, rate):
    model.train(sentences, total_examples=len(sentences), epochs=1, start_alpha=rate, end_alpha=rate)
