// The tensor (n_x, m, T_x) under the reader's cursor: pick a place in it, see its word and its one-hot column.

// Words outside the first n_x of the vocabulary become <unk>.
export const encode = (ids, n_x, unknown) => ids.map((row) => row.map((id) => (id < n_x ? id : unknown)));

export default {
  render({ model, el }) {
    const tokens = model.get("tokens"), sentences = model.get("sentences"), m = sentences.length;
    const ids = model.get("ids"), T = ids[0].length, unknown = tokens.indexOf("<unk>");
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const size = slider({ label: "vocabulary n_x", min: model.get("least"), max: tokens.length, step: 1, value: model.get("n_x"), show: (n) => text(n, 0), change: (n) => set("n_x", n) });

    const cells = ids.map((row, i) => row.map((_, t) => html("td", { class: "square", "data-place": `${i},${t}` })));
    const grid = html("table", { class: "tensor", role: "grid", "aria-label": "Word ids: one row an example, one column a step; the arrow keys move" },
      html("thead", {}, html("tr", {}, html("td"), range(T).map((t) => html("th", { scope: "col" }, `${t + 1}`)))),
      html("tbody", {}, cells.map((row, i) => html("tr", {}, html("th", { scope: "row" }, `(${i + 1})`), row))));
    const sentence = html("p", { class: "sentence" }), says = html("output", { class: "says" });

    // the block: examples go down, steps to the right, the vocabulary into the page
    const [W, D, dx, dy] = [172, 78, 78, -52], x0 = 40, y0 = 72, w = W / T, h = D / m;
    const into = (x, y, depth) => [x + depth * dx, y + depth * dy];
    const path = (...points) => `M${points.join("L")}`;
    const edges = [[[0, 0], [W, 0]], [[0, 0], [0, D]], [[W, 0], [W, D]], [[0, D], [W, D]]].map(([a, b]) => [a, b].map(([x, y]) => [x0 + x, y0 + y]));
    const corners = [[0, 0], [W, 0], [W, D]].map(([x, y]) => [x0 + x, y0 + y]);
    const back = path(...corners.map((c) => into(...c, 1)));
    const inner = range(T - 1).map((t) => path([x0 + (t + 1) * w, y0], [x0 + (t + 1) * w, y0 + D])).concat(range(m - 1).map((i) => path([x0, y0 + (i + 1) * h], [x0 + W, y0 + (i + 1) * h])));
    const bar = svg("g"), labels = [svg("text", { x: x0 + W / 2, y: y0 + D + 16, "text-anchor": "middle" }, `T_x = ${T} steps`),
      svg("text", { x: x0 - 5, y: y0 + D / 2 + 4, "text-anchor": "end" }, `m = ${m}`), svg("text", { x: x0 + W + dx / 2 + 8, y: y0 + D + dy / 2 + 12 })];
    const block = svg("svg", { viewBox: "0 0 340 170", role: "img", style: "max-width:26rem" },
      svg("path", { class: "tick", d: inner.join("") }), svg("path", { class: "axis", d: edges.map((e) => path(...e)).join("") + back + corners.map((c) => path(c, into(...c, 1))).join("") }), bar, labels);
    const column = html("div", { class: "onehot", role: "img" });

    const draw = () => {
      const n = model.get("n_x"), [i, t] = model.get("place"), known = encode(ids, n, unknown), id = known[i][t], words = sentences[i];
      size.value = n;
      cells.forEach((row, r) => row.forEach((cell, c) => {
        const here = r === i && c === t, value = known[r][c];
        cell.textContent = value;
        cell.ariaLabel = `example ${r + 1}, step ${c + 1}: ${tokens[value]}, id ${value}`;
        cell.setAttribute("aria-selected", here);
        cell.classList.toggle("now", here);
        cell.classList.toggle("pad", c >= sentences[r].length);
        tint(cell, value === unknown ? -0.6 : 0);
      }));
      sentence.replaceChildren(`(${i + 1}) `, ...words.flatMap((word, c) => [c === t ? html("mark", {}, word) : word, " "]));
      const word = words[t], x = x0 + t * w, y = y0 + i * h, rest = 1 - id / Math.max(1, n - 1);
      const far = [[x, y], [x + w, y], [x + w, y + h]].map((p) => into(...p, 1));
      const [ax, ay] = into(x + w / 2, y + h / 2, 1 - rest);
      bar.replaceChildren(
        svg("path", { d: `${path([x, y + h], [x, y], ...far, [x + w, y + h])}Z`, fill: "var(--orange)", "fill-opacity": 0.35, stroke: "var(--orange)" }),
        svg("rect", { x, y, width: w, height: h, fill: "none", stroke: "var(--orange)", "stroke-width": 2 }),
        svg("circle", { cx: ax, cy: ay, r: 4.5, fill: "var(--blue)", stroke: "currentColor" }));
      labels[2].textContent = `n_x = ${n}`;
      block.ariaLabel = `A block ${T} steps wide, ${m} examples high and ${n} words deep; the column of example ${i + 1}, step ${t + 1} runs into it and holds its 1 at ${id}.`;
      column.replaceChildren(...tokens.slice(0, n).map((token, k) => html("span", { class: k === id ? "one" : null }, html("b", {}, k === id ? "1" : "0"), ` ${k} ${token}`)));
      column.ariaLabel = `Column of ${n} numbers: 1 at ${id}, ${tokens[id]}, and 0 elsewhere.`;
      const what = word == null ? "This place is padding: the sentence has ended, and a mask will say so." : id === unknown
        ? `“${word}” is not among the ${n} words known, so <unk> stands for it.` : `“${word}” is word ${id} of the vocabulary.`;
      says.replaceChildren(`Example ${i + 1}, step ${t + 1}. ${what} In code: X[:, ${i}, ${t}] is a column of ${n} numbers with its 1 at ${id}.`);
    };

    el.append(size, scroll("Word ids", grid), sentence, says,
      html("div", { class: "sides" }, block, html("div", {}, html("p", { class: "quiet" }, "The column: one number for each word known"), column)));
    rove(cells, (cell) => set("place", cell.dataset.place.split(",").map(Number)));
    model.on("change:n_x change:place", draw);
    draw();
  },
};
