// Beam search on the probabilities of a real model, as a tree that grows to the right.

// As seqlab.decode.reference.beam_search: every step with its candidates, the beams that stay and the results so far.
// A node of the tree is [word, log-probability, the nodes that follow or null], words that no beam can need left out.
export const search = (sentence, B, alpha) => {
  const { eos, max_len: longest } = sentence, steps = [];
  let beams = [{ path: [], logs: [], total: 0, next: sentence.next }], results = [];
  for (let n = 1; n <= longest; n += 1) {
    const all = beams.flatMap(({ path, logs, total, next }, beam) => (next ?? []).map(([word, log, following]) => (
      { path: [...path, word], logs: [...logs, log], total: total + log, beam, word, next: following })));
    if (!all.length) break;
    all.sort((a, b) => b.total - a.total || a.beam - b.beam || a.word - b.word);
    const best = all.slice(0, 2 * B), ended = best.slice(0, B).filter(({ word }) => word === eos);
    beams = best.filter(({ word }) => word !== eos).slice(0, B);
    ended.forEach((one) => { one.score = one.total / n ** alpha; });
    results = [...results, ...ended].sort((a, b) => b.score - a.score);
    const kept = new Set([...ended, ...beams]), reach = n < longest && beams.length ? beams[0].total / longest ** alpha : -Infinity;
    steps.push({ n, candidates: best.map((one) => ({ ...one, fate: !kept.has(one) ? "dropped" : one.word === eos ? "ended" : "kept" })), beams, ended, results, reach });
    if (!beams.length || (results.length && results[0].score >= reach)) break;
  }
  const open = beams.map((one) => ({ ...one, score: one.total / one.path.length ** alpha })).sort((a, b) => b.score - a.score);
  return { steps, best: results[0] ?? open[0] };
};

// The tree of a whole search: nodes by path, with the step after which they stand, the row and the column of each.
// A node's likeliest child goes on in its row; the others open rows below. Of the dropped candidates of a step stand there
// two at most, and none that is e⁵ = 148 times less likely than the best.
export const layout = ({ steps }) => {
  const root = { key: "", path: [], children: [], depth: 0, row: 0 }, nodes = new Map([["", root]]);
  steps.forEach(({ candidates }) => {
    const few = candidates.filter(({ fate, total }) => fate === "dropped" && total > candidates[0].total - 5).slice(0, 2);
    candidates.filter((one) => one.fate !== "dropped" || few.includes(one)).forEach((one) => {
      const parent = nodes.get(one.path.slice(0, -1).join(" ")), key = one.path.join(" "), node = { ...one, key, parent, children: [], depth: one.path.length };
      parent.children.push(node);
      nodes.set(key, node);
    });
  });
  let rows = 0;
  const place = (node, row) => {
    node.row = row;
    const firm = (one) => one.fate !== "dropped";
    node.children.sort((a, b) => firm(b) - firm(a) || b.logs.at(-1) - a.logs.at(-1) || a.word - b.word);
    node.children.forEach((child, i) => { if (i) rows += 1; place(child, i ? rows : row); });
  };
  place(root, 0);
  return { nodes: [...nodes.values()], rows: rows + 1 };
};

