// A Huffman tree built merge by merge; then a word's path from the root, its code and what the code costs on average.

// As seqlab.embeddings.reference.huffman: leaves 0 .. V-1, inner nodes V, V+1, ... as they are made; each merge takes the
// two nodes of the smallest counts, ties to the smaller id; the first of them gets bit 0 (left), the second bit 1 (right).
export const merges = (counts) => {
  const open = counts.map((count, id) => ({ id, count })), made = [];
  for (let id = counts.length; open.length > 1; id += 1) {
    open.sort((a, b) => a.count - b.count || a.id - b.id);
    const [left, right] = open.splice(0, 2), node = { id, left: left.id, right: right.id, count: left.count + right.count };
    made.push(node);
    open.push(node);
  }
  return made;
};

// The code of every word: inner nodes from the root down, numbered from 0, and the bit taken at each.
export const codes = (counts) => {
  const V = counts.length, nodes = counts.map(() => []), bits = counts.map(() => []);
  const walk = (id, path, taken) => {
    if (id < V) { nodes[id] = path; bits[id] = taken; return; }
    const { left, right } = made[id - V];
    walk(left, [...path, id - V], [...taken, 0]);
    walk(right, [...path, id - V], [...taken, 1]);
  };
  const made = merges(counts);
  walk(2 * V - 2, [], []);
  return { nodes, bits };
};

// Mean length of a code in bits, the entropy of the words, and log2 V.
export const costs = (counts) => {
  const total = sum(counts), p = counts.map((n) => n / total), { bits } = codes(counts);
  return { mean: dot(p, bits.map((code) => code.length)), entropy: -sum(p.map((x) => (x > 0 ? x * Math.log2(x) : 0))), flat: Math.log2(counts.length) };
};

