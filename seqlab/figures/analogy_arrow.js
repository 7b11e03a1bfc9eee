// An analogy as an arrow: from a to b, then carried to c; the word nearest to its tip is the answer.

const EPSILON = 1e-3; // as seqlab.embeddings.reference: keeps the product from dividing by 0
export const unit = (v) => { const length = norm(v); return length > 0 ? v.map((x) => x / length) : v; };
const combine = (...parts) => parts[0][1].map((_, k) => sum(parts.map(([factor, v]) => factor * v[k])));

// Where the arrow's tip lands, and the score of every word: its cosine to the tip, or the quotient of 3CosMul.
export const analogy = ({ vectors, a, b, c, method }) => {
  const rows = vectors.map(unit), tip = combine([1, rows[b]], [-1, rows[a]], [1, rows[c]]), aim = unit(tip);
  const to = (i, row) => (1 + dot(rows[i], row)) / 2;
  const scores = rows.map((row) => (method === "add" ? clamp(dot(row, aim), -1, 1) : (to(b, row) * to(c, row)) / (to(a, row) + EPSILON)));
  return { rows, tip, scores };
};
// All words from the best score down, of equals the earlier one first; the answer is the first that is allowed.
export const ranking = (scores, left) => {
  const order = range(scores.length).sort((i, j) => scores[j] - scores[i] || i - j);
  return { order, answer: order.find((i) => !left.includes(i)) };
};

// The plane through a, b and c: the arrow runs along its first axis, and the four corners lie in it undistorted.
// Returns each point's place in it, and how far outside the point lies.
export const inPlane = (points, a, b, c, extra) => {
  const from = (p) => combine([1, p], [-1, points[a]]), bare = (v, axes) => axes.reduce((rest, e) => combine([1, rest], [-dot(rest, e), e]), v);
  const axes = [];
  for (const wish of [from(points[b]), from(points[c]), ...points.map(from)]) {
    const rest = bare(wish, axes);
    if (axes.length < 2 && norm(rest) > 1e-6) axes.push(unit(rest));
  }
  return [...points, ...extra].map((p) => ({ at: [0, 1].map((k) => (axes[k] ? dot(from(p), axes[k]) : 0)), off: norm(bare(from(p), axes)) }));
};

