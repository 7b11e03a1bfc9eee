"""The roof of a device, in Chromium: every number is that of the package's costs, and no point hides a label."""

import json
from dataclasses import replace

import pytest

import seqlab.figures as figures
from seqlab.figures.roofline import book_kernels
from seqlab.kernels import H200, Cost
from tests.browser import PHONE, axe, overflow
from tests.figures.driving import numbers, press, slider

pytestmark = pytest.mark.site

MINE = {"bandwidth": 2e10, "flops": 1.5e11, "name": "this computer"}
EACH = """async ([code, name, calls]) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" })), module = await import(url);
    return calls.map((values) => module[name](...values));
}"""
# Every kernel at every size: is the middle of its mark nearer to a label than the mark is wide, however it is turned?
COVERED = """([points, words]) => {
    const kernels = document.querySelector("select"), found = [], send = (node, name) => node.dispatchEvent(new Event(name));
    for (const kernel of [...kernels.options].map((option) => option.value)) {
        kernels.value = kernel;
        send(kernels, "change");
        const slide = document.querySelector("input[type=range]");
        for (let n = 0; n <= +(slide?.max ?? 0); n++) {
            if (slide) { slide.value = n; send(slide, "input"); }
            const box = document.querySelector(`${points}[aria-selected=true]`).lastChild.getBoundingClientRect();
            const middle = new DOMPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
            for (const word of document.querySelectorAll(words)) {
                const { x, y } = middle.matrixTransform(word.getScreenCTM().inverse()), text = word.getBBox(), r = 4.5;
                const inside = x > text.x - r && x < text.x + text.width + r && y > text.y - r && y < text.y + text.height + r;
                if (inside) found.push(`${kernels.selectedOptions[0].text}, ${n}: ${word.textContent}`);
            }
        }
    }
    return found;
}"""  # noqa: E501


def choose(page, title):
    page.get_by_role("combobox", name="Kernel").select_option(label=title)


def test_the_page_computes_the_floors_of_the_package(shown):
    figure = figures.Roofline()
    costs = [kernel.at(value) for kernel in book_kernels() for value in kernel.values]
    rows = [
        [row, entry["dtype"], figure.state["device"]] for entry in figure.state["kernels"] for row in entry["costs"]
    ]
    with shown(figure) as page:
        floors, bounds, places = (
            page.evaluate(EACH, [figure.code(), name, rows]) for name in ("floor", "bound", "place")
        )
        assert floors == pytest.approx([cost.floor(H200) for cost in costs])
        assert bounds == [cost.bound(H200) for cost in costs]
        for cost, bound, (x, y) in zip(costs, bounds, places, strict=True):
            assert x == pytest.approx(cost.intensity)
            reach = H200.reach(x, cost.dtype)
            assert y < reach if bound == "steps" else y == pytest.approx(reach)
        assert page.problems == []


def test_the_reader_chooses_a_kernel_and_its_size(shown):
    figure = figures.Roofline(chosen="Softmax")
    with shown(figure, width=PHONE, dark=True) as page:
        says, point = page.locator(".says"), page.locator('.point[aria-selected="true"]')
        assert "Memory binds it: 2.1\xa0GB" in says.inner_text()
        assert point.get_attribute("aria-label") == "Softmax"
        choose(page, "LSTM layer, with gradients")
        cost = next(kernel for kernel in book_kernels() if kernel.name == "lstm").at(64)
        want = [cost.bytes, cost.parts()["memory"], cost.flops, cost.parts()["arithmetic"], cost.steps]
        want += [cost.parts()["steps"], cost.intensity, cost.floor()]
        assert numbers(page, ".pays") == pytest.approx(want)
        assert "Dependent steps bind it: 1,024 of them" in says.inner_text()
        assert "So it stands below the roof" in says.inner_text()
        assert page.locator(".gap").get_attribute("d")
        assert "assumptions, no measurements" in page.locator(".seqlab-live > p.quiet").inner_text()
        before = point.get_attribute("transform")
        press(slider(page, "size B"), "End")
        assert "Arithmetic binds it" in says.inner_text()
        assert point.get_attribute("transform") != before
        assert not page.locator(".gap").get_attribute("d")
        press(slider(page, "size B"), "Home")
        assert "Dependent steps bind it" in says.inner_text()
        assert overflow(page) == 0
        assert axe(page) == []
        assert page.problems == []


