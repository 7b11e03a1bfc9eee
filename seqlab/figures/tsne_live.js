// t-SNE running in the page, exact: every pair of points in every step. Points lie flat: N times D numbers, row by row.

const EXAGGERATION = 12, EARLY = 250, LAST = 1000;

// As seqlab.tsne.reference.squared_distances.
export const squared = (X, N) => {
  const D = X.length / N, d = new Float64Array(N * N);
  for (let i = 0; i < N; i += 1) {
    for (let j = 0; j < i; j += 1) {
      let s = 0;
      for (let k = 0; k < D; k += 1) s += (X[i * D + k] - X[j * D + k]) ** 2;
      d[i * N + j] = d[j * N + i] = s;
    }
  }
  return d;
};

// p(j|i): a Gaussian around each point, as wide as its perplexity asks; found by bisection of beta = 1 / (2 sigma^2).
export const conditional = (d, N, perplexity, tolerance = 1e-10) => {
  const P = new Float64Array(N * N), beta = new Float64Array(N).fill(1), wanted = Math.log(perplexity);
  for (let i = 0; i < N; i += 1) {
    const row = P.subarray(i * N, (i + 1) * N), near = Math.min(...range(N).filter((j) => j !== i).map((j) => d[i * N + j]));
    let [low, high] = [0, Infinity];
    for (let tries = 0; tries < 200; tries += 1) {
      let [total, mean] = [0, 0];
      for (let j = 0; j < N; j += 1) {
        const far = d[i * N + j] - near;
        row[j] = j === i ? 0 : Math.exp(-beta[i] * far);
        total += row[j];
        mean += row[j] * (j === i ? 0 : far);
      }
      for (let j = 0; j < N; j += 1) row[j] /= total;
      const excess = Math.log(total) + (beta[i] * mean) / total - wanted; // of the row's entropy
      if (Math.abs(excess) < tolerance) break;
      if (excess > 0) { low = beta[i]; beta[i] = high === Infinity ? 2 * beta[i] : (low + high) / 2; }
      else { high = beta[i]; beta[i] = (low + high) / 2; }
    }
  }
  return { P, beta };
};

// p_ij = (p(j|i) + p(i|j)) / 2N
export const joint = (P, N) => P.map((p, at) => (p + P[(at % N) * N + Math.floor(at / N)]) / (2 * N));

// w_ij = 1 / (1 + |y_i - y_j|^2) and their sum
const affinities = (Y, N) => {
  const w = new Float64Array(N * N);
  let Z = 0;
  for (let i = 0; i < N; i += 1) {
    for (let j = 0; j < i; j += 1) {
      const near = 1 / (1 + (Y[2 * i] - Y[2 * j]) ** 2 + (Y[2 * i + 1] - Y[2 * j + 1]) ** 2);
      w[i * N + j] = w[j * N + i] = near;
      Z += 2 * near;
    }
  }
  return { w, Z };
};

export const divergence = (P, Y, N) => {
  const { w, Z } = affinities(Y, N);
  return P.reduce((total, p, at) => (p > 0 ? total + p * Math.log((p * Z) / w[at]) : total), 0);
};

// 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j), every p times the exaggeration
export const gradient = (P, Y, N, exaggeration = 1) => {
  const { w, Z } = affinities(Y, N), g = new Float64Array(2 * N);
  for (let i = 0; i < N; i += 1) {
    for (let j = 0; j < N; j += 1) {
      const near = w[i * N + j], pull = 4 * (exaggeration * P[i * N + j] - near / Z) * near;
      g[2 * i] += pull * (Y[2 * i] - Y[2 * j]);
      g[2 * i + 1] += pull * (Y[2 * i + 1] - Y[2 * j + 1]);
    }
  }
  return g;
};

// Momentum and gains, in place: a gain grows while gradient and velocity disagree in sign, and shrinks while they agree.
export const update = (Y, g, velocity, gains, rate, momentum) => {
  for (let n = 0; n < Y.length; n += 1) {
    gains[n] = Math.max(g[n] * velocity[n] < 0 ? gains[n] + 0.2 : gains[n] * 0.8, 0.01);
    velocity[n] = momentum * velocity[n] - rate * gains[n] * g[n];
    Y[n] += velocity[n];
  }
};