export default {
  render({ model, el }) {
    const words = model.get("words"), sets = model.get("sets"), W = 340, H = 300, edge = 34;
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const options = words.map((word, i) => [`${i}`, word]);
    const pick = (name, label) => choice({ label, value: `${model.get(name)}`, options, change: (i) => set(name, +i) });
    const lists = { a: pick("a", ""), b: pick("b", "is to"), c: pick("c", "as") };
    lists.a.querySelector("select").setAttribute("aria-label", "a, the start of the arrow");
    lists.a.querySelector("span").remove();
    lists.b.querySelector("select").setAttribute("aria-label", "is to b, the tip of the arrow");
    lists.c.querySelector("select").setAttribute("aria-label", "as c, to which it is carried");

    let frame = null;
    const carry = slider({ label: "carry it to c", min: 0, max: 1, step: 0.05, value: model.get("carried"), show: percent, change: (x) => { cancelAnimationFrame(frame); set("carried", x); } });
    const again = button("Carry the arrow", () => {
      cancelAnimationFrame(frame);
      if (calm.matches) { set("carried", model.get("carried") < 1 ? 1 : 0); return; }
      const start = performance.now();
      const glide = (now) => {
        if (!el.isConnected) return;
        set("carried", clamp((now - start) / 1200, 0, 1));
        if (model.get("carried") < 1) frame = requestAnimationFrame(glide);
      };
      set("carried", 0);
      frame = requestAnimationFrame(glide);
    }, { class: "main" });
    const inputs = checkbox({ label: "the three input words may be the answer", checked: !model.get("exclude"), change: (on) => set("exclude", !on) });
    const method = choice({ label: "Score", value: model.get("method"), options: [["add", "add: cos(x, b − a + c)"], ["multiply", "multiply: cos(x, b) cos(x, c) / cos(x, a)"]], change: (name) => set("method", name) });
    const names = Object.entries(sets).map(([name, { says }]) => [name, says]);
    const source = choice({ label: "Vectors", value: model.get("set"), options: names, change: (name) => set("set", name) });
    const says = html("output", { class: "says" }), list = html("div"), lines = svg("g"), dots = svg("g"), texts = svg("g");
    const drawing = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", style: "max-width:26rem" }, lines, dots, texts);

    const draw = () => {
      const [a, b, c] = ["a", "b", "c"].map((name) => model.get(name)), how = model.get("method"), exclude = model.get("exclude"), done = model.get("carried");
      const { rows, tip, scores } = analogy({ vectors: sets[model.get("set")].vectors, a, b, c, method: how });
      const { order, answer } = ranking(scores, exclude ? [a, b, c] : []), free = ranking(scores, []).answer;
      const lie = inPlane(rows, a, b, c, [tip]), far = Math.max(...lie.map(({ off }) => off), 1e-9);
      const [low, high] = [Math.min, Math.max].map((most) => [0, 1].map((k) => most(...lie.map(({ at }) => at[k]))));
      const zoom = Math.min((W - 2 * edge) / (high[0] - low[0] || 1), (H - 2 * 20) / (high[1] - low[1] || 1));
      const place = ([x, y]) => [W / 2 + zoom * (x - (low[0] + high[0]) / 2), H / 2 - zoom * (y - (low[1] + high[1]) / 2)];
      const spots = lie.map(({ at }) => place(at)), end = spots.pop(), [A, B, C] = [a, b, c].map((i) => spots[i]);
      const at = (P, Q) => P.map((x, k) => x + done * (Q[k] - x)), foot = at(A, C), head = at(B, end);

      lines.replaceChildren(
        svg("path", { class: "tick", "stroke-dasharray": "4 4", d: `M${A}L${C}M${B}L${end}` }),
        arrow(...A, ...B, { style: "color:var(--blue);stroke-width:2" }),
        ...(done > 0 ? [arrow(...foot, ...head, { style: "color:var(--orange);stroke-width:3" })] : []),
        ...(done === 1 ? [svg("line", { x1: end[0], y1: end[1], x2: spots[answer][0], y2: spots[answer][1], stroke: "var(--orange)", "stroke-dasharray": "2 4" }),
          svg("circle", { cx: spots[answer][0], cy: spots[answer][1], r: 10, fill: "none", stroke: "var(--orange)", "stroke-width": 2.5 })] : []));
      dots.replaceChildren(...spots.map(([cx, cy], i) => svg("circle", { class: "dot", cx, cy, r: 5, "fill-opacity": 1 - 0.75 * (lie[i].off / far) })),
        done === 1 ? svg("path", { d: `M${end[0] - 6} ${end[1]}l6 -6l6 6l-6 6Z`, fill: "var(--orange)", stroke: "currentColor" }) : "");
      const roles = { [c]: "c", [b]: "b", [a]: "a" }, first = [...new Set([a, b, c, answer, ...order])];
      const written = labelled(first.map((i) => spots[i]), first.map((i) => (roles[i] ? `${words[i]} (${roles[i]})` : words[i])), [W, H],
        { avoid: [[A, B], ...(done > 0 ? [[foot, head]] : [])], gap: (n) => (first[n] === answer && done === 1 ? 13 : 8) });
      texts.replaceChildren(...first.map((i, n) => svg("text", {
        x: written[n].x, y: written[n].y, "text-anchor": written[n].anchor, "font-weight": roles[i] || (i === answer && done === 1) ? 700 : 400,
      }, words[i], roles[i] ? ` (${roles[i]})` : "")));

      Object.entries(lists).forEach(([name, box]) => { box.value = `${model.get(name)}`; });
      carry.value = done;
      drawing.ariaLabel = `The arrow from ${words[a]} to ${words[b]}, carried to ${words[c]}; the best word at its tip is ${words[answer]}.`;
      const letter = [[c, "c"], [b, "b"], [a, "a"]].find(([i]) => i === free)?.[1];
      says.replaceChildren(`${words[a]} is to ${words[b]} as ${words[c]} is to `, html("strong", {}, words[answer]), ", score ", number(scores[answer]), ". ",
        a === b ? "With a = b the arrow has no length." : letter && exclude ? `But “${words[free]}”, which is ${letter} itself, scores higher (${text(scores[free])}): it was left out.`
        : letter ? `That is ${letter} itself: no answer at all. ${letter === "a" ? "" : `“${words[a]}” and “${words[letter === "b" ? c : b]}” differ too little to lead away from it.`}`
        : exclude ? "It would be the best even if a, b and c could answer." : "It beats even the three input words.");
      const most = Math.max(...scores), least = Math.min(0, ...scores);
      list.replaceChildren(table("Candidates, the best first", ["word", how === "add" ? "cosine to the tip" : "quotient"], order.slice(0, 8).map((i) => {
        const name = html("span", { class: roles[i] && exclude ? "left" : null }, words[i]), role = roles[i] ? ` (${roles[i]})` : "";
        const bar = html("span", { class: "amount", "aria-hidden": "true" }, html("i", { style: `--long:${(100 * Math.max(0, scores[i])) / (most - least || 1)}%;--hue:var(--${i === answer ? "orange" : "blue"})` }));
        return [html("span", {}, name, role, roles[i] && exclude ? " left out" : ""), html("div", { class: "barred" }, bar, number(scores[i]))];
      })));
      list.firstChild.classList.add("neighbours", "ranked");
      list.querySelectorAll("tbody tr").forEach((row, n) => row.classList.toggle("answer", order[n] === answer));
    };

    el.append(html("div", { class: "together" }, lists.a, lists.b, lists.c, html("span", {}, "is to …?")),
      html("div", { class: "sides" },
        html("div", {}, drawing, html("p", { class: "quiet" }, "Drawn is the plane through a, b and c, all at length 1. The fainter a dot, the further its word lies outside this plane.")),
        html("div", { class: "stack" }, html("div", { class: "together" }, again), carry, says, scroll("The candidates", list))),
      html("div", { class: "together" }, inputs), html("div", { class: "together" }, method, names.length > 1 ? source : null));
    model.on("change:a change:b change:c change:exclude change:method change:set change:carried", draw);
    draw();
  },
};
