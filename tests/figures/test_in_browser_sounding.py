"""The figure of a sound in Chromium: its spectrogram is the reference's, and the reader plays, listens and looks."""

import numpy as np
import pytest

import seqlab.figures as figures
from seqlab.audio import reference
from seqlab.figures import sounding
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import button, call, numbers, press, slider
from tests.figures.test_sounding import heard, tones

pytestmark = pytest.mark.site

LOW, HIGH = (500, 0.1, 0.5), (2000, 0.6, 0.9)


def player(**settings):
    words = [("low", *LOW[1:]), ("high", *HIGH[1:])]
    return figures.SpectrogramPlayer(tones(LOW, HIGH), 8000, "two tones", words, **settings)


def picture(page):
    return page.locator("svg image").get_attribute("href")


@pytest.mark.parametrize("ms", sounding.WINDOWS)
def test_the_spectrogram_computed_on_the_page_is_the_reference_s(shown, ms):
    rng = np.random.default_rng(0)
    figure = figures.SpectrogramPlayer(rng.uniform(-1, 1, 1500), 8000)
    x, rate = heard(figure)
    with shown(figure) as page:
        assert call(page, figure, "decode", figure.state["sound"]) == {"rate": rate, "samples": x.tolist()}
        size, hop, n_fft = sounding.setting(ms, len(x), rate)
        got = call(page, figure, "setting", ms, len(x), rate)
        assert (got["size"], got["hop"], got["n_fft"]) == (size, hop, n_fft)
        want = reference.spectrogram(x, size, hop, n_fft=n_fft, pad="center")
        np.testing.assert_allclose(call(page, figure, "spectrogram", x.tolist(), size, hop, n_fft), want, atol=1e-9)
        filters = call(page, figure, "melFilters", sounding.BANDS, n_fft, rate, sounding.LOW, rate / 2)
        np.testing.assert_allclose(filters, reference.mel_filters(sounding.BANDS, n_fft, rate, sounding.LOW), atol=1e-9)
        assert page.problems == []


def test_the_cursor_tells_what_is_loudest(shown):
    figure = player()
    x, rate = heard(figure)
    with shown(figure, width=PHONE) as page:
        says, clock = page.locator(".says"), slider(page, "time")
        size, hop, n_fft = sounding.setting(32, len(x), rate)
        level = sounding.decibels(x, size, hop, n_fft)
        press(clock, *["PageUp"] * 3)
        s = float(clock.input_value())
        row = level[round(s * rate / hop)]
        assert LOW[1] < s < LOW[2]
        assert f"At {s:.2f} s, in “low”: 500 Hz is loudest" in says.inner_text().replace("\u00a0", " ")
        np.testing.assert_allclose(numbers(page, ".says"), [s, 500, row.max(), max(row[64], -sounding.DEEP)], atol=1e-4)
        press(slider(page, "frequency"), "Home", *["ArrowRight"] * 10)  # to 500 Hz
        assert numbers(page, ".says")[-1] == pytest.approx(row[32], abs=1e-6)
        press(clock, "End", *["PageDown"] * 2)
        assert "in “high”: 2000 Hz is loudest" in says.inner_text().replace("\u00a0", " ")
        press(clock, "Home")
        assert "nothing is louder than" in says.inner_text()
        assert overflow(page) == 0
        assert axe(page) == []
        assert page.problems == []


def test_the_window_and_the_scale_draw_another_picture(shown):
    with shown(player(), width=PHONE, dark=True) as page:
        press(slider(page, "time"), *["PageUp"] * 3)
        pictures = {picture(page)}
        arch = page.locator("svg path[stroke='var(--orange)']").first
        wide = []
        for _ in sounding.WINDOWS:
            press(slider(page, "window"), "ArrowLeft")
        for ms in sounding.WINDOWS:
            said = page.locator("p.quiet").inner_text().replace("\u00a0", " ")
            assert (
                f"weighs {8 * ms} samples: {ms} ms. Tones closer than about {int(2000 / ms + 0.5)} Hz run together"
                in said
            )
            pictures.add(picture(page))
            wide.append(arch.evaluate("e => e.getBBox().width"))
            press(slider(page, "window"), "ArrowRight")
        assert len(pictures) == len(sounding.WINDOWS)
        np.testing.assert_allclose(np.array(wide) / wide[0], np.array(sounding.WINDOWS) / 4, rtol=0.05)
        press(page.get_by_role("checkbox", name="mel scale"), "Space")
        assert picture(page) not in pictures
        middle = reference.mel_to_hz(np.linspace(*reference.hz_to_mel(np.array([20.0, 4000.0])), 42))[1:-1]
        band = np.abs(middle - 500).argmin()
        assert f"band {band + 1} of 40, around {middle[band]:.0f}" in page.locator(".says").inner_text()
        assert overflow(page) == 0
        assert axe(page) == []
        assert page.problems == []


def test_a_click_moves_the_cursor_in_time_and_in_frequency(shown):
    for mel in (False, True):
        with shown(player(mel=mel)) as page:
            box = page.locator("svg image").locator("xpath=ancestor::*[name()='svg'][1]").bounding_box()
            unit = box["width"] / 360
            page.mouse.click(box["x"] + unit * (31 + 0.75 * 269), box["y"] + unit * (230 - 0.5 * 160))
            mels = reference.hz_to_mel(np.array([20.0, 4000.0]))
            want = reference.mel_to_hz(mels.mean()) if mel else 2000
            assert float(slider(page, "time").input_value()) == pytest.approx(0.75, abs=0.006)
            assert float(slider(page, "frequency").input_value()) == pytest.approx(want, abs=50)
            assert "in “high”" in page.locator(".says").inner_text()
            assert page.problems == []


@pytest.mark.parametrize("sound", ["plays", "is refused", "never begins", "does not exist"])
def test_the_cursor_runs_with_and_without_sound(shown, sound):
    broken = {
        "plays": "",
        "is refused": "HTMLMediaElement.prototype.play = () => Promise.reject(new Error('no device'))",
        "never begins": "HTMLMediaElement.prototype.play = () => new Promise(() => {})",
        "does not exist": "delete window.Audio",
    }
    with shown(player()) as page:
        page.evaluate(f"() => {{ {broken[sound]} }}")
        clock = slider(page, "time")
        press(button(page, "Play"), "Enter")
        assert button(page, "Pause").is_visible()
        page.wait_for_function("document.querySelector('input[type=range]').value > 0.1", timeout=5000)
        press(button(page, "Pause"), "Enter")
        at = float(clock.input_value())
        page.wait_for_timeout(150)
        assert float(clock.input_value()) == at
        if sound != "plays":  # whether this machine has a device is its own affair
            assert "in silence" in page.locator("p.quiet").inner_text()
        press(button(page, "Play"), "Enter")  # goes on, and stops by itself
        page.wait_for_function("document.querySelector('.seqlab-live button').innerText === 'Play'", timeout=8000)
        assert float(clock.input_value()) == pytest.approx(1, abs=0.01)
        press(button(page, "Play"), "Enter")  # from the beginning again
        assert float(clock.input_value()) < 0.9
        assert page.problems == []


def test_every_control_changes_something(shown):
    from tests.site.test_reading import idle

    with shown(player(), figures.SpectrogramPlayer()) as page:
        for figure in page.query_selector_all(".seqlab-figure"):
            seen, still = idle(page, figure)
            assert len(seen) >= 5
            assert not still
        assert page.problems == []