// Numbers near zero to start from: the same seed gives the same (mulberry32, then Box and Muller).
export const randomStart = (N, seed) => {
  let a = seed >>> 0;
  const u = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Float64Array.from(range(2 * N), () => 1e-4 * Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(2 * Math.PI * u()));
};
// The first two principal components, the first of them with standard deviation 1e-4; a direction that the data does not
// have starts at random.
export const pcaStart = (plane) => {
  const first = plane.filter((_, n) => n % 2 === 0), mean = sum([...first]) / first.length;
  const deviation = Math.sqrt(sum([...first].map((x) => (x - mean) ** 2)) / first.length);
  const flat = plane.every((x, n) => n % 2 === 0 || x === 0), chance = randomStart(first.length, 0);
  return Float64Array.from(plane, (x, n) => (flat && n % 2 ? chance[n] : (1e-4 * x) / deviation));
};

// A run: what it needs, and one step of it. The first 250 steps pull with 12 P and little momentum.
export const begin = (P, Y) => {
  const N = Y.length / 2;
  return { P, N, Y, velocity: new Float64Array(2 * N), gains: new Float64Array(2 * N).fill(1), rate: Math.max(N / EXAGGERATION / 4, 50), done: 0 };
};
export const advance = (run) => {
  const early = run.done < EARLY;
  update(run.Y, gradient(run.P, run.Y, run.N, early ? EXAGGERATION : 1), run.velocity, run.gains, run.rate, early ? 0.5 : 0.8);
  run.done += 1;
};

// Signed bytes in base64, times a scale.
export const unpack = ({ bytes, scale }) => Float64Array.from(atob(bytes), (c) => ((c.charCodeAt(0) << 24) >> 24) * scale);

// Root mean square distance of a group from its centre, and distances between centres, in any number of dimensions.
export const groups = (X, labels, count) => {
  const N = labels.length, D = X.length / N, row = (i) => [...X.subarray(i * D, (i + 1) * D)];
  const members = range(count).map((c) => range(N).filter((i) => labels[i] === c));
  const centres = members.map((ids) => range(D).map((k) => sum(ids.map((i) => X[i * D + k])) / ids.length));
  const apart = (u, v) => norm(u.map((x, k) => x - v[k]));
  return { spread: members.map((ids, c) => Math.sqrt(sum(ids.map((i) => apart(row(i), centres[c]) ** 2)) / ids.length)),
    between: centres.map((u) => centres.map((v) => apart(u, v))) };
};

// The most that N points allow: a point has N - 1 neighbours, and with all of them alike there is nothing left to choose.
export const most = (N) => Math.min(50, N - 2);

