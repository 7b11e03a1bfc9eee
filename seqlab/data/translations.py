"""Real translations, for measuring. They are not shipped."""

from seqlab.data.corpora import fetch


def tatoeba(download=True):
    """Short English sentences with a French translation each; many an English sentence has several.

    The first 5,000 pairs of a selection from Tatoeba (tatoeba.org), ordered by length, each with its authors in the
    file. Licence: CC BY 2.0 FR. Source: github.com/NJUxlj/seq2seq-attention-translation.

    Parameters
    ----------
    download : False leaves the network alone.

    Returns
    -------
    pairs : list of (English, French), as they were written.

    Raises
    ------
    FileNotFoundError, ValueError
        as `fetch` does.
    """
    lines = (
        fetch("tatoeba_fra_eng/eng-fra-5000-with-attribution.txt", download).read_text(encoding="utf-8").splitlines()
    )
    rows = [line.split("\t") for line in lines]
    return [(english, french) for english, french, _ in rows]
