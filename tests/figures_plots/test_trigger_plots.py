"""The still pictures of trigger words say in words what they show, and draw every word, curve and threshold."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seqlab.audio.reference import Event
from seqlab.figures import trigger_plots as plots


def texts(picture):
    return [element.text for element in ET.fromstring(picture.svg).iter() if element.tag == "text"]


def test_a_recording_names_its_words_and_its_detections():
    events = [Event(800, 1599, True), Event(2400, 3199, False)]
    y = np.zeros(12)
    y[5:8] = 1
    picture = plots.recording(np.zeros(3840), events, {"label": y}, threshold=0.5, detections=[5])
    assert texts(picture).count("trigger") == texts(picture).count("other") == 1
    assert "the trigger word ends at 0.2 s; another word ends at 0.4 s; detected at 0.2 s" in picture.alt
    assert "label" in texts(picture)


def test_the_curve_tells_the_chosen_point():
    curves = {"small": ([0.5, 0.75], [1.0, 0.5]), "large": ([0.9, 1.0], [1.0, 0.9])}
    picture = plots.precision_recall(curves, {"small": 1})
    assert "small is used at recall 0.50 and precision 0.75" in picture.alt
    assert {"small", "large"} <= set(texts(picture))


def test_alarms_tell_both_ends_of_the_bargain():
    picture = plots.alarms([0.1, 0.9], [1.0, 0.8], [50.0, 2.0], chosen=0.9)
    assert "from 0.1 to 0.9, missed words go from 0 % to 20 % and the false alarms from 50 to 2 an hour" in picture.alt


def test_the_share_by_a_deadline_counts_what_was_never_reported():
    picture = plots.by_deadline({"strict": [0.1, 0.3]}, 4, [0.0, 0.2, 0.4])
    assert "strict: 50% by 400 ms" in picture.alt


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.recording(np.zeros((2, 3)), [], {}), "samples has shape"),
        (lambda: plots.recording(np.zeros(640), [], {"p": np.zeros((2, 2))}), "curves"),
        (lambda: plots.precision_recall({"a": ([1.0], [0.5, 0.2])}), "recall of 'a'"),
        (lambda: plots.alarms([0.1, 0.9], [1.0], [1.0, 2.0]), "recall has shape"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
    plt.close("all")
