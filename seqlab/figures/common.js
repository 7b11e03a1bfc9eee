// Helpers that every figure may use: elements, controls, numbers. The base class puts this file before each module.

const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null));
  return node;
};

// JupyterLab takes "a" or an arrow for a command of its own unless the element in focus says no
const keepsKeys = (node) => { node.dataset.lmSuppressShortcuts = "true"; return node; };

// html("p", { class: "x", onclick: f }, "text", child) and the same for SVG
const html = (tag, attributes = {}, ...children) => {
  const node = fill(document.createElement(tag), attributes, children);
  return ["button", "input", "select", "summary"].includes(tag) || "tabindex" in attributes ? keepsKeys(node) : node;
};
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const range = (n) => [...Array(n).keys()];
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const sum = (xs) => xs.reduce((a, b) => a + b, 0);
const dot = (xs, ys) => sum(xs.map((x, i) => x * ys[i]));
const norm = (xs) => Math.hypot(...xs);
const softmax = (scores) => {
  const top = Math.max(...scores), e = scores.map((s) => Math.exp(s - top)), total = sum(e);
  return e.map((x) => x / total);
};

// 0.5 -> "0.50", -1 -> "−1.00" with a true minus sign, -1e-9 -> "0.00"
const text = (x, digits = 2) => {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x < 0 ? "−∞" : "∞";
  const plain = Math.abs(x) >= 1e5 ? x.toExponential(1).replace("e+", "e") : x.toFixed(digits);
  return (/[1-9]/.test(plain) ? plain : plain.replace("-", "")).replaceAll("-", "−");
};
// the same, with a power of ten where two digits would hide the number: 1e-9 -> "1.0e−9"
const power = (x) => (x !== 0 && Math.abs(x) < 0.01 ? x.toExponential(1).replaceAll("-", "−") : text(x));
// a probability in percent, with a digit more near the ends: 0.123 -> "12 %", 0.998 -> "99.8 %"
const percent = (p) => `${text(100 * p, (p >= 0.0005 && p < 0.0995) || (p >= 0.9905 && p < 0.9995) ? 1 : 0)}\u00a0%`;
// a number that shows a few digits and keeps them all
const number = (x, show = text) => html("data", { value: x }, show(x));

// paint a cell by its value, -1 to 1: orange below zero, blue above
const tint = (node, x) => {
  node.style.setProperty("--tint", `${Math.round(40 * clamp(Math.abs(x), 0, 1))}%`);
  node.style.setProperty("--hue", `var(--${x < 0 ? "orange" : "blue"})`);
  return node;
};

const button = (label, onclick, attributes = {}) => html("button", { type: "button", onclick, ...attributes }, label);

// a labelled slider that shows its value; .value can be read and set
const slider = ({ label, min, max, step, value, show = text, change }) => {
  const input = html("input", { type: "range", min, max, step, value }), out = html("output");
  const box = html("label", { class: "slider" }, html("span", {}, label), input, out);
  const tell = () => {
    out.textContent = show(+input.value);
    input.setAttribute("aria-valuetext", show(+input.value));
  };
  input.addEventListener("input", () => { tell(); change(+input.value); });
  tell();
  Object.defineProperty(box, "value", { get: () => +input.value, set: (x) => { input.value = x; tell(); } });
  return box;
};

// a box for one number; while what is typed is no number, it is marked and nothing changes
const numberBox = ({ label, value, step = 0.1, hidden = false, change }) => {
  const input = html("input", { type: "number", step, value, "aria-label": hidden ? label : null });
  input.addEventListener("input", () => {
    const good = Number.isFinite(input.valueAsNumber);
    input.toggleAttribute("aria-invalid", !good);
    if (good) change(input.valueAsNumber);
  });
  return hidden ? input : html("label", { class: "number" }, html("span", {}, label), input);
};

// a labelled list to choose from; options are [value, words] pairs
const choice = ({ label, options, value, change }) => {
  const select = html("select", {}, options.map(([name, words]) => html("option", { value: name }, words)));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  const box = html("label", { class: "choice" }, html("span", {}, label), select);
  Object.defineProperty(box, "value", { get: () => select.value, set: (x) => { select.value = x; } });
  return box;
};

