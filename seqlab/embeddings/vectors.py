"""Words with their vectors: look up, compare, find neighbours, solve analogies, save and load."""

import difflib

import numpy as np

from seqlab.embeddings import io, reference


class WordVectors:
    """A list of words and a vector for each.

    Parameters
    ----------
    words : V strings, no two alike, the frequent ones first where that is known.
    vectors : (V, D) finite numbers; float32 and float64 stay what they are.

    Attributes
    ----------
    words : list from id to word.
    vectors : (V, D), not to be written to.
    index : dict from word to id.

    Raises
    ------
    ValueError
        when a word comes twice or is no string, or the vectors have another shape or are not finite. Later, when a word
        is asked for that is not there: the sentence names words of like spelling.
    """

    def __init__(self, words, vectors):
        self.words = io.check_words(words)
        self.vectors = io.check_vectors(vectors, len(self.words)).view()
        self.vectors.flags.writeable = False
        self.index = {word: i for i, word in enumerate(self.words)}

    def __len__(self):
        return len(self.words)

    def __iter__(self):
        return iter(self.words)

    def __contains__(self, word):
        return word in self.index

    def __getitem__(self, word):
        """Give the (D,) vector of one word, or the (n, D) vectors of a list of n words."""
        if isinstance(word, str):
            return self.vectors[self._id(word)]
        return self.vectors[[self._id(one) for one in word]]

    def __repr__(self):
        some = " ".join(self.words[:8]) + (" ..." if len(self) > 8 else "")
        return f"WordVectors of {len(self)} words, {self.vectors.shape[1]} dimensions: {some}"

    def similarity(self, a, b):
        """Give the cosine of two words, :eq:`cosine`: 1 the same way, 0 at a right angle or unknown, -1 opposite."""
        return float(reference.cosine_similarity(self[a], self[b]))

    def nearest(self, query, k=10):
        """The k words nearest to a word or a vector.

        Parameters
        ----------
        query : a word, which is not among its own neighbours; or a (D,) vector.
        k : how many words.

        Returns
        -------
        neighbours : list of (word, cosine), the nearest first.

        Raises
        ------
        ValueError
            when the word is unknown, the vector has another shape, or k is below 1.
        """
        if isinstance(query, str):
            return self._named(*reference.nearest(self.vectors, self[query], k, exclude=[self._id(query)]))
        return self._named(*reference.nearest(self.vectors, np.asarray(query, self.vectors.dtype), k))

    def analogy(self, a, b, c, exclude=True, method="add", k=1):
        """Answer "a is to b as c is to ?", :eq:`analogy` and :eq:`analogy-multiply`.

        Parameters
        ----------
        a, b, c : words: "man", "king", "woman" asks for "queen".
        exclude, method : as in `seqlab.embeddings.reference.analogy`.
        k : how many answers.

        Returns
        -------
        answers : list of (word, score), the best first.

        Raises
        ------
        ValueError
            when a word or the method is unknown, or k is below 1.
        """
        ids = [self._id(word) for word in (a, b, c)]
        return self._named(*reference.analogy(self.vectors, *ids, exclude=exclude, method=method, k=k))

    def unit(self):
        """Give `WordVectors` of the same words whose vectors have length 1; a vector of zeros stays."""
        return WordVectors(self.words, reference.unit(self.vectors))

    def subset(self, words):
        """Give `WordVectors` of these words alone, in this order; raise ValueError where one is unknown."""
        words = list(words)
        return WordVectors(words, self[words])

    def save(self, path, format="word2vec"):
        """Write a text file of word2vec's or GloVe's format; see `seqlab.embeddings.save_vectors`."""
        io.save_vectors(path, self.words, self.vectors, format)

    @classmethod
    def load(cls, path, format="auto", limit=None):
        """Read a text file of word2vec's or GloVe's format; see `seqlab.embeddings.load_vectors`."""
        return cls(*io.load_vectors(path, format, limit))

    def _id(self, word):
        if word not in self.index:
            raise ValueError(f"{word!r} is not among the {len(self)} words{self._near_spellings(word)}")
        return self.index[word]

    def _near_spellings(self, word):
        wanted = str(word).casefold()
        folded = {other.casefold(): other for other in self.words if abs(len(other) - len(wanted)) <= 2}
        near = [folded[other] for other in difflib.get_close_matches(wanted, folded, n=3)]
        return "; near in spelling: " + ", ".join(near) if near else ""

    def _named(self, ids, scores):
        return [(self.words[i], float(score)) for i, score in zip(ids, scores, strict=True)]
