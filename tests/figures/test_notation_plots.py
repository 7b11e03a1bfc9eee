import matplotlib.pyplot as plt
import numpy as np

from seqlab.figures.notation_plots import padded_labels, shifted


def test_every_real_step_has_its_label_and_padding_has_none():
    labels = np.array([[1, 0, 0], [0, 1, 1]])
    real = np.array([[True, True, False], [True, True, True]])
    fig = padded_labels(labels, real)
    written = {text.get_position(): text.get_text() for text in fig.axes[0].texts}
    assert written == {(0, 0): "1", (1, 0): "0", (0, 1): "0", (1, 1): "1", (2, 1): "1"}
    colours = fig.axes[0].images[0].get_array()
    assert colours[0, 2, 3] == 0
    assert (colours[..., 3] > 0).sum() == real.sum()
    plt.close(fig)


def test_curves_are_drawn_in_percent_with_the_baseline():
    fig = shifted([0, 1], {"Flat": [1.0, 0.5], "Shared": [1.0, 1.0]}, baseline=0.7)
    lines = {line.get_label(): line.get_ydata() for line in fig.axes[0].lines}
    assert np.allclose(lines["Flat"], [100, 50])
    assert np.allclose(lines['always "no name"'], 70)
    plt.close(fig)
