// The lattice of CTC for a short text: forward, backward, and the product of both.

// A text with a blank (class 0) before, between and after its letters: its states.
export const extend = (target) => [0, ...target.flatMap((id) => [id, 0])];

// The states from which an arc leads to state s: itself, the one before, and over a blank unless both letters are the same.
export const feeds = (states, s) => [s, s - 1, s - 2].filter((from) => from >= 0 && (from > s - 2 || (states[s] !== 0 && states[s] !== states[from])));

// As seqlab.ctc.reference, in probabilities: alpha and beta (frames x states), the occupancies, the probability that goes
// through every arc, arcs[t][s] = [[from, share of p], ...], the text's probability p, and how many paths there are.
// includes: whether beta counts the probability of its own frame, as Graves et al. (2006) have it.
export const lattice = (rows, target, includes) => {
  const states = extend(target), S = states.length, T = rows.length, y = rows.map((row) => states.map((id) => row[id]));
  const into = range(S).map((s) => feeds(states, s)), out = range(S).map((s) => range(S).filter((to) => into[to].includes(s)));
  const ends = (s) => s >= S - 2, starts = (s) => s < 2;
  // what comes from the left and what goes on to the right of every node, the probabilities y of the frames as given
  const forward = (y) => y.reduce((done, now, t) => [...done, now.map((p, s) => p * (t ? sum(into[s].map((from) => done[t - 1][from])) : +starts(s)))], []);
  const onward = (y) => y.reduceRight((done, now, t) => [now.map((_, s) => (t < T - 1 ? sum(out[s].map((to) => y[t + 1][to] * done[0][to])) : +ends(s))), ...done], []);
  const alpha = forward(y), rest = onward(y), p = sum(alpha[T - 1].filter((_, s) => ends(s)));
  const share = (x) => (p > 0 ? x / p : 0), ones = y.map((row) => row.map(() => 1)), [left, right] = [forward(ones), onward(ones)];
  return {
    states, into, out, y, alpha, p,
    beta: rest.map((row, t) => row.map((x, s) => (includes ? x * y[t][s] : x))),
    gamma: alpha.map((row, t) => row.map((x, s) => share(x * rest[t][s]))),
    arcs: y.map((row, t) => row.map((p, s) => (t ? into[s].map((from) => [from, share(alpha[t - 1][from] * p * rest[t][s])]) : []))),
    alive: left.map((row, t) => row.map((x, s) => x * right[t][s] > 0)),
    paths: sum(left[T - 1].filter((_, s) => ends(s))),
  };
};

const PASSES = ["alpha", "beta", "gamma"], GREEK = ["α", "β", "γ"];
const short = (x) => (x === 0 ? "0" : x < 0.001 ? x.toExponential(1).replaceAll("-", "−") : x.toPrecision(2).slice(0, 6));

