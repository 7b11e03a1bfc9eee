"""How far a hypothesis is from its reference: the edit distance and the label error rate. No torch."""


def edit_distance(a, b):
    """Count the insertions, deletions and substitutions that turn one sequence into another; Levenshtein (1966).

    Parameters
    ----------
    a, b : sequences of symbols that can be compared: lists of labels, strings (letters), lists of words.

    Returns
    -------
    distance : the smallest number of edits, from 0 to the length of the longer sequence.
    """
    return _distances(list(a), list(b))[-1][-1]


def edits(hypothesis, reference):
    """Say what is wrong with a hypothesis, in as few errors as there can be.

    Parameters
    ----------
    hypothesis, reference : sequences of symbols that can be compared.

    Returns
    -------
    edits : list of (kind, symbol of the hypothesis, symbol of the reference) from left to right. The kind is "same",
        "substitution", "insertion" (a symbol too many, that of the reference is None) or "deletion" (a symbol is
        missing, that of the hypothesis is None). Of equally short lists it is one that prefers substitutions.
    """
    a, b = list(hypothesis), list(reference)
    table = _distances(a, b)
    found, i, j = [], len(a), len(b)
    while i or j:
        if i and j and table[i][j] == table[i - 1][j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            found.append(("same" if a[i] == b[j] else "substitution", a[i], b[j]))
        elif i and table[i][j] == table[i - 1][j] + 1:
            i -= 1
            found.append(("insertion", a[i], None))
        else:
            j -= 1
            found.append(("deletion", None, b[j]))
    return found[::-1]


def label_error_rate(hypotheses, references):
    """Share of the references' labels that the hypotheses get wrong, :eq:`label-error-rate`.

    Given letters it is the letter error rate, given lists of words the word error rate.

    Parameters
    ----------
    hypotheses, references : as many sequences of symbols, one pair for each example.

    Returns
    -------
    rate : the sum of the edit distances over the sum of the references' lengths. It can be above 1, for a hypothesis
        may be longer than its reference.

    Raises
    ------
    ValueError
        when there are not as many hypotheses as references, or the references hold no label.
    """
    hypotheses, references = list(hypotheses), list(references)
    if len(hypotheses) != len(references):
        raise ValueError(
            f"there are {len(hypotheses)} hypotheses for {len(references)} references; give one for each reference"
        )
    labels = sum(len(reference) for reference in references)
    if not labels:
        raise ValueError("references hold no label, so there is no rate; give one that is not empty")
    return sum(edit_distance(*pair) for pair in zip(hypotheses, references, strict=True)) / labels


def _distances(a, b):
    """(len(a) + 1) rows of (len(b) + 1): the distance between every beginning of a and every beginning of b."""
    table = [list(range(len(b) + 1))]
    for i, x in enumerate(a, start=1):
        row, above = [i], table[-1]
        for j, y in enumerate(b, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
        table.append(row)
    return table
