"""Our word2vec beside gensim's: the same text, settings and budget. `python -m tests.embeddings.against_gensim --help`.

A row is one of our runs and one of gensim's right after it, so that a busy machine slows both. gensim's time is that of
its `train` alone, ours that of all epochs; both leave out the counting of words before.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from seqlab import data
from seqlab.embeddings import CBOW, SkipGram, WordVectors, evaluate_analogies, evaluate_similarity

ESTIMATORS = {"skipgram": SkipGram, "cbow": CBOW}


def gensim_vectors(sentences, settings, skipgram, workers):
    """gensim's vectors by the settings of ours, and the seconds that its training took."""
    from gensim.models import Word2Vec

    hierarchical = settings.get("loss") == "hierarchical"
    model = Word2Vec(
        vector_size=settings["dim"],
        window=settings["window"],
        negative=0 if hierarchical else settings["negative"],
        hs=int(hierarchical),
        sg=int(skipgram),
        sample=settings["subsample"],
        min_count=settings["min_count"],
        alpha=settings["lr"],
        seed=settings["seed"] + 1,  # gensim warns of a seed 0
        workers=workers,
    )
    model.build_vocab(sentences)
    start = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), epochs=settings["epochs"])
    return WordVectors(model.wv.index_to_key, model.wv.vectors), time.perf_counter() - start


def our_vectors(sentences, settings, skipgram):
    """Ours, and the seconds of its epochs."""
    model = (SkipGram if skipgram else CBOW)(**settings, progress=False).fit(sentences)
    return model.word_vectors, sum(model.history["seconds"])


def kingdom_text(seed):
    """3,000 sentences of the grammar."""
    return data.kingdom(3000, seed)


def ptb_text(seed):
    """The sentences of the Penn Treebank's training part, whatever the seed."""
    sentences = [[]]
    for word in data.ptb("train", download=False):
        if word == "<eos>":
            sentences.append([])
        else:
            sentences[-1].append(word)
    return [sentence for sentence in sentences if sentence]


def kingdom_scores(vectors):
    """{"analogies": the share of the grammar's analogies that are solved}."""
    return {"analogies": evaluate_analogies(vectors, data.kingdom_analogies()).accuracy}


def ptb_scores(vectors):
    """The share of Google's analogies with known words, and Spearman's correlation with WordSim-353."""
    analogies = evaluate_analogies(vectors, data.google_analogies(download=False)).accuracy
    return {
        "analogies": analogies,
        "similarity": evaluate_similarity(vectors, data.wordsim353(download=False)).spearman,
    }


TEXTS = {"kingdom": (kingdom_text, kingdom_scores), "ptb": (ptb_text, ptb_scores)}


def compare(text, settings, skipgram, seeds, workers=1):
    """Rows of both ways: dict with "ours" and "gensim", each a list of dicts with scores and words a second."""
    sentences_of, scores_of = TEXTS[text]
    rows = {"ours": [], "gensim": []}
    for seed in seeds:
        sentences = sentences_of(seed)
        words = sum(map(len, sentences)) * settings["epochs"]
        for name, (vectors, seconds) in (
            ("ours", our_vectors(sentences, settings | {"seed": seed}, skipgram)),
            ("gensim", gensim_vectors(sentences, settings | {"seed": seed}, skipgram, workers)),
        ):
            rows[name].append(scores_of(vectors) | {"words_per_second": words / seconds})
    return rows


def main():
    """Compare, print a table, and write the rows where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", choices=TEXTS, default="kingdom")
    parser.add_argument("--estimator", choices=ESTIMATORS, default="skipgram")
    parser.add_argument("--loss", choices=("negative", "hierarchical"), default="negative")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.025)
    parser.add_argument("--subsample", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    names = ("dim", "window", "epochs", "lr", "subsample", "loss")
    settings = {name: getattr(given, name) for name in names} | {"negative": 5, "min_count": 5}
    rows = compare(given.text, settings, given.estimator == "skipgram", range(given.seeds), given.threads)
    print(given.text, given.estimator, settings, f"{given.threads} threads, {given.seeds} seeds")
    for score in rows["ours"][0]:
        ours, theirs = (np.array([row[score] for row in rows[way]]) for way in ("ours", "gensim"))
        form = "{:,.0f} ({:,.0f})" if score == "words_per_second" else "{:.3f} ({:.3f})"
        said = [form.format(way.mean(), way.std(ddof=1) if len(way) > 1 else 0) for way in (ours, theirs)]
        print(f"{score}: ours {said[0]}, gensim {said[1]}, median ratio {np.median(ours / theirs):.2f}")
    if given.out:
        given.out.write_text(json.dumps({"settings": settings | vars(given) | {"out": None}, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
