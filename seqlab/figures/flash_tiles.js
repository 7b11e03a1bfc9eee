// Softmax in tiles: a block of queries walks over the keys, and keeps for each query a largest score and two sums.

export const nothing = { m: -Infinity, l: 0, o: 0 };

// One tile: the largest score so far m, the sum l of e^(s - m), the sum o of e^(s - m) v. When m grows, both sums shrink.
export const absorb = ({ m, l, o }, scores, values) => {
  const top = Math.max(m, ...scores), shrink = Math.exp(m - top), e = scores.map((s) => Math.exp(s - top));
  return { m: top, l: l * shrink + sum(e), o: o * shrink + dot(e, values), shrink, e };
};

// The keys of the tiles that a block of queries meets, [first, end) each: under `causal` none that lies in its future.
export const meets = (size, tile, causal, query) => {
  const end = causal ? Math.min(size, (Math.floor(query / tile) + 1) * tile) : size;
  return range(Math.ceil(end / tile)).map((n) => [n * tile, Math.min((n + 1) * tile, size)]);
};

// The scores of a query as they count: with the offset, and minus infinity for the future.
export const counting = (row, size, causal, query, offset) => range(size).map((k) => (causal && k > query ? -Infinity : row[k] + offset));

// What is held for a query before the first tile and after each.
export const walk = (row, values, tiles) => {
  const states = [nothing];
  tiles.forEach(([first, end]) => states.push(absorb(states.at(-1), row.slice(first, end), values.slice(first, end))));
  return states;
};

// The softmax of the whole row at once, and what it makes of the values.
export const whole = (row, values) => {
  const weights = softmax(row);
  return { weights, context: dot(weights, values.slice(0, row.length)) };
};

// Other numbers, normal, rounded to a tenth: the same seed gives the same ones.
export const drawn = (seed, size) => {
  let a = (seed * 0x9e3779b9) | 0;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.round(10 * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())) / 10;
  return { scores: range(size).map(() => range(size).map(() => Math.round(16 * normal()) / 10)), values: range(size).map(() => 2 * normal()) };
};