export default {
  render({ model, el }) {
    const sets = model.get("sets"), calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const whole = (n) => text(n, 0), hues = ["blue", "orange", "plum", "brick", "sky", "rose"];
    let here, run, d, curve, frame = null; // the chosen set, its run, its squared distances, the KL so far

    const chosen = choice({ label: "Points", options: sets.map(({ title }, i) => [`${i}`, title]), value: `${model.get("set")}`, change: (i) => set("set", +i) });
    const perplexity = slider({ label: "perplexity", min: 2, max: 50, step: 1, value: model.get("perplexity"), show: whole, change: (x) => set("perplexity", x) });
    const from = choice({ label: "Start", options: [["random", "at random"], ["pca", "from PCA"]], value: model.get("start"), change: (x) => set("start", x) });
    const go = button("Run", () => (frame ? pause() : play()), { class: "main" }), step = button("Step", () => { pause(); advance(run); shown(); });
    const again = button("Start again", () => restart()), other = button("Another seed", () => set("seed", model.get("seed") + 1));
    const point = slider({ label: "point", min: 0, max: 1, step: 1, value: 0, show: (n) => (n ? `${n}` : "none"), change: (n) => set("point", n - 1) });
    const pick = [0, 1].map((k) => choice({ label: k ? "and" : "Groups", options: [], value: "", change: (c) => set("pair", model.get("pair").map((old, j) => (j === k ? +c : old))) }));
    const pairs = html("div", { class: "together" }, pick);
    const cut = html("output", { class: "quiet" }), status = html("p", { class: "quiet status" }), says = html("output", { class: "says" });
    const watch = html("div", { class: "stack" }), far = html("div", { class: "apart" }), near = html("div", { class: "near" }), pictures = html("div", { class: "digits", "aria-hidden": "true" });

    const [W, H] = [340, 300];
    const map = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", class: "map" }), data = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", class: "map" });
    const chart = svg("svg", { viewBox: "0 0 340 96", role: "img" });
    map.addEventListener("click", (event) => {
      const box = map.getBoundingClientRect(), at = [(event.clientX - box.x) * (W / box.width), (event.clientY - box.y) * (H / box.height)];
      const gaps = fitted(run.Y).map(([x, y]) => Math.hypot(x - at[0], y - at[1])), i = gaps.indexOf(Math.min(...gaps));
      set("point", gaps[i] < 20 ? i : -1);
    });

    // places in the drawing: the same scale for both axes, all points inside
    const fitted = (Y) => {
      const N = Y.length / 2, [mx, my] = [0, 1].map((k) => { const all = range(N).map((i) => Y[2 * i + k]); return (Math.max(...all) + Math.min(...all)) / 2; });
      const scale = Math.min(...range(N).map((i) => Math.min((W / 2 - (here.words ? 34 : 16)) / Math.abs(Y[2 * i] - mx), (H / 2 - 14) / Math.abs(Y[2 * i + 1] - my))));
      return range(N).map((i) => [W / 2 + scale * (Y[2 * i] - mx), H / 2 - scale * (Y[2 * i + 1] - my)]);
    };
    const colour = (i) => (here.order ? `color-mix(in srgb, var(--orange) ${Math.round((100 * i) / (here.N - 1))}%, var(--blue))` : here.labels ? `var(--${hues[here.labels[i] % 6]})` : "var(--blue)");
    const named = (i) => (here.words ? here.words[i] : here.labels ? `${here.classes[here.labels[i]]}, no. ${i + 1}` : `no. ${i + 1}`);
    const mark = (i) => {
      const sign = here.words ? here.words[i] : here.marks ? here.marks[here.labels[i]] : here.order && (i === 0 || (i + 1) % 20 === 0) ? `${i + 1}` : null;
      return sign ? svg("text", { "text-anchor": "middle", dy: 4, class: "mark", style: `fill:${colour(i)}`, "font-size": here.words ? 10.5 : 12 }, sign) : svg("circle", { r: 3.6, style: `fill:${colour(i)}` });
    };
    // a drawing that is built once and then only moved: lines to neighbours, a thread along an order, the marks
    const scene = (box) => {
      const thread = svg("polyline", { class: "thread" }), links = svg("g"), ways = svg("g"), ring = svg("circle", { r: 9, class: "ring" }), marks = range(here.N).map(mark);
      box.replaceChildren(thread, links, ways, ...marks, ring);
      return (places) => {
        marks.forEach((one, i) => one.setAttribute("transform", `translate(${places[i][0].toFixed(1)} ${places[i][1].toFixed(1)})`));
        if (here.order) thread.setAttribute("points", places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
        if (here.arrows) ways.replaceChildren(...here.arrows.map(([u, v]) => arrow(...places[u], ...places[v], { opacity: 0.6 })));
        const i = model.get("point");
        ring.style.display = i < 0 ? "none" : "";
        links.replaceChildren(...(i < 0 ? [] : neighbours(i, 5).map((j) => svg("line", { class: "link", x1: places[i][0], y1: places[i][1], x2: places[j][0], y2: places[j][1] }))));
        if (i >= 0) ["cx", "cy"].forEach((name, k) => ring.setAttribute(name, places[i][k]));
      };
    };
    let moveMap, moveData;
    const neighbours = (i, n, all = d) => range(here.N).filter((j) => j !== i).sort((a, b) => all[i * here.N + a] - all[i * here.N + b]).slice(0, n);

    const pause = () => { cancelAnimationFrame(frame); frame = null; shown(); };
    const play = () => {
      const tick = () => {
        if (!el.isConnected) { frame = null; return; }
        const until = performance.now() + 8; // of a frame's 16 ms
        for (let n = 0; run.done < LAST && performance.now() < until && (calm || n < 4); n += 1) advance(run);
        if (run.done >= LAST) { pause(); return; }
        frame = requestAnimationFrame(tick);
        if (calm) count(); else paint();
        if (!calm && run.done % 40 < 4) compare();
      };
      frame = requestAnimationFrame(tick);
      tell();
    };
    const count = () => {
      const kl = divergence(run.P, run.Y, run.N), early = run.done <= EARLY;
      if (!curve.length || curve.at(-1)[0] < run.done) curve.push([run.done, kl]);
      const across = [0, 1].map((k) => range(run.N).map((i) => run.Y[2 * i + k])).map((all) => Math.max(...all) - Math.min(...all));
      status.replaceChildren("Step ", number(run.done, whole), ` of ${LAST}: KL `, number(kl, (x) => text(x, 3)), " nats; the map is ", number(Math.max(...across), power), " wide.",
        early ? ` Early exaggeration: P counts ${EXAGGERATION} times up to step ${EARLY}.` : "");
    };
    const paint = () => {
      count();
      moveMap(fitted(run.Y));
      const [L, B] = [34, 78], top = Math.max(...curve.map(([, kl]) => kl), 1e-9), x = (n) => L + ((336 - L) * n) / LAST, y = (kl) => B - ((B - 10) * kl) / top;
      chart.replaceChildren(svg("line", { class: "axis", x1: L, x2: 336, y1: B, y2: B }), svg("line", { class: "tick", x1: x(EARLY), x2: x(EARLY), y1: 8, y2: B }),
        svg("text", { x: L - 4, y: 14, "text-anchor": "end" }, text(top, 1)), svg("text", { x: L - 4, y: B + 4, "text-anchor": "end" }, "0"), svg("text", { x: L - 4, y: 46, "text-anchor": "end" }, "KL"),
        svg("text", { x: x(EARLY), y: 92, "text-anchor": "middle" }, `step ${EARLY}`), svg("text", { x: 336, y: 92, "text-anchor": "end" }, LAST),
        svg("polyline", { fill: "none", stroke: "var(--blue)", "stroke-width": 2, points: curve.map(([n, kl]) => `${x(n).toFixed(1)},${y(kl).toFixed(1)}`).join(" ") }));
      chart.ariaLabel = `The KL divergence after ${run.done} steps: ${text(curve.at(-1)[1], 3)} nats, at most ${text(top, 1)} so far.`;
    };

    // the numbers: what lies how far from what, in the data and on the map
    const compare = () => {
      const { N } = here, i = model.get("point"), at = (Y, a, b) => Math.hypot(Y[2 * a] - Y[2 * b], Y[2 * a + 1] - Y[2 * b + 1]);
      const row = (name, a, b) => [name, number(a, power), number(b, power), number(b / a, power)], head = ["", "data", "map", "map ÷ data"];
      if (here.labels) {
        const K = here.classes.length, [a, b] = [groups(here.X, here.labels, K), groups(run.Y, here.labels, K)];
        const ids = K > 3 ? [...new Set(model.get("pair"))] : range(K), both = ids.flatMap((u, n) => ids.slice(n + 1).map((v) => [u, v]));
        far.replaceChildren(table("Groups, in the data and on the map", head, [...ids.map((u) => row(`spread of ${here.classes[u]}`, a.spread[u], b.spread[u])),
          ...both.map(([u, v]) => row(`${here.classes[u]} to ${here.classes[v]}`, a.between[u][v], b.between[u][v]))]));
      } else {
        const [a, b] = [(u, v) => Math.sqrt(d[u * N + v]), (u, v) => at(run.Y, u, v)].map((far_) => range(N).flatMap((u) => range(u).map((v) => far_(u, v))));
        const [low, high] = [Math.min, Math.max].map((end) => [end(...a), end(...b)]), line = (name, pair) => [name, ...pair.map((x) => number(x, power))];
        far.replaceChildren(table("All pairs of points, in the data and on the map", ["", "data", "map"],
          [line("smallest distance", low), line("largest distance", high), line("largest ÷ smallest", high.map((x, k) => x / low[k]))]));
      }
      near.hidden = i < 0;
      pictures.hidden = i < 0 || !here.pictures;
      if (i < 0) return;
      const ids = neighbours(i, N - 1), show = [...ids.slice(0, 5), ids.at(-1)];
      near.replaceChildren(table(`From ${named(i)} to its 5 nearest in the data, and to the farthest`, head, show.map((j) => row(named(j), Math.sqrt(d[i * N + j]), at(run.Y, i, j)))));
      if (here.pictures) pictures.replaceChildren(...[i, ...show].map(picture));
    };
    const picture = (i) => svg("svg", { viewBox: "0 0 8 8", class: "digit" }, range(64).map((n) => svg("rect", { x: n % 8, y: n >> 3, width: 1.02, height: 1.02, fill: "currentColor", "fill-opacity": here.X[64 * i + n] / 16 })));
    // what is said only while the map stands still, so that a screen reader is not talked over
    const tell = () => {
      const { N } = here, i = model.get("point"), Y = run.Y, k = Math.min(10, N - 2);
      go.textContent = frame ? "Pause" : "Run";
      go.disabled = step.disabled = run.done >= LAST;
      other.disabled = model.get("start") === "pca";
      map.ariaLabel = `The t-SNE map of ${N} points at perplexity ${used()} after ${run.done} of ${LAST} steps.`;
      if (frame) { says.replaceChildren("Running."); return; }
      const onMap = squared(Y, N), kept = range(N).map((u) => neighbours(u, k).filter((v) => neighbours(u, k, onMap).includes(v)).length);
      says.replaceChildren(run.done ? "" : "Not a step done yet. ", `Of the ${k} nearest neighbours in the data, the map keeps `, number(sum(kept) / N, (x) => text(x, 1)), " on average",
        ...(i < 0 ? ["."] : [`, and ${kept[i]} for ${named(i)}.`]), run.done >= LAST ? ` The ${LAST} steps are done.` : "");
    };
    const shown = () => { paint(); compare(); tell(); };

    const used = () => Math.min(model.get("perplexity"), most(here.N));
    const restart = () => {
      cancelAnimationFrame(frame);
      frame = null;
      curve = [];
      const { P } = conditional(d, here.N, used());
      run = begin(joint(P, here.N), model.get("start") === "pca" ? pcaStart(here.plane) : randomStart(here.N, model.get("seed")));
      perplexity.value = model.get("perplexity");
      from.value = model.get("start");
      cut.hidden = used() === model.get("perplexity");
      cut.textContent = cut.hidden ? "" : `A point here has ${here.N - 1} neighbours: perplexity ${used()} is the most that leaves a choice among them, and is used.`;
      shown();
    };
    const load = () => {
      const one = sets[model.get("set")], X = unpack(one.points);
      here = { ...one, X, N: X.length / one.dims, plane: unpack(one.plane) };
      d = squared(X, here.N);
      chosen.value = `${model.get("set")}`;
      point.querySelector("input").max = here.N;
      point.value = model.get("point") + 1;
      pairs.hidden = !here.labels || here.classes.length < 4;
      pick.forEach((box, k) => {
        box.querySelector("select").replaceChildren(...(here.classes ?? []).map((name, c) => html("option", { value: c }, name)));
        box.value = `${model.get("pair")[k]}`;
      });
      watch.replaceChildren(html("p", {}, html("b", {}, "Watch for: "), here.watch), html("p", {}, html("b", {}, "Do not read off: "), here.beware));
      data.ariaLabel = `The same ${here.N} points of ${one.dims} numbers each, projected on their two widest directions (PCA), which show ${percent(one.seen)} of their variance.`;
      seen.textContent = `${here.N} points of ${one.dims} numbers, projected by PCA: ${percent(one.seen)} of the variance.`;
      moveMap = scene(map);
      moveData = scene(data);
      moveData(fitted(here.plane));
      restart();
    };
    const seen = html("p", { class: "quiet" });

    el.append(html("div", { class: "together" }, chosen, from), perplexity, cut, html("div", { class: "together" }, go, step, again, other), watch,
      html("div", { class: "sides" }, html("div", { class: "stack" }, html("b", {}, "The map"), map, status, chart), html("div", { class: "stack" }, html("b", {}, "The data, from its widest side"), data, seen)),
      says, point, pictures, scroll("One point and its neighbours", near), pairs, scroll("Distances in the data and on the map", far),
      html("p", { class: "quiet" }, "Click a point, or move the slider, to follow it: dashed lines lead to its five nearest in the data. A spread is the root mean square distance from the centre. If the map kept distances, “map ÷ data” would be the same in every row."));
    model.on("change:set", () => { model.set("point", -1); model.set("pair", [0, 1]); load(); });
    model.on("change:perplexity change:start change:seed", restart);
    model.on("change:point change:pair", () => {
      point.value = model.get("point") + 1;
      pick.forEach((box, k) => { box.value = `${model.get("pair")[k]}`; });
      moveData(fitted(here.plane));
      shown();
    });
    load();
  },
};
