// Bias taken out of word vectors step by step: find the direction, neutralise a word, equalise a pair.

const along = (v, factor, g) => v.map((x, k) => x + factor * g[k]);
const unit = (v) => { const length = norm(v); return length > 0 ? v.map((x) => x / length) : v; };
const apart = (u, v) => norm(u.map((x, k) => x - v[k]));

// As seqlab.embeddings.reference; g has length 1.
export const neutralize = (v, g) => along(v, -dot(v, g), g);
export const equalize = (u, v, g) => {
  const [a, b] = [unit(u), unit(v)], common = neutralize(a.map((x, k) => (x + b[k]) / 2), g);
  const height = Math.sqrt(Math.max(0, 1 - dot(common, common))) * Math.sign(dot(a, g) - dot(b, g));
  return [along(common, height, g), along(common, -height, g)];
};

// All vectors after a step (0 and 1: as they are; 2: the word is neutral; 3: the pair is equal as well).
export const after = (step, { vectors, direction, word, pair }) => vectors.map((v, i) => {
  if (step > 1 && i === word) return neutralize(v, direction);
  return step > 2 && pair.includes(i) ? equalize(vectors[pair[0]], vectors[pair[1]], direction)[pair.indexOf(i)] : v;
});
// What is compared before and after: how far the word and the pair lean, and how near the word is to each of the pair.
export const measure = (vectors, { direction, word, pair: [p, q] }) => ({
  word: dot(vectors[word], direction), first: dot(vectors[p], direction), second: dot(vectors[q], direction),
  toFirst: apart(vectors[word], vectors[p]), toSecond: apart(vectors[word], vectors[q]),
});