export default {
  render({ model, el }) {
    const probabilities = model.get("probabilities"), symbols = model.get("symbols"), targets = model.get("targets"), most = probabilities.length, wait = 700;
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const target = () => targets[model.get("target")], T = () => model.get("frames");
    const made = () => lattice(probabilities.slice(0, T()), target(), model.get("includes"));
    const word = (ids) => ids.map((id) => symbols[id]).join("");
    let timer = null, shape = "", marks;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };

    // at: [pass, frame, state]. The state that a new frame starts with is the one that holds most.
    const place = ([pass, t]) => {
      const row = made()[PASSES[pass]][t];
      return [pass, t, row.indexOf(Math.max(...row))];
    };
    const after = ([pass, t]) => {
      const last = T() - 1;
      return pass === 1 ? (t ? [1, t - 1] : [2, 0]) : t < last ? [pass, t + 1] : pass ? null : [1, last];
    };
    const before = ([pass, t]) => {
      const last = T() - 1;
      return pass === 1 ? (t < last ? [1, t + 1] : [0, last]) : t ? [pass, t - 1] : pass ? [1, 0] : null;
    };
    const move = (to) => { if (to) set("at", place(to)); };
    const go = (where) => () => { stop(); move(where(model.get("at"))); };
    const ahead = button("Next frame", go(after), { class: "main" }), back = button("Back", go(before));
    const across = button("To the end of the pass", go(([pass]) => [pass, pass === 1 ? 0 : T() - 1])), again = button("Start again", go(() => [0, 0]));
    const play = button("Play", () => {
      if (timer) { stop(); return; }
      const tick = () => {
        if (!el.isConnected) { stop(); return; }
        move(after(model.get("at")));
        if (!after(model.get("at"))) stop();
      };
      play.textContent = "Pause";
      timer = setInterval(tick, wait);
      if (after(model.get("at"))) tick(); else move([0, 0]);
    });
    // another text or another number of frames is another lattice: its forward pass starts anew
    const anew = (name, value) => {
      stop();
      model.set(name, value);
      set("at", place([0, 0]));
    };
    const which = choice({ label: "Text", value: `${model.get("target")}`, options: targets.map((ids, n) => [`${n}`, ids.length ? `“${word(ids)}”` : "nothing at all"]), change: (n) => anew("target", +n) });
    const frames = slider({ label: "frames", min: 1, max: most, step: 1, value: T(), show: (n) => text(n, 0), change: (n) => anew("frames", n) });
    const logs = checkbox({ label: "logarithms", checked: model.get("logs"), change: (on) => set("logs", on) });
    const includes = checkbox({ label: "β counts its own frame", checked: model.get("includes"), change: (on) => set("includes", on) });
    const drawing = svg("svg", { role: "group", class: "lattice", style: "max-width:34rem" }), says = html("output", { class: "says" }), quiet = html("output", { class: "quiet" });

    // all that depends on the text and on the number of frames
    const build = ({ states, into, alive }) => {
      const n = T(), S = states.length, W = 340, left = 30, wide = Math.min(58, (W - left) / n), C = symbols.length, head = 15, low = head + C * 15, top = low + 24, tall = 43;
      const x = (t) => left + (t + 0.5) * wide, y = (s) => top + s * tall;
      const words = (at, base, said, more = {}) => svg("text", { x: at, y: base, "text-anchor": "middle", ...more }, said);
      const line = (t, from, s, more) => svg("path", { d: `M${x(t - 1)} ${y(from)}L${x(t)} ${y(s)}`, ...more });
      const arcs = range(n).map((t) => range(S).map((s) => (t ? into[s].map((from) => line(t, from, s, { class: "arc", "data-arc": `${t} ${from} ${s}`, "data-dead": !(alive[t - 1][from] && alive[t][s]) })) : [])));
      const cells = range(S).map((s) => range(n).map((t) => svg("g", { role: "gridcell", "aria-selected": "false", "aria-label": "" },
        svg("rect", { x: x(t) - wide / 2, y: y(s) - 14, width: wide, height: tall, fill: "transparent" }),
        svg("circle", { cx: x(t), cy: y(s), r: 3, class: "node" }), words(x(t), y(s) + 19, "", { "font-size": 9.5, "aria-hidden": "true" }))));
      const heads = range(n).map((t) => words(x(t), 10, t + 1, { "font-size": 11 }));
      const said = probabilities.slice(0, n).map((row, t) => row.map((p, id) => svg("g", {},
        svg("rect", { x: x(t) - wide / 2 + 1, y: head + id * 15, width: wide - 2, height: 14, fill: "var(--blue)", "fill-opacity": 0.75 * p }), words(x(t), head + 11 + id * 15, text(p), { "font-size": 10 }))));
      const frame = svg("rect", { y: head - 1, width: wide, height: low - head, class: "column" }), extra = svg("g"), sigma = words(1, y(S - 1) + 34, "", { "font-size": 9.5, "font-style": "italic", "text-anchor": "start" }), total = range(n).map((t) => words(x(t), y(S - 1) + 34, "", { "font-size": 9.5, "font-style": "italic" }));
      const grid = svg("g", { role: "grid", "aria-label": "Nodes of the lattice, a row a state, a column a frame" }, cells.map((row) => svg("g", { role: "row" }, row)));
      drawing.setAttribute("viewBox", `0 0 ${W} ${y(S - 1) + 40}`);
      drawing.replaceChildren(
        svg("g", { "aria-hidden": "true" }, words(0, 10, "frame", { "text-anchor": "start", "font-size": 10 }), heads, symbols.map((one, id) => words(16, head + (id ? 11 : 8) + id * 15, one, { "font-size": 11 })), said, frame, arcs,
          states.map((id, s) => [words(14, y(s) + (id ? 4 : 1), symbols[id], { "font-size": 13, class: id ? "letter" : null }), words(1, y(s) + 3, s + 1, { "font-size": 8.5, "text-anchor": "start", class: "faint" })])),
        grid, svg("g", { "aria-hidden": "true" }, extra, sigma, total));
      rove(cells, (cell) => {
        const s = cells.findIndex((row) => row.includes(cell)), t = cells[s].indexOf(cell), [pass] = model.get("at");
        if (JSON.stringify([pass, t, s]) === JSON.stringify(model.get("at"))) return;
        stop();
        set("at", [pass, t, s]);
      });
      marks = { arcs, cells, frame, extra, sigma, total, x, y, wide, words, line, left };
    };

    const draw = () => {
      const now = made(), { states, into, out, y, p } = now, [pass, t, s] = model.get("at"), n = T(), S = states.length, log = model.get("logs"), own = model.get("includes");
      const name = `${n} ${target()}`;
      if (shape !== name) { build(now); shape = name; }
      const show = (v) => (log ? text(Math.log(v), Math.log(v) <= -9.995 ? 1 : 2) : short(v)), say = (v) => number(log ? Math.log(v) : v, () => show(v));
      const rows = now[PASSES[pass]], there = (frame) => (pass === 1 ? frame >= t : frame <= t), sub = (of, frame, state) => [log ? "ln " : "", GREEK[of], html("sub", {}, frame + 1), `(${state + 1})`];
      which.value = `${model.get("target")}`;
      frames.value = n;
      ahead.disabled = !after(model.get("at"));
      back.disabled = again.disabled = !before(model.get("at"));
      across.disabled = t === (pass === 1 ? 0 : n - 1);
      includes.querySelector("input").disabled = pass === 0;
      logs.querySelector("input").checked = log;
      includes.querySelector("input").checked = own;

      // the terms of the sum at the chosen node: [the state at the arc's other end, what comes through the arc]
      const terms = pass === 0 ? (t ? into[s].map((from) => [from, y[t][s] * now.alpha[t - 1][from]]) : [])
        : pass === 1 ? (t < n - 1 ? out[s].map((to) => [to, (own ? y[t][s] : y[t + 1][to]) * now.beta[t + 1][to]]) : []) : now.arcs[t][s];
      const fed = new Set(terms.map(([other]) => (pass === 1 ? `${t + 1} ${s} ${other}` : `${t} ${other} ${s}`)));
      const height = (frame) => sum(rows[frame]) || 1;
      marks.arcs.forEach((column, frame) => column.forEach((list, to) => list.forEach((arc, i) => {
        const on = fed.has(arc.dataset.arc), past = pass === 1 ? frame > t : there(frame);
        arc.classList.toggle("on", on);
        arc.classList.toggle("past", past);
        arc.setAttribute("stroke-width", pass === 2 && past ? 0.4 + 6 * now.arcs[frame][to][i][1] : on ? 3 : 1);
      })));
      marks.cells.forEach((row, state) => row.forEach((cell, frame) => {
        const value = rows[frame][state], [, ball, label] = cell.children, chosen = frame === t && state === s;
        cell.classList.toggle("on", chosen);
        cell.classList.toggle("known", there(frame));
        cell.setAttribute("aria-selected", `${chosen}`);
        cell.tabIndex = chosen ? 0 : -1;
        ball.setAttribute("r", there(frame) ? 3 + 7 * Math.sqrt(value / height(frame)) : 3);
        label.textContent = there(frame) ? show(value) : "";
        cell.setAttribute("aria-label", `${symbols[states[state]] === symbols[0] ? "blank" : symbols[states[state]]}, state ${state + 1}, frame ${frame + 1}${there(frame) ? `: ${GREEK[pass]} = ${show(value)}` : ""}`);
      }));
      marks.frame.setAttribute("x", marks.left + t * marks.wide);
      marks.total.forEach((label, frame) => { label.textContent = pass === 2 && there(frame) && p > 0 ? show(sum(rows[frame])) : ""; });
      marks.sigma.textContent = pass === 2 && p > 0 ? "sum" : "";
      const numbers = terms.filter(([, v]) => v > 0).map(([other, v]) => {
        const [frame, from, to] = pass === 1 ? [t + 1, s, other] : [t, other, s];
        // where an arc's number hides no node's: above a level arc, low on one that falls, and in the middle of a skip
        const along = to === from + 1 ? 0.57 : 0.5, at = (place, a, b) => (1 - along) * place(a) + along * place(b);
        return marks.words(at(marks.x, frame - 1, frame), at(marks.y, from, to) + (to === from ? -4 : 3), show(v), { "font-size": 9.5, class: "term" });
      });
      // the arc that is not there: over the blank between two equal letters
      const twin = (state) => state >= 2 && state < S && states[state] !== 0 && states[state] === states[state - 2];
      const missing = pass === 1 ? twin(s + 2) && t < n - 1 : twin(s) && t > 0, [frame, to] = pass === 1 ? [t + 1, s + 2] : [t, s];
      const cross = missing ? [(marks.x(frame - 1) + marks.x(frame)) / 2, (marks.y(to - 2) + marks.y(to)) / 2] : null;
      marks.extra.replaceChildren(...(missing ? [marks.line(frame, to - 2, to, { class: "missing" }), svg("path", { class: "cross", d: `M${cross[0] - 5} ${cross[1] - 5}l10 10m0 -10l-10 10` })] : []), ...numbers);

      const sign = symbols[states[s]], who = states[s] ? [`the letter `, html("b", {}, sign)] : ["a blank"], where = [html("b", {}, `Frame ${t + 1}, state ${s + 1}`), ", ", ...who, ". "];
      const plus = (parts, between = " + ") => parts.flatMap((part, i) => (i ? [between, part] : [part])), power = (v) => ["e", html("sup", {}, show(v))];
      const value = rows[t][s], dead = !now.alive[t][s];
      const sumOf = (of, there_, factor, list, next) => {
        const known = list.map((other) => now[PASSES[of]][next][other]);
        if (log) return [...sub(of, t, s), " = ", ...(factor === null ? [] : [say(factor), " + "]), "ln(", ...plus(terms.map(([, v]) => power(factor === null || factor === 0 ? v : v / factor))), ") = ", say(value), ". "];
        return [...sub(of, t, s), " = ", ...plus(terms.map(([other], i) => [say(factor ?? y[t + 1][other]), " · ", say(known[i])])), terms.length > 1 ? [" = ", ...plus(terms.map(([, v]) => say(v)))] : [], " = ", say(value), ". "];
      };
      const first = { 0: t === 0, 1: t === n - 1, 2: false }[pass], may = pass === 0 ? s < 2 : s >= S - 2;
      const start = pass === 0
        ? (may ? ["A path may start here: ", ...sub(0, t, s), log ? " = ln y = " : " = y = ", say(value), ". "] : ["No path starts here: a path starts with the first blank or the first letter. ", ...sub(0, t, s), " = ", say(value), ". "])
        : (may ? ["A path may end here: ", ...sub(1, t, s), own ? (log ? " = ln y = " : " = y = ") : " = ", say(value), ". "] : ["No path ends here: a path ends with the last letter or the last blank. ", ...sub(1, t, s), " = ", say(value), ". "]);
      const product = () => (p === 0 ? ["There is no path, so there is nothing to share out. "] : [
        ...sub(2, t, s), log ? " = ln α + ln β" : " = α · β", own ? (log ? " − ln y" : " / y") : "", log ? " − ln p = " : " / p = ", say(now.alpha[t][s]), log ? " + " : " · ", say(now.beta[t][s]), ...(own ? [log ? " − " : " / ", say(y[t][s])] : []), log ? " − " : " / ", say(p), " = ", say(value),
        `: of the probability of all paths, ${percent(value)} goes through this node. A column sums to one. `]);
      const arc = missing ? [html("b", {}, "No arc skips the blank"), ` between the two ${sign}: without it they would collapse into one. `] : [];
      const body = pass === 2 ? product() : first ? start : pass === 0 ? sumOf(0, t, y[t][s], into[s], t - 1) : sumOf(1, t, own ? y[t][s] : null, out[s], t + 1);
      const why = pass < 2 && dead && !first && value > 0 ? [pass ? "No path comes this way from the start. " : "From here the text cannot be finished in time. "] : [];
      // at the end of a pass: both places together give p
      const ended = pass === 0 && t === n - 1, begun = pass === 1 && t === 0, both = range(S).filter((i) => (ended ? i >= S - 2 : i < 2));
      const sides = both.map((i) => (ended ? [[now.alpha[t][i]]] : own ? [[now.beta[0][i]]] : [[y[0][i], now.beta[0][i]]])[0]);
      const joined = log ? ["ln(", ...plus(sides.map((one) => power(one.reduce((a, b) => a * b)))), ")"] : plus(sides.map((one) => plus(one.map(say), " · ")));
      const total = ended || begun ? [html("br"), `${both.length > 1 ? "Both places" : "The place"} where a path may ${ended ? "end" : "start"}${begun && !own ? `, ${both.length > 1 ? "each " : ""}times its y` : ""}: ${log ? "ln p" : "p"} = `, joined, " = ",
        html("b", {}, log ? number(Math.log(p), (v) => text(v, 4)) : number(p, (v) => (v === 0 ? "0" : v.toPrecision(4).replaceAll("-", "−")))), begun ? ", the same as forward" : "", ", and the loss −ln p = ", html("b", {}, number(p === 1 ? 0 : -Math.log(p), (v) => text(v, 4))), "."] : [];
      says.replaceChildren(...[where, body, why, arc, total].flat(Infinity));

      const needs = target().length + target().filter((id, i, all) => i && id === all[i - 1]).length;
      quiet.replaceChildren(html("b", {}, now.paths.toLocaleString("en")), ` path${now.paths === 1 ? "" : "s"} of ${n} frame${n === 1 ? "" : "s"} collapse${now.paths === 1 ? "s" : ""} to ${target().length ? `“${word(target())}”` : "nothing"}${n < needs ? `: it needs ${needs} frames at the least` : ""}. `,
        ["Forward pass: α is the probability of all ways from the start to a node.", `Backward pass: β is the probability of all ways from a node to the end, ${own ? "its own frame counted (Graves et al., 2006)" : "its own frame not counted"}.`, "Product: γ is the share of p that goes through a node; a line's width is the share of its arc."][pass]);
      drawing.setAttribute("aria-label", `The lattice of ${target().length ? `“${word(target())}”` : "the empty text"}: ${S} state${S > 1 ? "s" : ""} by ${n} frame${n > 1 ? "s" : ""}, ${["forward", "backward", "product"][pass]} pass at frame ${t + 1}.`);
    };

    el.append(html("div", { class: "together" }, which, logs, includes), frames, html("div", { class: "together" }, ahead, back, play, across, again), drawing, says, quiet,
      html("p", { class: "quiet" }, "Above: the probability y of every symbol in every frame. Below: the lattice; a node's size is its share of the column. Choose a node by a click or the arrow keys; in orange the arcs that feed it, with their terms of the sum."));
    model.on("change:target change:frames change:logs change:includes change:at", () => { if (model.get("at")[1] < T() && model.get("at")[2] <= 2 * target().length) draw(); });
    draw();
  },
};
