// Lines from each symbol that was written to the symbols that were read, as thick as the attention.

const WIDTH = 340, THICK = 9, LEAST = 0.02; // a line's width for weight 1; thinner lines than for LEAST are left out

// The tokens that a row of weights looks at, the most first, of equal ones the first.
export const strongest = (weights) => range(weights.length).sort((i, j) => weights[j] - weights[i] || i - j);

// The middle of each token in a line that is `width` wide, and how large letters can be. A token's room grows with its
// letters; combining signs and joiners take none. places: where each token stands, counted from the left.
export const spread = (faces, places, width) => {
  const letters = faces.map((face) => Math.max(1, [...face.replace(/[\p{M}\u200d◌]/gu, "")].length));
  const words = letters.some((n) => n > 1), rooms = letters.map((n) => n + (words ? 1 : 0));
  const unit = Math.min(words ? 11 : 26, width / sum(rooms)), inOrder = range(faces.length).sort((i, j) => places[i] - places[j]);
  const middles = [];
  let left = (width - unit * sum(rooms)) / 2;
  inOrder.forEach((i) => { middles[i] = left + (unit * rooms[i]) / 2; left += unit * rooms[i]; });
  return { middles, rooms: rooms.map((room) => room * unit), size: Math.min(16, unit * (words ? 1.7 : 1.05)) };
};

export default {
  render({ model, el }) {
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const examples = model.get("examples"), now = () => examples[model.get("chosen")];
    const joined = (tokens) => tokens.join([...tokens.join("")].length === tokens.length || tokens.every((token) => [...token].length === 1) ? "" : " ");
    let over = null, built = -1, marks; // over: the written token under the pointer

    const which = choice({
      label: "Text", value: `${model.get("chosen")}`, options: examples.map(({ name }, n) => [`${n}`, name]),
      change: (n) => { over = null; model.set("at", null); set("chosen", +n); },
    });
    const text_ = html("p", { class: "spoken" }), drawing = svg("svg", { class: "attention", role: "group", "aria-label": "What was read, what was written, and the lines of attention between them", style: "max-width:34rem" });
    const says = html("output", { class: "says" }), list = html("div"), all = button("All lines", () => { over = null; set("at", null); });

    const build = () => {
      const { read, written, weights, faces, places } = now(), above = 24, below = 178;
      const [from, to] = [spread(faces[0], places[0], WIDTH - 8), spread(faces[1], places[1], WIDTH - 8)];
      const at = (line, i) => 4 + line.middles[i];
      const lines = weights.map((row, t) => row.map((w, s) => {
        if (w < LEAST) return null;
        const [x1, x2] = [at(from, s), at(to, t)], [y1, y2] = [above + 10, below - 17], middle = (y1 + y2) / 2;
        return svg("path", { class: "line", d: `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`, "stroke-width": THICK * w, "data-t": t, "data-s": s });
      }));
      const seen = read.map((_, s) => svg("rect", { class: "seen", x: at(from, s) - from.rooms[s] / 2, y: above - 15, width: from.rooms[s], height: 22, rx: 3, "fill-opacity": 0 }));
      const letters = read.map((token, s) => svg("text", { x: at(from, s), y: above, "text-anchor": "middle", "font-size": from.size, class: token === " " ? "blank" : null }, faces[0][s]));
      const options = written.map((token, t) => svg("g", { role: "option", "aria-selected": "false", "aria-label": token === " " ? "space" : token, tabindex: t ? -1 : 0 },
        svg("rect", { x: at(to, t) - to.rooms[t] / 2 + 1, y: below - 15, width: to.rooms[t] - 2, height: 24, rx: 3 }),
        svg("text", { x: at(to, t), y: below + 2, "text-anchor": "middle", "font-size": to.size, "aria-hidden": "true" }, faces[1][t])));
      options.forEach((option, t) => {
        option.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") { over = t; draw(); } });
        option.addEventListener("pointerleave", () => { if (over === t) { over = null; draw(); } });
        option.addEventListener("keydown", (event) => {
          if (event.key !== "Escape" || model.get("at") === null) return;
          event.preventDefault();
          set("at", null);
        });
      });
      drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${below + 14}`);
      drawing.replaceChildren(
        svg("g", { "aria-hidden": "true" }, seen, lines, letters),
        svg("g", { role: "listbox", "aria-label": "What was written", "aria-orientation": "horizontal" }, options));
      marks = { lines: lines.flat().filter(Boolean), seen, options };
      rove([options], (option) => set("at", options.indexOf(option)));
      built = model.get("chosen");
    };

    const draw = () => {
      if (built !== model.get("chosen")) build();
      const { read, written, weights, name } = now(), t = over ?? model.get("at"), meant = model.get("meant"), whole = joined(written);
      which.value = `${model.get("chosen")}`;
      all.disabled = model.get("at") === null;
      marks.lines.forEach((line) => { line.classList.toggle("on", +line.dataset.t === t); line.classList.toggle("off", t !== null && +line.dataset.t !== t); });
      marks.seen.forEach((box, s) => box.setAttribute("fill-opacity", t === null ? 0 : 0.75 * weights[t][s]));
      marks.options.forEach((option, i) => {
        option.setAttribute("aria-selected", String(i === model.get("at")));
        option.classList.toggle("on", i === t);
        option.tabIndex = i === (model.get("at") ?? 0) ? 0 : -1;
      });
      const held = whole.includes(" ") ? {} : { class: "whole" }; // a date is not broken at its hyphens
      const shown = (token) => html("b", {}, token === " " ? "space" : html("bdi", {}, token));
      text_.replaceChildren(html("bdi", {}, joined(read)), " → ", html("b", held, whole));
      const truth = !meant ? ". " : whole === meant ? ", which is right. " : `; the day meant is ${meant}. `;
      list.hidden = t === null;
      if (t === null) {
        says.replaceChildren(`${name}: ${read.length} symbols were read, `, html("span", held, whole), ` was written${truth}Choose a symbol of it.`);
        return;
      }
      const order = strongest(weights[t]), [first, second] = order, top = order.filter((s) => weights[t][s] >= LEAST).slice(0, 6), rest = order.slice(top.length);
      says.replaceChildren("To write ", shown(written[t]), `, symbol ${t + 1} of ${written.length}, the model looked most at `, shown(read[first]), ` (symbol ${first + 1}), `,
        number(weights[t][first], percent), ", then at ", shown(read[second]), ` (symbol ${second + 1}), `, number(weights[t][second], percent), ".");
      const bar = (w) => {
        const inside = html("i");
        inside.style.setProperty("--long", `${100 * w}%`);
        inside.style.setProperty("--hue", "var(--orange)");
        return html("div", { class: "barred" }, html("span", { class: "amount" }, inside), number(w, percent));
      };
      const rows = top.map((s) => [html("bdi", {}, read[s] === " " ? "space" : read[s]), `${s + 1}`, bar(weights[t][s])]);
      if (rest.length) rows.push([`${rest.length} others`, "", bar(sum(rest.map((s) => weights[t][s])))]);
      const grid = table("What it looked at", ["read", "place", "weight"], rows);
      grid.classList.add("neighbours");
      list.replaceChildren(grid);
    };

    el.append(which, text_, drawing, html("div", { class: "together" }, all), says, list,
      html("p", { class: "quiet" }, "Above: what was read, in the order of its script. Below: what was written. A line's width is the weight; weights below 2 % have no line."));
    model.on("change:at change:chosen", draw);
    draw();
  },
};