export default {
  render({ model, el }) {
    const words = model.get("words"), vectors = model.get("vectors"), direction = model.get("direction"), second = model.get("second");
    const neutral = model.get("neutral"), equal = model.get("equal"), definitional = model.get("pairs"), W = 340, H = 310;
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const state = () => ({ vectors, direction, word: neutral[model.get("word")], pair: equal[model.get("pair")] });
    const last = 3, titles = ["The vectors as they are", "The direction of the bias", "Neutralise", "Equalise"];
    const go = (step) => () => set("step", clamp(step(model.get("step")), 0, last));
    const forth = button("Next step", go((n) => n + 1), { class: "main" }), back = button("Back", go((n) => n - 1)), again = button("Start again", go(() => 0));
    const word = choice({ label: "Neutralise", value: `${model.get("word")}`, options: neutral.map((id, n) => [`${n}`, words[id]]), change: (n) => set("word", +n) });
    const pair = choice({ label: "Equalise", value: `${model.get("pair")}`, options: equal.map((ids, n) => [`${n}`, ids.map((id) => words[id]).join(" and ")]), change: (n) => set("pair", +n) });
    const title = html("b"), says = html("output", { class: "says" }), figures_ = html("div");

    // one frame for all choices and steps, so that what moves is the words and not the paper
    const axes = [direction, second], flat = (v) => axes.map((axis) => dot(v, axis));
    const everything = [...vectors, ...neutral.map((id) => neutralize(vectors[id], direction)), ...equal.flatMap(([p, q]) => equalize(vectors[p], vectors[q], direction))].map(flat);
    const reach = 1.18 * Math.max(...everything.map(([x]) => Math.abs(x)), 1e-6);
    const low = Math.min(0, ...everything.map(([, y]) => y)), high = Math.max(0, ...everything.map(([, y]) => y));
    const zoom = Math.min(W / (2 * reach), (H - 60) / (high - low || 1)), place = (v) => { const [x, y] = flat(v); return [W / 2 + zoom * x, H / 2 - zoom * (y - (low + high) / 2)]; };
    const [ox, oy] = place(direction.map(() => 0));
    const bias = arrow(ox, oy, W - 8, oy, { style: "color:var(--plum);stroke-width:3" }), biasName = svg("text", { x: W - 4, y: oy + 16, "text-anchor": "end", "font-weight": 700 }, "bias g");
    const axis = svg("path", { class: "axis", "stroke-dasharray": "5 4", d: `M${ox} 4V${H - 4}` });
    const ties = svg("g"), trails = svg("g"), spots = vectors.map((_, i) => {
      const circle = svg("circle", { r: 5 }), name = svg("text");
      return { circle, name, node: svg("g", { class: "slides" }, circle, name), i };
    });
    const drawing = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", style: "max-width:26rem;overflow:hidden" },
      svg("path", { class: "tick", d: `M0 ${oy}H${W}` }), axis, bias, biasName, trails, ties, spots.map(({ node }) => node));

    const draw = () => {
      const step = model.get("step"), now = state(), moved = after(step, now), [p, q] = now.pair, points = moved.map(place), old = vectors.map(place);
      word.value = `${model.get("word")}`;
      pair.value = `${model.get("pair")}`;
      forth.disabled = step === last;
      back.disabled = again.disabled = step === 0;
      bias.style.visibility = biasName.style.visibility = step > 0 ? "visible" : "hidden";
      axis.style.visibility = step > 0 ? "visible" : "hidden";
      const first = [now.word, p, q, ...range(words.length).filter((i) => ![now.word, p, q].includes(i))];
      const written = labelled(first.map((i) => points[i]), first.map((i) => words[i]), [W, H], {
        avoid: [[points[now.word], points[p]], [points[now.word], points[q]], ...(step > 0 ? [[[ox, oy], [W, oy]], [[W - 45, oy + 12], [W, oy + 12]], [[ox, 4], [ox, H - 4]]] : [])],
        gap: (n) => (n < 3 ? 10 : 7),
      });
      first.forEach((i, n) => {
        const { circle, name, node } = spots[i], [x, y] = points[i];
        node.style.transform = `translate(${x}px,${y}px)`;
        circle.setAttribute("class", `dot${i === now.word ? " chosen" : i === p || i === q ? " best" : ""}`);
        circle.setAttribute("r", n < 3 ? 7 : 4);
        circle.setAttribute("fill-opacity", n < 3 ? 1 : 0.5);
        name.textContent = words[i];
        name.setAttribute("x", written[n].x - x);
        name.setAttribute("y", written[n].y - y);
        name.setAttribute("text-anchor", written[n].anchor);
        name.setAttribute("font-weight", n < 3 ? 700 : 400);
        name.setAttribute("class", n < 3 ? "" : "faint");
      });
      trails.replaceChildren(...(step > 0 ? definitional : []).map(([a, b]) => svg("line", { x1: old[a][0], y1: old[a][1], x2: old[b][0], y2: old[b][1], stroke: "var(--plum)", "stroke-dasharray": "2 4", visibility: step === 1 ? "visible" : "hidden" })),
        ...[now.word, p, q].filter((i) => apart(moved[i], vectors[i]) > 1e-9).map((i) => svg("g", { class: "ghost" },
          svg("circle", { cx: old[i][0], cy: old[i][1], r: 5 }), svg("line", { x1: old[i][0], y1: old[i][1], x2: points[i][0], y2: points[i][1] }))));
      ties.replaceChildren(...[p, q].map((i) => svg("line", { class: "tie", x1: points[now.word][0], y1: points[now.word][1], x2: points[i][0], y2: points[i][1] })));

      const columns = range(4).map((n) => measure(after(n, now), now)), m = columns[step], was = columns[0], [one, other] = [words[p], words[q]], it = words[now.word];
      title.textContent = `Step ${step} of ${last}: ${titles[step]}`;
      const cut = (x) => number(x, (y) => text(y, 3));
      says.replaceChildren(...[
        [`“${it}” is `, cut(was.toFirst), ` away from “${one}” and `, cut(was.toSecond), ` from “${other}”.`],
        [`The pairs joined by dotted lines give the direction g. Along it “${it}” leans by `, cut(m.word), Math.abs(m.word) < 5e-4 ? ": not at all." : `, to the side of “${m.word > 0 === was.first > was.second ? one : other}”.`],
        [`Its part along g is taken away: “${it}” slides onto the dashed line and leans by `, cut(m.word), `. To “${one}” it is `, cut(m.toFirst), `, to “${other}” `, cut(m.toSecond), Math.abs(m.toFirst - m.toSecond) < 5e-4 ? "." : ": still not the same, because the pair itself is not balanced."],
        [`“${one}” and “${other}” move to mirror places, `, cut(m.first), " and ", cut(m.second), ` along g, alike in all else. “${it}” is now `, cut(m.toFirst), " away from one and ", cut(m.toSecond), " from the other."],
      ][step]);
      const show = (name) => columns.map((column, n) => (n <= step && n !== 1 ? number(column[name], (x) => text(x, 3)) : n === 1 ? null : "–")).filter((x) => x !== null);
      figures_.replaceChildren(table("Before and after", ["", "before", "step 2", "step 3"], [
        [`${it} along g`, ...show("word")], [`${one} along g`, ...show("first")], [`${other} along g`, ...show("second")],
        [`${it} to ${one}`, ...show("toFirst")], [`${it} to ${other}`, ...show("toSecond")],
      ]));
      figures_.firstChild.classList.add("neighbours", "ranked");
      drawing.ariaLabel = `Words in the plane of the bias direction. ${it} leans by ${text(m.word, 3)}, ${one} by ${text(m.first, 3)}, ${other} by ${text(m.second, 3)}.`;
    };

    el.append(html("div", { class: "together" }, forth, back, again, title), html("div", { class: "sides" },
      html("div", {}, drawing, html("p", { class: "quiet" }, "To the right: the part of a word along the bias g. Upwards: the direction in which the rest differs most. The numbers are of the whole vectors, not of their shadows in this plane.")),
      html("div", { class: "stack" }, html("div", { class: "together" }, neutral.length > 1 ? word : null, equal.length > 1 ? pair : null), says, scroll("The numbers before and after", figures_))));
    model.on("change:step change:word change:pair", draw);
    draw();
  },
};