export default {
  render({ model, el }) {
    const tree = model.get("tree"), set = (name, value) => { model.set(name, value); model.save_changes(); };
    const now = () => search(tree[model.get("sentence")], model.get("B"), model.get("alpha"));
    const go = (step) => set("step", clamp(step, 0, now().steps.length));
    // a search that went to its end does so with the new numbers too
    const again = (name) => (value) => {
      const whole = model.get("step") > 0 && model.get("step") >= now().steps.length;
      model.set(name, value);
      const last = now().steps.length;
      model.set("step", whole ? last : Math.min(model.get("step"), last));
      model.save_changes();
    };
    const source = choice({ label: "Translate", options: tree.map((one, i) => [`${i}`, one.source]), value: `${model.get("sentence")}`, change: (i) => { model.set("step", 0); set("sentence", +i); } });
    const width = slider({ label: "beams B", min: 1, max: 6, step: 1, value: model.get("B"), show: (B) => (B === 1 ? "greedy" : text(B, 0)), change: again("B") });
    const alpha = slider({ label: "exponent α", min: 0, max: 1.5, step: 0.1, value: model.get("alpha"), show: (x) => text(x, 1), change: again("alpha") });
    const next = button("Next step", () => go(model.get("step") + 1), { class: "main" }), back = button("Back", () => go(model.get("step") - 1));
    const end = button("To the end", () => go(now().steps.length)), start = button("Start again", () => go(0));
    const drawing = svg("svg", { role: "img", class: "beams" }), frame = scroll("The tree of the search", drawing);
    const says = html("output", { class: "says" }), sums = html("p"), list = html("div", { class: "grams" }), ends = html("div", { class: "grams" });

    const draw = () => {
      const sentence = tree[model.get("sentence")], B = model.get("B"), power = model.get("alpha");
      const found = now(), { steps, best } = found, step = Math.min(model.get("step"), steps.length), last = steps[step - 1], done = step === steps.length, V = sentence.words.length;
      const name = (path) => path.filter((word) => word !== sentence.eos).map((word) => sentence.words[word]).join(" ");
      source.value = `${model.get("sentence")}`;
      width.value = B;
      alpha.value = power;
      next.disabled = end.disabled = done;
      back.disabled = start.disabled = step === 0;

      // thick: what leads to a beam or to a finished translation
      const { nodes, rows } = layout(found), winner = done ? best.path.join(" ") : null, alive = new Set();
      const ended = new Map(steps.slice(0, step).flatMap((one) => one.ended).map((one) => [one.path.join(" "), one]));
      const held = [...(last ? (done && best.word === sentence.eos ? [] : last.beams) : []), ...ended.values()];
      held.forEach(({ path }) => range(path.length + 1).forEach((n) => alive.add(path.slice(0, n).join(" "))));
      const onWay = (key) => winner !== null && (winner === key || winner.startsWith(`${key} `) || key === "");
      const said = (node) => (node.key === "" ? "" : node.word === sentence.eos ? "■" : sentence.words[node.word]);
      const score = (node) => `■ ${text(ended.get(node.key)?.score ?? 0, 3)}`;
      // a column is as wide as its longest word, a row as high as what stands in it
      const wide = (written) => 8.1 * [...written].length + 2, columns = range(sentence.max_len + 2).map((n) => Math.max(0, ...nodes.filter(({ depth }) => depth === n).map((node) => wide(node.word === sentence.eos ? "■ −0.000" : said(node)))));
      const x = columns.map((_, n) => (n ? 30 + sum(columns.slice(1, n)) + 22 * (n - 1) : 8)), firm = range(rows).map((row) => nodes.some((node) => node.row === row && node.fate && node.fate !== "dropped"));
      const y = firm.map((_, row) => 22 + sum(firm.slice(0, row).map((one) => (one ? 31 : 18)))), W = Math.ceil(x[Math.max(...nodes.map(({ depth }) => depth))] + columns[Math.max(...nodes.map(({ depth }) => depth))] + 8), H = y.at(-1) + 24;
      const drawn = [svg("circle", { cx: x[0], cy: y[0], r: 4, class: "dot" })];
      let edge = 0;
      const kindOf = ({ key, fate }) => (onWay(key) ? "won" : alive.has(key) ? "live" : fate === "dropped" ? "dropped" : "left"), layers = ["dropped", "left", "live", "won"];
      nodes.filter(({ depth }) => depth > 0 && depth <= step).sort((a, b) => layers.indexOf(kindOf(a)) - layers.indexOf(kindOf(b))).forEach((node) => {
        const { parent, depth, fate, key } = node, kind = kindOf(node);
        const from = parent.depth ? x[parent.depth] + wide(said(parent)) + 1 : x[0] + 5, to = x[depth] - 3, mid = x[depth] - 19;
        const line = parent.row === node.row ? `M${from} ${y[node.row]}H${to}` : `M${from} ${y[parent.row]}H${mid}C${mid + 8} ${y[parent.row]} ${mid} ${y[node.row]} ${mid + 10} ${y[node.row]}H${to}`;
        drawn.push(svg("path", { d: line, class: `branch ${kind}`, "data-branch": key }));
        drawn.push(svg("text", { x: x[depth], y: y[node.row] + 4, class: `word ${kind}`, "data-word": key }, ended.has(key) ? score(node) : said(node)));
        if (fate !== "dropped") drawn.push(svg("text", { x: x[depth], y: y[node.row] + 15, class: "log" }, text(node.logs.at(-1))));
        if (depth === step && fate !== "dropped") edge = Math.max(edge, x[depth] + wide(said(node)) + 30);
      });
      drawing.setAttribute("viewBox", `0 0 ${W} ${H}`);
      drawing.setAttribute("style", `width:${W}px;max-width:none`);
      drawing.replaceChildren(...drawn);
      drawing.ariaLabel = step === 0 ? "The root of the tree: nothing is written yet." : done
        ? `The search is over after ${step} steps. The best of ${last.results.length} finished translations: ${name(best.path)}.`
        : `After step ${step} the beams are: ${last.beams.map(({ path }) => name(path)).join("; ")}. Finished: ${last.results.length}.`;
      // on a narrow screen the tree scrolls along with its tips
      frame.scrollLeft = Math.max(0, edge - frame.clientWidth);

      if (!step) {
        says.replaceChildren(`Nothing is written yet. The model knows ${V} words; in each step B = ${B} beginning${B > 1 ? "s stay" : " stays"}.`);
      } else {
        const before = step > 1 ? steps[step - 2].beams.length : 1, stop = !done ? "" : !last.beams.length || step === sentence.max_len ? " There the search ends." : " No open branch can still win, so the search ends.";
        says.replaceChildren(`Step ${step}: ${before} beginning${before > 1 ? "s" : ""} × ${V} words make ${before * V} continuations. The ${B > 1 ? `${B} likeliest beginnings stay` : "likeliest stays"}`,
          last.ended.length ? `, and ${last.ended.length > 1 ? `${last.ended.length} are` : "1 is"} finished.` : ".", stop);
      }
      list.hidden = !step;
      ends.hidden = !last?.results.length;
      // before the end nothing is divided yet: say what α will do
      sums.replaceChildren("Finished translations are ranked by log P / n", html("sup", {}, text(power, 1)), `. With n = 8 words that divides by ${text(8 ** power, 2)}.`);
      if (!step) return;
      const n = best.path.length, plus = best.logs.map((log) => (log < 0 ? `(${text(log)})` : text(log))).join(" + ");
      const right = sentence.right.indexOf(name(best.path)), tells = !sentence.right.length ? "" : right < 0 ? " It is not among the right translations." : ` It is one of the ${sentence.right.length} right translations${right ? "" : ", the most probable"}.`;
      if (done) sums.replaceChildren(html("b", {}, name(best.path) ? `“${name(best.path)}”` : "No word at all"), `${best.word === sentence.eos ? "" : " (not finished)"}: log P = ${plus} = `, number(best.total, (x) => text(x, 3)), ` nats. ${best.word === sentence.eos ? "With its end it" : "It"} has n = ${n} word${n > 1 ? "s" : ""}: ${text(best.total, 3)} / ${n}`, html("sup", {}, text(power, 1)), " = ", number(best.score, (x) => text(x, 3)), `.${tells}`);
      const some = [...last.candidates.filter(({ fate }) => fate !== "dropped"), ...last.candidates.filter(({ fate }) => fate === "dropped").slice(0, 2)];
      const whole = ({ path, word }) => `${name(path)}${word === sentence.eos ? " ■" : ""}`;
      list.replaceChildren(table(`Step ${step}: what stays, and the best of the rest`, ["beginning", "log P", "fate"],
        some.map((one) => [one.fate === "dropped" ? whole(one) : html("b", {}, whole(one)), number(one.total, (x) => text(x, 3)), one.fate === "ended" ? "finished" : one.fate])));
      if (last.results.length) ends.replaceChildren(table("Finished, best first", ["translation", "log P", "n", "score"],
        last.results.map(({ path, total, score: its }) => [name(path) || "■", number(total, (x) => text(x, 3)), path.length, number(its, (x) => text(x, 3))])));
    };

    if (tree.length > 1) el.append(source);
    el.append(width, alpha, html("div", { class: "together" }, next, back, end, start), says, frame, sums, html("div", { class: "sides beamlists" }, list, ends));
    model.on("change:step change:sentence change:B change:alpha", draw);
    draw();
  },
};
