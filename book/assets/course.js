// What the theme leaves to do: a box that scrolls must be reachable by keyboard, and folded answers must open for print.
const boxes = "mjx-container, pre, .cell_output .output, .pst-scrollable-table-container";

function reachable() {
  for (const formula of document.querySelectorAll("mjx-container:not([display='true'])")) {
    const room = formula.parentElement.closest("p, li, td, dd, div").clientWidth;
    formula.classList.toggle("wide", room > 0 && formula.firstElementChild.offsetWidth > room);
  }
  for (const box of document.querySelectorAll(boxes)) {
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

window.addEventListener("load", () => {
  const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
  const changed = new ResizeObserver(() => requestAnimationFrame(reachable)); // fonts arrive, folds open, phones turn
  typeset.then(() => {
    for (const box of document.querySelectorAll(boxes)) {
      changed.observe(box);
      if (box.firstElementChild) changed.observe(box.firstElementChild);
    }
    reachable();
  });
});
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(fold => { fold.open = true; }));
