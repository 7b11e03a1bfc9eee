// A detector's probability over time under a threshold: what it reports, what is right, and what it misses.

// The steps at which the probability comes up to the threshold; then nothing for some quiet steps.
export const detect = (p, threshold, quiet) => {
  const found = [];
  let before = 0;
  p.forEach((x, t) => {
    if (before < threshold && threshold <= x && (!found.length || t - found.at(-1) > quiet)) found.push(t);
    before = x;
  });
  return found;
};

// Detections paired with the ends of the words, each with one at most: [end, detection] pairs, ends missed, false alarms.
export const match = (detections, truths, tolerance, early) => {
  const left = [...detections].sort((a, b) => a - b), hits = [], misses = [];
  [...truths].sort((a, b) => a - b).forEach((end) => {
    const at = left.findIndex((d) => end - early <= d && d <= end + tolerance);
    if (at < 0) misses.push(end); else hits.push([end, left.splice(at, 1)[0]]);
  });
  return { hits, misses, alarms: left };
};

// What several recordings add up to. Precision is 1 where nothing is reported, since nothing is wrong.
export const count = (recordings, threshold, { quiet, tolerance, early }) => {
  const found = recordings.map(({ p, ends }) => match(detect(p, threshold, quiet), ends, tolerance, early));
  const [hits, misses, alarms] = ["hits", "misses", "alarms"].map((name) => sum(found.map((one) => one[name].length)));
  return { hits, misses, alarms, precision: hits + alarms ? hits / (hits + alarms) : 1, recall: hits + misses ? hits / (hits + misses) : null };
};

// The points of the precision-recall curve, from the lowest threshold to the highest: 0.01 to 0.99.
export const curve = (recordings, how) => range(99).map((k) => count(recordings, (k + 1) / 100, how));