const checkbox = ({ label, checked, change }) => {
  const input = html("input", { type: "checkbox", checked });
  input.addEventListener("change", () => change(input.checked));
  return html("label", { class: "check" }, input, html("span", {}, label));
};

// a frame in which something wide scrolls, by keyboard too
const scroll = (label, ...children) => html("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label }, children);

// a table from its caption, its heads and its rows; the first head and the first cell of a row name the others
const table = (caption, [corner, ...heads], rows) => html("table", {}, html("caption", {}, caption),
  html("thead", {}, html("tr", {}, corner ? html("th", { scope: "col" }, corner) : html("td"),
    heads.map((head) => html("th", { scope: "col" }, head)))),
  html("tbody", {}, rows.map(([name, ...cells]) => html("tr", {}, html("th", { scope: "row" }, name),
    cells.map((cell) => html("td", {}, cell))))));

// One stop of the Tab key for a grid of cells: arrows, Home and End move inside it. rows: arrays of elements.
const rove = (rows, pick) => {
  const cells = rows.flat();
  const go = (cell) => {
    cells.forEach((other) => { other.tabIndex = other === cell ? 0 : -1; });
    pick(cell);
  };
  cells.forEach((cell, i) => {
    keepsKeys(cell).tabIndex = i ? -1 : 0;
    cell.addEventListener("click", () => { cell.focus(); go(cell); });
    cell.addEventListener("focus", () => go(cell));
    cell.addEventListener("keydown", (event) => {
      const r = rows.findIndex((row) => row.includes(cell)), c = rows[r].indexOf(cell);
      const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [0, 0];
      const row = rows[clamp(r + down, 0, rows.length - 1)];
      const next = { Home: row[0], End: row.at(-1) }[event.key] ?? row[clamp(c + right, 0, row.length - 1)];
      if (next === cell && !["Home", "End"].includes(event.key)) return;
      event.preventDefault();
      next.focus();
    });
  });
};

// an arrow from (x1, y1) to (x2, y2) as an SVG group
const arrow = (x1, y1, x2, y2, attributes = {}) => {
  const length = Math.hypot(x2 - x1, y2 - y1), [ux, uy] = length ? [(x2 - x1) / length, (y2 - y1) / length] : [0, 0];
  const head = Math.min(7, length), [bx, by] = [x2 - head * ux, y2 - head * uy], w = head * 0.45;
  return svg("g", { class: "arrow", ...attributes },
    svg("line", { x1, y1, x2: bx, y2: by }),
    svg("path", { d: `M${x2} ${y2}L${bx - w * uy} ${by + w * ux}L${bx + w * uy} ${by - w * ux}Z` }));
};

// Where the names of points may be written so that they hide neither a point nor one another, as far as there is room.
// points: [x, y] each, the most important first; avoid: pairs of points joined by a line; gap: from point to text.
// Returns x, y and the text's anchor, one a point.
const labelled = (points, names, [width, height], { avoid = [], gap = () => 8, size = 12 } = {}) => {
  const along = avoid.flatMap(([p, q]) => range(25).map((n) => p.map((x, k) => x + (n / 24) * (q[k] - x))));
  const taken = [...points.map(([x, y]) => [x - 5, y - 5, x + 5, y + 5]), ...along.map(([x, y]) => [x - 3, y - 3, x + 3, y + 3])];
  const over = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  return points.map(([x, y], i) => {
    const w = 0.58 * size * names[i].length + 2, d = gap(i);
    const tries = [0, 1, -1, 2, -2, 3, -3].flatMap((n) => [["start", x + d, y + 4 + n * size], ["end", x - d, y + 4 + n * size],
      ...(n ? [] : [["middle", x, y - d - 1], ["middle", x, y + size + d - 3]])]);
    const scored = tries.map(([anchor, left, base], n) => {
      const from = anchor === "start" ? left : anchor === "end" ? left - w : left - w / 2, box = [from, base - size + 2, from + w, base + 3];
      const out = Math.max(0, -from) + Math.max(0, from + w - width) + Math.max(0, size - base) + Math.max(0, base - height);
      return { x: left, y: base, anchor, box, cost: sum(taken.map((other) => over(box, other))) + 40 * out + 4 * n };
    });
    const best = scored.reduce((a, b) => (b.cost < a.cost ? b : a));
    taken.push(best.box);
    return best;
  });
};