export default {
  render({ model, el }) {
    const most = model.get("scores").length, offsets = model.get("offsets"), wait = 1400;
    const set = (changes) => { Object.entries(changes).forEach(([name, value]) => model.set(name, value)); model.save_changes(); };
    const tiles = () => meets(model.get("size"), model.get("tile"), model.get("causal"), model.get("query"));
    let timer = null, cells = [], shape = "";
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const move = (step) => set({ step: clamp(step, 0, tiles().length) }), go = (f) => () => { stop(); move(f(model.get("step"))); };
    const forth = button("Next tile", go((n) => n + 1), { class: "main" }), back = button("Back", go((n) => n - 1)), again = button("Start again", go(() => 0));
    const play = button("Play", () => {
      if (timer) { stop(); return; }
      const tick = () => {
        if (!el.isConnected) { stop(); return; }
        move(model.get("step") + 1);
        if (model.get("step") === tiles().length) stop();
      };
      play.textContent = "Pause";
      timer = setInterval(tick, wait);
      if (model.get("step") === tiles().length) move(0); else tick();
    });
    const anew = (changes) => { stop(); set({ step: 0, ...changes }); };
    const sizes = [...new Set([4, 6, 8, most])].filter((n) => n <= most).sort((a, b) => a - b);
    const size = choice({ label: "Keys", options: sizes.map((n) => [`${n}`, `${n}`]), value: `${model.get("size")}`, change: (n) => anew({ size: +n, query: Math.min(model.get("query"), n - 1) }) });
    const tile = choice({ label: "Tile", options: [1, 2, 4].map((n) => [`${n}`, `${n} × ${n}`]), value: `${model.get("tile")}`, change: (n) => anew({ tile: +n }) });
    const causal = checkbox({ label: "causal: no query sees the future", checked: model.get("causal"), change: (on) => anew({ causal: on }) });
    const other = button("Other numbers", () => anew({ seed: model.get("seed") + 1, ...drawn(model.get("seed") + 1, most) }));
    const long = (n) => text(offsets[n], 0);
    const offset = slider({ label: "add to all", min: 0, max: offsets.length - 1, step: 1, value: offsets.indexOf(model.get("offset")), show: long, change: (n) => { stop(); set({ offset: offsets[n] }); } });
    const grid = html("table", { role: "grid", class: "tiles tight" }), caption = html("caption");
    const bars = svg("svg", { role: "img", style: "max-width:24rem" }), says = html("output", { class: "says" }), held = html("div"), quiet = html("output", { class: "quiet" });
    const boxes = html("div", { class: "together" }), summary = html("summary"), edit = html("details", {}, summary, boxes);

    // all that depends on how many queries and keys there are
    const build = () => {
      const T = model.get("size");
      cells = range(T).map((q) => range(T).map((k) => html("td", { class: "square", role: "gridcell", "aria-label": "" })));
      grid.replaceChildren(caption,
        html("thead", {}, html("tr", {}, html("td"), range(T).map((k) => html("th", { scope: "col" }, `k${k + 1}`)))),
        html("tbody", {}, cells.map((row, q) => html("tr", {}, html("th", { scope: "row" }, `q${q + 1}`), row))));
      rove(cells, (cell) => {
        const q = cells.findIndex((row) => row.includes(cell));
        if (q === model.get("query")) return;
        stop();
        const same = Math.floor(q / model.get("tile")) === Math.floor(model.get("query") / model.get("tile"));
        set({ query: q, step: same ? model.get("step") : 0 });
      });
    };

    const fields = () => {
      const q = model.get("query");
      summary.textContent = `Change the scores of query ${q + 1}`;
      boxes.replaceChildren(...range(model.get("size")).map((k) => numberBox({ label: `k${k + 1}`, value: model.get("scores")[q][k], step: 0.5,
        change: (x) => { stop(); set({ scores: model.get("scores").map((row, i) => (i === q ? row.map((old, j) => (j === k ? clamp(x, -1e4, 1e4) : old)) : row)) }); } })));
    };

    const draw = () => {
      const [T, b, hides, q, add, scores, values] = ["size", "tile", "causal", "query", "offset", "scores", "values"].map((name) => model.get(name));
      const met = tiles(), step = clamp(model.get("step"), 0, met.length), done = step === met.length, block = Math.floor(q / b);
      const rows = range(T).filter((i) => Math.floor(i / b) === block), counts = rows.map((i) => counting(scores[i], T, hides, i, add));
      const states = counts.map((row) => walk(row, values, met)), all = counts.map((row) => whole(row, values)), at = rows.indexOf(q);
      if (shape !== `${T}`) { build(); shape = `${T}`; }
      if (boxes.dataset.of !== `${q} ${T} ${model.get("seed")}`) { fields(); boxes.dataset.of = `${q} ${T} ${model.get("seed")}`; }
      caption.textContent = `Scores of queries and keys${add ? `, each + ${text(add, 0)}` : ""}`;
      const [first, end] = step ? met[step - 1] : [0, 0];
      cells.forEach((row, i) => row.forEach((cell, k) => {
        const inBlock = Math.floor(i / b) === block, future = hides && k > i, now = inBlock && k >= first && k < end;
        cell.className = ["square", now ? "tile" : "", inBlock && k < first ? "past" : "", future ? "future" : "", inBlock && !now && k >= end ? "ahead" : "", k % b === 0 ? "cut" : "", i % b === 0 ? "over" : ""].filter(Boolean).join(" ");
        cell.textContent = future ? "" : text(scores[i][k], 1);
        cell.ariaLabel = `query ${i + 1}, key ${k + 1}: ${text(scores[i][k], 1)}${future ? ", in the future" : now ? ", in this tile" : ""}`;
        cell.setAttribute("aria-selected", `${i === q}`);
      }));

      // bars: e^(score - m) of the keys so far; the outline is where they end
      const { m, l, o, shrink, e } = states[at][step], last = states[at].at(-1), W = 340, left = 22, wide = (W - left) / T, tall = 84, row = counts[at];
      const bar = (k, height, more) => svg("rect", { x: left + k * wide + 4, y: 14 + tall * (1 - height), width: wide - 8, height: tall * height, ...more });
      bars.setAttribute("viewBox", `0 0 ${W} ${tall + 48}`);
      bars.replaceChildren(
        svg("text", { x: 0, y: 18, "font-size": 11 }, "1"), svg("text", { x: 0, y: 14 + tall, "font-size": 11 }, "0"),
        svg("path", { class: "axis", d: `M${left} ${14 + tall}H${W}` }),
        ...met.slice(1).map(([k]) => svg("path", { class: "tick", d: `M${left + k * wide} 6V${tall + 44}`, "stroke-dasharray": "3 3" })),
        ...range(T).filter((k) => k < end && row[k] > -Infinity).map((k) => bar(k, Math.exp(row[k] - m), { fill: k >= first ? "var(--orange)" : "var(--blue)", "data-key": k + 1, "data-height": Math.exp(row[k] - m) })),
        ...range(T).filter((k) => row[k] > -Infinity).map((k) => bar(k, Math.exp(row[k] - last.m), { fill: "none", stroke: "currentColor", "stroke-dasharray": "3 2" })),
        ...range(T).flatMap((k) => [svg("text", { x: left + (k + 0.5) * wide, y: tall + 28, "text-anchor": "middle" }, `k${k + 1}`), svg("text", { x: left + (k + 0.5) * wide, y: tall + 43, "text-anchor": "middle", "font-size": 11 }, text(values[k], 1))]),
        svg("text", { x: 0, y: tall + 43, "font-size": 11 }, "v"));
      bars.ariaLabel = step ? `Bars for query ${q + 1}: e to the score minus m, m = ${text(m, 1)}, for keys 1 to ${Math.min(end, hides ? q + 1 : T)}; outlines show where they end.` : `No bars yet for query ${q + 1}; outlines show where they will end.`;

      const before = states[at][Math.max(0, step - 1)], name = end - first > 1 ? `keys ${first + 1} to ${end}` : `key ${end}`;
      if (!step) says.replaceChildren(`The program owns ${rows.length > 1 ? `queries ${rows[0] + 1} to ${rows.at(-1) + 1}` : `query ${q + 1}`}. It starts with m = −∞, l = 0 and o = 0, and will meet ${met.length} tile${met.length > 1 ? "s" : ""}.`);
      else {
        const seen = row.slice(first, end).map((s, i) => [s, i]).filter(([s]) => s > -Infinity), hidden = end - first - seen.length;
        says.replaceChildren(...[
          html("p", {}, html("b", {}, `Tile ${step} of ${met.length}, ${name}, for query ${q + 1}. `), `Scores ${seen.map(([s]) => text(s, 1)).join(", ")}${hidden ? `; ${hidden} in the future, hidden` : ""}.`),
          html("p", {}, `m = max(${text(before.m, 1)}, ${seen.map(([s]) => text(s, 1)).join(", ")}) = `, number(m, (x) => text(x, 1)), step === 1 ? ". Nothing was summed before." : m > before.m ? ": it grows, so what was summed shrinks by " : ": it stays, so what was summed is kept, times ",
            step === 1 ? null : [`e^(${text(before.m, 1)} − ${m < 0 ? `(${text(m, 1)})` : text(m, 1)}) = `, number(shrink), "."]),
          html("p", {}, `l = ${text(before.l)} · ${text(shrink)} + ${seen.map(([, i]) => text(e[i])).join(" + ")} = `, number(l), "."),
          html("p", {}, `o = ${text(before.o)} · ${text(shrink)} + ${seen.map(([, i]) => `${text(e[i])} · ${values[first + i] < 0 ? `(${text(values[first + i], 1)})` : text(values[first + i], 1)}`).join(" + ")} = `, number(o), "."),
          done ? html("p", {}, html("b", {}, "All tiles are in: "), "o / l = ", number(o / l, (x) => text(x, 4)), ", and the softmax of the whole row gives ", number(all[at].context, (x) => text(x, 4)), ".") : null].filter(Boolean));
      }
      held.replaceChildren(html("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "What the program holds" }, (() => {
        const one = table("What the program holds", ["", "m", "l", "o", "o / l", "whole row"], rows.map((i, n) => {
          const s = states[n][step];
          return [`q${i + 1}`, number(s.m, (x) => text(x, 1)), number(s.l), number(s.o), step ? number(s.o / s.l) : "–", number(all[n].context)];
        }));
        one.classList.add("heldtiles");
        [...one.tBodies[0].rows].forEach((line, n) => { if (rows[n] === q) line.dataset.now = ""; });
        return one;
      })()));
      const blocks = Math.ceil(T / b), of = blocks * blocks, visited = sum(range(blocks).map((n) => meets(T, b, hides, n * b).length));
      const big = Math.max(...row), plain = Math.fround(Math.exp(big));
      quiet.replaceChildren(`Scores held at a time: ${b * b} of ${T * T}. Tiles that all queries together meet: ${visited} of ${of}${hides ? "; those that lie wholly in the future are never visited" : ""}. `,
        `With nothing subtracted, the largest power of query ${q + 1} would be e^${text(big, 1)} = `, html("b", {}, Number.isFinite(plain) ? power(plain) : "∞"), Number.isFinite(plain) ? ": float32 still holds it." : " in float32, and its weight ∞ / ∞ no number. Here no power is above e^0 = 1.");
      forth.disabled = done;
      back.disabled = again.disabled = step === 0;
      size.value = `${T}`;
      tile.value = `${b}`;
      causal.querySelector("input").checked = hides;
      offset.value = offsets.indexOf(add);
    };

    el.append(html("div", { class: "together" }, size, tile, causal, other), offset, html("div", { class: "sides" }, scroll("Scores of queries and keys", grid), bars),
      html("div", { class: "together" }, forth, back, play, again), says, held, quiet, edit,
      html("p", { class: "quiet" }, "Bars: e^(score − m) of the keys so far, the tile at hand in orange; outlines: where they end. Under each key stands its value v. Choose a query by a click or the arrow keys."));
    model.on("change", draw);
    draw();
  },
};