export default {
  render({ model, el }) {
    const recordings = model.get("recordings"), step = model.get("step"), tolerance = model.get("tolerance"), early = model.get("early"), word = model.get("word");
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const how = () => ({ quiet: model.get("quiet"), tolerance, early }), now = () => recordings[model.get("chosen")];
    const seconds = (steps, digits = 2) => `${text(steps * step, digits)}\u00a0s`;
    const W = 360, left = 26, right = W - 4, top = 24, base = 164, H = base + 32;
    const x = (t) => left + ((t + 0.5) / now().p.length) * (right - left), y = (p) => base - p * (base - top);

    const which = choice({
      label: "Recording", value: `${model.get("chosen")}`, change: (n) => set("chosen", +n),
      options: recordings.map(({ name, ends }, n) => [`${n}`, `${name}: ${ends.length} × “${word}”`]),
    });
    const limit = slider({ label: "threshold", min: 0.01, max: 0.99, step: 0.01, value: model.get("threshold"), change: (v) => set("threshold", v) });
    const still = slider({ label: "quiet after it", min: 0, max: model.get("longest"), step: 1, value: model.get("quiet"), show: (n) => seconds(n), change: (n) => set("quiet", n) });
    const drawing = svg("svg", { role: "img", viewBox: `0 0 ${W} ${H}`, style: "max-width:38rem;cursor:ns-resize;touch-action:pan-y" });
    const S = 150, pad = 30, px = (r) => pad + r * (S - pad - 8), py = (p) => S - pad - p * (S - pad - 8) + 2;
    const plot = svg("svg", { role: "img", viewBox: `0 0 ${S + 6} ${S}`, style: "max-width:15rem" }), tally = html("div"), says = html("output", { class: "says" });
    const grab = (event) => {
      const box = drawing.getBoundingClientRect(), at = ((event.clientY - box.top) / box.height) * H;
      set("threshold", Math.round(100 * clamp((base - at) / (base - top), 0.01, 0.99)) / 100);
    };
    drawing.addEventListener("pointerdown", (event) => { grab(event); drawing.setPointerCapture(event.pointerId); });
    drawing.addEventListener("pointermove", (event) => { if (event.buttons) grab(event); });

    const drop = (t, colour, cross) => svg("g", { class: "found", "data-step": t, "data-right": +!cross },
      svg("line", { x1: x(t), x2: x(t), y1: top - 4, y2: base, stroke: `var(--${colour})`, "stroke-width": 1.6 }),
      cross ? svg("path", { d: `M${x(t) - 4} ${top - 14}l8 8m0 -8l-8 8`, stroke: `var(--${colour})`, "stroke-width": 2.2, fill: "none" })
        : svg("circle", { cx: x(t), cy: top - 10, r: 4.5, fill: `var(--${colour})` }));

    const paint = () => {
      const { p, ends, words } = now(), threshold = model.get("threshold"), { quiet } = how(), found = match(detect(p, threshold, quiet), ends, tolerance, early);
      const all = [...found.hits.map(([, d]) => d), ...found.alarms], long = p.length * step, every = [0.5, 1, 2, 5, 10, 30].find((gap) => long / gap <= 8) ?? 60;
      const missed = new Set(found.misses);
      drawing.replaceChildren(...[
        // where a detection counts for a word: from a little before its end to some time after it
        ends.map((end) => [Math.max(left, x(end - early - 0.5)), Math.min(right, x(end + tolerance + 0.5))]).map(([from, to]) => svg("rect", { x: from, width: Math.max(0, to - from), y: top, height: base - top, fill: "currentColor", "fill-opacity": 0.08 })),
        [0, 0.5, 1].map((v) => [svg("line", { x1: left, x2: right, y1: y(v), y2: y(v), class: "tick" }), svg("text", { x: left - 4, y: y(v) + 4, "text-anchor": "end", "font-size": 10 }, v)]),
        all.map((t) => svg("rect", { class: "hush", x: x(t), width: Math.max(0, x(Math.min(t + quiet, p.length - 1)) - x(t)), y: top - 5, height: 5, fill: "var(--plum)", "fill-opacity": 0.6 })),
        svg("path", { d: `M${x(0)} ${base}${p.map((v, t) => `L${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("")}L${x(p.length - 1)} ${base}Z`, fill: "var(--blue)", "fill-opacity": 0.2 }),
        svg("path", { d: `M${p.map((v, t) => `${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}`, fill: "none", stroke: "var(--blue)", "stroke-width": 1.4 }),
        svg("line", { x1: left, x2: right, y1: y(threshold), y2: y(threshold), stroke: "var(--orange)", "stroke-width": 2, "stroke-dasharray": "6 4" }),
        found.hits.map(([, d]) => drop(d, "blue", false)), found.alarms.map((d) => drop(d, "brick", true)),
        words.map(([first, last, mine]) => svg("rect", { x: x(first - 0.5), width: Math.max(2, Math.min(right, x(last + 0.5)) - x(first - 0.5)), y: base + 3, height: 8, rx: 1.5, fill: mine ? "var(--orange)" : "currentColor", "fill-opacity": mine ? 0.9 : 0.25 })),
        ends.map((end) => svg("path", { class: "end", d: `M${x(end)} ${base + 2}l4.5 10h-9Z`, fill: missed.has(end) ? "Canvas" : "currentColor", stroke: "currentColor", "stroke-width": 1.4 })),
        range(Math.floor(long / every + 1e-9) + 1).map((n) => svg("text", { x: left + ((n * every) / long) * (right - left), y: H - 5, "text-anchor": n ? "middle" : "start", "font-size": 10 }, `${text(n * every, every < 1 ? 1 : 0)}${n ? "" : " s"}`)),
      ].flat(Infinity));
      drawing.ariaLabel = `The probability over ${text(long, 1)} seconds with a threshold of ${text(threshold)}. The word “${word}” ends at ${ends.map((end) => text(end * step)).join(", ") || "no time"} s; reported at ${all.sort((a, b) => a - b).map((d) => text(d * step)).join(", ") || "no time"} s.`;
      return found;
    };

    const line = ({ hits, misses, alarms, precision, recall }) => [number(hits, (n) => `${n}`), number(misses, (n) => `${n}`), number(alarms, (n) => `${n}`), number(precision), recall === null ? "–" : number(recall)];

    const draw = () => {
      const threshold = model.get("threshold"), here = count([now()], threshold, how()), every = count(recordings, threshold, how());
      which.value = `${model.get("chosen")}`;
      limit.value = threshold;
      still.value = model.get("quiet");
      const found = paint(), points = curve(recordings, how());
      const columns = recordings.length > 1 ? [line(here), line(every)] : [line(here)];
      const rows = ["hits", "misses", "false alarms", "precision", "recall"].map((name, i) => [name, ...columns.map((column) => column[i])]);
      tally.replaceChildren(table("Counted", ["", now().name, `all ${recordings.length}`].slice(0, 1 + columns.length), rows));
      plot.replaceChildren(...[
        [0, 0.5, 1].map((v) => [svg("line", { x1: px(v), x2: px(v), y1: py(0), y2: py(1), class: "tick" }), svg("line", { x1: px(0), x2: px(1), y1: py(v), y2: py(v), class: "tick" }),
          svg("text", { x: px(v), y: py(0) + 11, "text-anchor": "middle", "font-size": 9 }, v), svg("text", { x: px(0) - 4, y: py(v) + 3, "text-anchor": "end", "font-size": 9 }, v)]),
        svg("text", { x: px(0.5), y: S - 4, "text-anchor": "middle", "font-size": 10 }, "recall"),
        svg("text", { x: 9, y: py(0.5), "text-anchor": "middle", "font-size": 10, transform: `rotate(-90 9 ${py(0.5)})` }, "precision"),
        svg("path", { d: `M${points.map(({ precision, recall }) => `${px(recall).toFixed(1)} ${py(precision).toFixed(1)}`).join("L")}`, fill: "none", stroke: "var(--blue)", "stroke-width": 1.4, "stroke-opacity": 0.7 }),
        points.map(({ precision, recall }) => svg("circle", { cx: px(recall), cy: py(precision), r: 1.5, fill: "var(--blue)" })),
        svg("circle", { class: "here", cx: px(every.recall), cy: py(every.precision), r: 5.5, fill: "var(--orange)", stroke: "currentColor" }),
      ].flat(Infinity));
      plot.ariaLabel = `Precision over recall of ${recordings.length === 1 ? "the recording" : `all ${recordings.length} recordings`}, a point for each threshold from 0.01 to 0.99; at ${text(threshold)} precision is ${text(every.precision)} and recall ${text(every.recall)}.`;
      const late = found.hits.map(([end, d]) => (d - end) * step), mean = sum(late) / late.length;
      says.replaceChildren(...[
        here.hits + here.alarms ? [`Reported ${here.hits + here.alarms} time${here.hits + here.alarms === 1 ? "" : "s"}: `, html("b", {}, here.hits), " right, ", html("b", {}, here.alarms), " false. "] : "Nothing is reported. ",
        here.misses ? [html("b", {}, here.misses), ` of ${now().ends.length} missed. `] : now().ends.length ? "None is missed. " : "There is nothing to miss. ",
        late.length ? `On average a hit comes ${text(Math.abs(mean))}\u00a0s ${mean < 0 ? "before" : "after"} the word’s end. ` : "",
        `After each report ${seconds(model.get("quiet"))} of quiet.`,
      ].flat());
    };

    el.append(...(recordings.length > 1 ? [which] : []), drawing, html("div", { class: "stack" }, limit, still), says, html("div", { class: "sides" }, tally, plot),
      html("p", { class: "quiet" }, `${model.get("note")} Triangles: where the word “${word}” ends, hollow when missed; grey: where a report counts for it, from ${seconds(early)} before to ${seconds(tolerance)} after the end. `
        + "Blue dot: a hit; red cross: a false alarm; violet: quiet. Orange and grey bars: the word, and others. You can drag the threshold in the drawing."));
    model.on("change:threshold change:quiet change:chosen", draw);
    draw();
  },
};