export default {
  render({ model, el }) {
    const words = model.get("words"), V = words.length, wait = 900;
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const move = (step) => set("step", clamp(step, 0, V - 1)), go = (f) => () => { stop(); move(f(model.get("step"))); };
    const forth = button("Next merge", go((n) => n + 1), { class: "main" }), back = button("Back", go((n) => n - 1)), again = button("Start again", go(() => 0));
    const play = button("Play", () => {
      if (timer) { stop(); return; }
      const tick = () => {
        if (!el.isConnected) { stop(); return; }
        move(model.get("step") + 1);
        if (model.get("step") === V - 1) stop();
      };
      play.textContent = "Pause";
      timer = setInterval(tick, wait);
      if (model.get("step") === V - 1) move(0); else tick();
    });
    const merge = slider({ label: "merges done", min: 0, max: V - 1, step: 1, value: model.get("step"), show: (n) => `${n} of ${V - 1}`, change: (n) => { stop(); move(n); } });
    const chosen = choice({ label: "Word", options: words.map((word, i) => [`${i}`, word]), value: `${model.get("word")}`, change: (i) => { stop(); model.set("step", V - 1); set("word", +i); } });
    const boxes = words.map((word, i) => slider({ label: word, min: 1, max: Math.max(50, ...model.get("counts")), step: 1, value: model.get("counts")[i], show: (n) => text(n, 0),
      change: (n) => { stop(); set("counts", model.get("counts").map((old, j) => (j === i ? n : old))); } }));
    const inputs = html("details", {}, html("summary", {}, "The counts: change any of them"), html("div", { class: "odds" }, boxes));
    const tree = svg("svg", { role: "img", style: "max-width:36rem" }), says = html("output", { class: "says" }), facts = html("output", { class: "quiet" }), list = html("div"), all = scroll("All codes", list);

    const draw = () => {
      const counts = model.get("counts"), step = model.get("step"), word = model.get("word"), made = merges(counts), { nodes, bits } = codes(counts), done = step === V - 1;
      // the whole tree's places: leaves side by side as the finished tree orders them, a node above the higher child
      const at = {}, W = 340, low = 74, row = 30;
      const place = (id) => {
        if (id < V) return (at[id] = { x: 16 + ((W - 32) * range(V).filter((i) => i in at).length) / Math.max(1, V - 1), level: 0 });
        const { left, right } = made[id - V], [a, b] = [place(left), place(right)];
        return (at[id] = { x: (a.x + b.x) / 2, level: Math.max(a.level, b.level) + 1 });
      };
      const H = 24 + place(2 * V - 2).level * row + low, y = (id) => H - low - at[id].level * row;
      const last = made[step - 1], next = made[step], lit = new Set(next ? [next.left, next.right] : []), path = done ? nodes[word] : [], on = new Set(path.map((n) => n + V));
      const drawn = [];
      made.slice(0, step).forEach(({ id, left, right }) => [left, right].forEach((child, bit) => {
        const way = on.has(id) && (on.has(child) || child === word), fresh = id === last.id && !done;
        drawn.push(svg("path", { d: `M${at[id].x} ${y(id)}L${at[child].x} ${y(child)}`, fill: "none", "data-edge": `${id}-${child}`, stroke: way ? "var(--orange)" : fresh ? "var(--blue)" : "currentColor", "stroke-width": way ? 4 : fresh ? 3 : 1, "stroke-opacity": way || fresh ? 1 : 0.5 }));
        if (way) drawn.push(svg("text", { x: (at[id].x + at[child].x) / 2 + (bit ? 5 : -5), y: (y(id) + y(child)) / 2 + 1, "text-anchor": bit ? "start" : "end", "font-weight": 700, class: "bit" }, bit));
      }));
      [...range(V), ...made.slice(0, step).map(({ id }) => id)].forEach((id) => {
        const hot = lit.has(id), way = on.has(id) || (done && id === word), count = id < V ? counts[id] : made[id - V].count, { x } = at[id];
        const edge = hot || way ? "var(--orange)" : id === last?.id ? "var(--blue)" : "currentColor", width = hot || way || id === last?.id ? 3 : 1;
        if (id < V) {
          drawn.push(svg("circle", { cx: x, cy: y(id), r: 5, fill: hot || way ? "var(--orange)" : "var(--soft)", stroke: edge, "stroke-width": width, "data-node": id }),
            svg("text", { transform: `translate(${x + 4} ${y(id) + 10}) rotate(-90)`, "text-anchor": "end", "font-weight": hot || way ? 700 : 400 }, `${words[id]} ${count}`));
        } else {
          const wide = 8 + 6.6 * `${count}`.length;
          drawn.push(svg("rect", { x: x - wide / 2, y: y(id) - 9, width: wide, height: 18, rx: 5, class: "node", stroke: edge, "stroke-width": width, "data-node": id }),
            svg("text", { x, y: y(id) + 4, "text-anchor": "middle", "font-size": 11 }, count));
        }
      });
      tree.setAttribute("viewBox", `0 0 ${W} ${H}`);
      tree.replaceChildren(...drawn);
      const name = (id) => (id < V ? `“${words[id]}”` : `the node of ${leaves(id).length > 4 ? `${leaves(id).length} words` : leaves(id).map((i) => words[i]).join(", ")}`), count = (id) => (id < V ? counts[id] : made[id - V].count);
      const leaves = (id) => (id < V ? [id] : [...leaves(made[id - V].left), ...leaves(made[id - V].right)]);
      tree.ariaLabel = done ? `The whole Huffman tree of ${V} words; “${words[word]}” lies ${bits[word].length} steps below the root, by ${bits[word].map((bit) => (bit ? "right" : "left")).join(", ")}.`
        : `A forest of ${V - step} trees after ${step} of ${V - 1} merges; next ${name(next.left)} and ${name(next.right)} join.`;
      forth.disabled = done;
      back.disabled = again.disabled = step === 0;
      merge.value = step;
      chosen.value = `${word}`;
      boxes.forEach((box, i) => { box.value = counts[i]; });
      const before = last ? `Joined: ${name(last.left)} and ${name(last.right)} make a node of ${count(last.left)} + ${count(last.right)} = ${last.count}. ` : "";
      if (!done) says.replaceChildren(before, `${V - step} trees stand. The two smallest, in orange, join next: ${name(next.left)} (${count(next.left)}) and ${name(next.right)} (${count(next.right)}).`);
      else says.replaceChildren(before, `“${words[word]}” has the code `, html("b", { class: "code" }, bits[word].join("")), ": from the root go ", bits[word].map((bit) => (bit ? "right (1)" : "left (0)")).join(", "),
        `. Its probability takes ${bits[word].length} sigmoid${bits[word].length > 1 ? "s" : ""}, where a softmax takes ${V} scores.`);
      const { mean, entropy, flat } = costs(counts);
      facts.replaceChildren("Mean length of a code, weighted by counts: ", number(mean), " bits. Entropy: ", number(entropy), " bits, which no code beats; all words alike: log2 V = ", number(flat), ".");
      facts.hidden = !done;
      all.hidden = !done;
      list.replaceChildren(table("All codes", ["word", "count", "code", "length"], range(V).sort((i, j) => counts[j] - counts[i] || i - j).map((i) => [i === word ? html("mark", {}, words[i]) : words[i], counts[i], bits[i].join(""), bits[i].length])));
    };

    el.append(html("div", { class: "together" }, forth, back, play, again), merge, tree, says, chosen, facts, all, inputs);
    model.on("change:step change:word change:counts", draw);
    draw();
  },
};