def test_points_are_chosen_by_click_and_by_arrow_keys(shown):
    figure = figures.Roofline()
    with shown(figure) as page:
        titles = [entry["title"] for entry in figure.state["kernels"]]
        points, chosen = page.get_by_role("option"), page.get_by_role("combobox", name="Kernel")
        page.locator(".point").nth(titles.index("CTC: loss and gradient")).click()
        assert "CTC: loss and gradient" in page.locator(".says").inner_text()
        focused = page.locator(".point:focus")
        press(focused, "ArrowRight")
        assert chosen.input_value() == str(titles.index("CTC: loss and gradient") + 1)
        press(page.locator(".point:focus"), "Home")
        assert chosen.input_value() == "0"
        assert page.locator('.point[tabindex="0"]').count() == 1
        assert points.count() == 2 * len(titles)  # the list's options, too
        assert page.problems == []


def test_no_point_stands_on_a_label_on_a_phone(shown):
    with shown(figures.Roofline(), width=PHONE) as page:
        assert page.evaluate(COVERED, [".point[role=option]", ".roofline g[aria-hidden] > text"]) == []


def test_ones_own_computer_and_a_measured_time_have_their_marks(shown, tmp_path):
    cost = {"bytes": 2**31, "flops": 5 * 2**29, "steps": 0, "dtype": "float32", "step": "in-cta"}
    row = {"shape": {"B": 16384, "V": 32768, "dtype": "bfloat16"}, "pass": "forward", "way": "seqlab Triton"}
    row |= {"right": True, "seconds": 8e-4, "cost": cost}
    made = {"benchmark": "softmax", "date": "2026-01-01", "device": {"name": "NVIDIA H200"}, "rows": [row]}
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / "a.json").write_text(json.dumps(made))
    with shown(figures.Roofline(machine=MINE, chosen="Softmax", folder=tmp_path / "measured")) as page:
        said = page.locator(".says").inner_text()
        assert "Measured: 800\xa0µs, 1.6 times its floor (the cross)" in said
        assert page.locator(".timed path").count() == 1
        assert numbers(page, ".says")[-1] == pytest.approx(2**31 / MINE["bandwidth"])
        assert f"{H200.bandwidth / MINE['bandwidth']:.0f} times as long" in said
        assert page.locator(".timed.own circle").count() == 1
        assert page.locator(".roof.own").count() == 1
        press(slider(page, "size V"), "Home")
        assert "Measured" not in page.locator(".says").inner_text()
        assert page.locator(".timed path").count() == 0
        assert page.problems == []


def test_what_computes_nothing_is_told_and_not_drawn(shown):
    device = replace(H200, name="a desk")
    with shown(figures.Roofline(device, kernels={"look up": Cost(1e9, 0), "a product": Cost(1e6, 1e12)})) as page:
        assert "assumptions" not in page.locator(".seqlab-live").inner_text()
        assert "no place on these axes" in page.locator(".says").inner_text()
        assert page.locator(".point").first.get_attribute("visibility") == "hidden"
        assert page.get_by_role("slider").count() == 0
        choose(page, "a product")
        assert "Arithmetic binds it" in page.locator(".says").inner_text()
        assert page.problems == []


def test_numbers_are_short(shown):
    figure = figures.Roofline(kernels={"a": Cost(1, 1)})
    brief = {
        0: "0",
        540: "540",
        1000: "1.0\xa0k",
        4.3e12: "4.3\xa0T",
        999.7e9: "1.0\xa0T",
        0.5: "0.50",
        7.9e14: "790\xa0T",
    }
    lasting = {5.1e-4: "510\xa0µs", 2.5: "2.50\xa0s", 1e-12: "0.001\xa0ns", 0.0999: "99.9\xa0ms"}
    with shown(figure) as page:
        for name, wanted in (("brief", brief), ("lasting", lasting)):
            assert page.evaluate(EACH, [figure.code(), name, [[x] for x in wanted]]) == list(wanted.values())
