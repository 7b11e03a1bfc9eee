// The heads of a Neural Turing machine over its memory, step by step through a copy.

// The memory after each step, by the equation of writing: M <- M (1 - w e) + w a, from the blank memory on.
export const memories = ({ write, erase, add }, width, blank) => {
  let memory = write[0].map(() => range(width).map(() => blank));
  return write.map((w, t) => (memory = memory.map((row, i) => row.map((m, k) => m * (1 - w[i] * erase[t][k]) + w[i] * add[t][k]))));
};

// The row on which a head rests most, and how much of it is there.
export const place = (w) => w.reduce((best, weight, row) => (weight > best.weight ? { row, weight } : best), { row: 0, weight: -1 });

// What is heard at a step: bits, the delimiter, or silence.
export const heard = ({ bits }, t) => (t < bits.length ? bits[t] : t === bits.length ? "delimiter" : "silence");

// How many bits that were said up to a step are wrong: a bit is said to be 1 where its probability is above one half.
export const wrong = ({ bits, said }, steps) => sum(said.slice(0, Math.max(0, steps - bits.length - 1)).map((p, i) => sum(p.map((x, k) => (+(x > 0.5) !== bits[i][k] ? 1 : 0)))));

export default {
  render({ model, el }) {
    const copies = model.get("copies"), width = model.get("width"), rows = model.get("rows"), trained = model.get("longest"), wait = 350;
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const now = () => copies[model.get("chosen")], steps = () => now().write.length;
    const about = (L) => (L > rows ? `longer than the memory's ${rows} rows` : L > trained ? `longer than any in training` : `as in training`);
    let timer = null, memory, most, marks;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const move = (t) => set("step", clamp(t, 1, steps())), go = (f) => () => { stop(); move(f(model.get("step"))); };
    const forth = button("Next step", go((t) => t + 1), { class: "main" }), back = button("Back", go((t) => t - 1));
    const recall = button("To the delimiter", go(() => now().bits.length + 1)), end = button("To the end", go(() => steps()));
    const play = button("Play", () => {
      if (timer) { stop(); return; }
      const tick = () => {
        if (!el.isConnected) { stop(); return; }
        move(model.get("step") + 1);
        if (model.get("step") === steps()) stop();
      };
      play.textContent = "Pause";
      timer = setInterval(tick, wait);
      if (model.get("step") === steps()) move(1); else tick();
    });
    const which = choice({
      label: "Sequence", value: `${model.get("chosen")}`, options: copies.map(({ bits }, n) => [`${n}`, `${bits.length} vectors: ${about(bits.length)}`]),
      change: (n) => { stop(); model.set("step", 1); set("chosen", +n); },
    });
    const frame = html("div"), tape = svg("svg", { role: "img", style: "max-width:27rem" }), machine = svg("svg", { role: "img", style: "max-width:27rem" });
    const says = html("output", { class: "says" });
    let clock, shown = -1;

    const paint = (node, x) => node.setAttribute("style", `fill:color-mix(in srgb, var(--${x < 0 ? "orange" : "blue"}) ${Math.round(100 * clamp(Math.abs(x) / most, 0, 1))}%, transparent)`);

    // all that depends on the sequence and not on the step
    const build = () => {
      const copy = now(), L = copy.bits.length, T = steps(), W = 340, left = 24, cell = (W - left) / T, tall = 9, D = copy.bits[0].length;
      memory = memories(copy, width, model.get("blank"));
      most = Math.max(...memory.flat(2).map(Math.abs));
      clock = slider({ label: "step", min: 1, max: T, step: 1, value: model.get("step"), show: (t) => `${t}/${T}`, change: (t) => { stop(); move(t); } });
      frame.replaceChildren(clock);
      const square = (t, y, more) => svg("rect", { x: left + t * cell + 0.3, y: y + 0.3, width: cell - 0.6, height: tall - 0.6, ...more });
      const low = 14 + (D + 1) * tall + 8;
      marks = {
        now: svg("rect", { x: 0, y: 11, width: cell + 2, height: low + D * tall - 8, fill: "none", stroke: "var(--orange)", "stroke-width": 2, rx: 2 }),
        out: copy.said.map((p, i) => p.map((x, k) => {
          const miss = +(x > 0.5) !== copy.bits[i][k], box = [left + (L + 1 + i) * cell, low + k * tall];
          return svg("g", { class: "bit", "data-wrong": miss },
            square(L + 1 + i, low + k * tall, { fill: "currentColor", "fill-opacity": 0.06 + 0.84 * x }),
            miss ? svg("path", { d: `M${box[0]} ${box[1]}l${cell} ${tall}m0 ${-tall}l${-cell} ${tall}`, stroke: "var(--brick)", "stroke-width": 1.5 }) : null);
        })),
      };
      tape.setAttribute("viewBox", `0 0 ${W} ${low + D * tall + 6}`);
      tape.replaceChildren(...[
        svg("text", { x: left, y: 9, "font-size": 11 }, "heard"), svg("text", { x: left + (L + 1) * cell, y: 9, "font-size": 11 }, "silence: said below"),
        copy.bits.map((bits, t) => bits.map((bit, k) => square(t, 14 + k * tall, { fill: "currentColor", "fill-opacity": bit ? 0.9 : 0.06 }))),
        square(L, 14 + D * tall, { fill: "var(--orange)" }), svg("text", { x: left - 3, y: 14 + (D + 0.9) * tall, "text-anchor": "end", "font-size": 9 }, "end"),
        svg("text", { x: left, y: low + (D * tall) / 2 + 4, "font-size": 11 }, "said"), marks.out, marks.now].flat(Infinity));

      const high = clamp(320 / rows, 4, 14), at = 96, wide = Math.min(14, 150 / width), top = 18, right = at + width * wide;
      marks.cells = range(rows).map((i) => range(width).map((k) => svg("rect", { x: at + k * wide, y: top + i * high, width: wide - 0.5, height: high - 0.5, class: "cell" })));
      marks.write = range(rows).map((i) => svg("rect", { y: top + i * high + 0.5, height: high - 1.5, fill: "var(--plum)" }));
      marks.read = range(rows).map((i) => svg("rect", { x: right + 6, y: top + i * high + 0.5, height: high - 1.5, fill: "var(--brick)" }));
      const every = rows > 40 ? 16 : rows > 16 ? 8 : 4;
      machine.setAttribute("viewBox", `0 0 ${W} ${top + rows * high + 4}`);
      machine.replaceChildren(...[
        svg("text", { x: at - 6, y: 11, "text-anchor": "end" }, "write head"), svg("text", { x: (at + right) / 2, y: 11, "text-anchor": "middle" }, "memory"), svg("text", { x: right + 6, y: 11 }, "read head"),
        range(rows).filter((i) => i % every === 0).map((i) => svg("text", { x: 12, y: top + i * high + high / 2 + 3.5, "text-anchor": "end", "font-size": 10 }, i)),
        svg("rect", { x: at - 1.5, y: top - 1.5, width: width * wide + 2.5, height: rows * high + 2.5, fill: "none", class: "axis" }),
        marks.cells, marks.write, marks.read].flat(Infinity));
      marks.size = { at, left, cell, L };
    };

    const draw = () => {
      if (shown !== model.get("chosen")) { build(); shown = model.get("chosen"); }
      const copy = now(), t = model.get("step") - 1, T = steps(), { at, left, cell, L } = marks.size, hears = heard(copy, t), listens = t <= L;
      const [w, r] = [place(copy.write[t]), place(copy.read[t])];
      clock.value = t + 1;
      which.value = `${model.get("chosen")}`;
      back.disabled = t === 0;
      forth.disabled = end.disabled = t === T - 1;
      recall.disabled = t === L;
      memory[t].forEach((row, i) => row.forEach((x, k) => paint(marks.cells[i][k], x)));
      copy.write[t].forEach((x, i) => { marks.write[i].setAttribute("x", at - 6 - 70 * x); marks.write[i].setAttribute("width", 70 * x); });
      copy.read[t].forEach((x, i) => marks.read[i].setAttribute("width", 70 * x));
      marks.out.forEach((column, i) => column.forEach((bit) => bit.setAttribute("visibility", L + 1 + i <= t ? "visible" : "hidden")));
      marks.now.setAttribute("x", left + t * cell - 1);
      const misses = wrong(copy, t + 1), bits = copy.bits[0].length;
      const where = ["The write head is on row ", html("b", {}, w.row), " (", number(w.weight, percent), "), the read head on row ", html("b", {}, r.row), " (", number(r.weight, percent), "). "];
      const what = hears === "delimiter" ? "The delimiter is heard: now the machine must repeat. " : hears === "silence" ? `Silence ${t - L} of ${L}. ` : `Vector ${t + 1} of ${L} is heard: ${hears.join("")}. `;
      const answer = listens ? "" : [`Said: ${copy.said[t - L - 1].map((p) => +(p > 0.5)).join("")}, `,
        copy.said[t - L - 1].every((p, k) => +(p > 0.5) === copy.bits[t - L - 1][k]) ? "right. " : html("span", {}, `where ${copy.bits[t - L - 1].join("")} was heard. `),
        html("b", {}, misses), ` of ${bits * (t - L)} bits wrong so far.`];
      says.replaceChildren(...[what, where, answer].flat());
      machine.ariaLabel = `The memory after step ${t + 1}: the write head rests on row ${w.row}, the read head on row ${r.row} of ${rows}.`;
      tape.ariaLabel = `${L} vectors of ${bits} bits are heard, then a delimiter, then silence in which they are said; step ${t + 1} of ${T}, ${misses} bits wrong so far.`;
    };

    el.append(which, frame, html("div", { class: "together" }, forth, back, play, recall, end), html("div", { class: "sides" }, tape, machine), says,
      html("p", { class: "quiet" }, "Memory: blue above zero, orange below. Bars: the weights of the heads. A wrong bit is crossed out."));
    model.on("change:step change:chosen", draw);
    draw();
  },
};
