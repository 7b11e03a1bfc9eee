// The roof of a device, log against log, and kernels under it: a point stands where the floor of its seconds puts it.

const WIDTH = 340, HEIGHT = 300, LEFT = 40, RIGHT = 8, TOP = 14, BOTTOM = 34;
const BITS = { float32: "float32", bfloat16: "16 bits", float16: "16 bits", float64: "float64" };
const SCALES = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];

// 4.3e12 -> "4.3 T", 540 -> "540"
export const brief = (x) => {
  if (!x) return "0";
  const [unit, name] = SCALES.find(([unit]) => x >= 0.9995 * unit) ?? [1, ""], n = x / unit;
  return `${n.toFixed(n < 9.995 && (name || n % 1) ? (n < 0.0995 ? 3 : n < 0.995 ? 2 : 1) : 0)}${name ? `\u00a0${name}` : ""}`;
};
// seconds: 5.1e-4 -> "510 µs"
export const lasting = (s) => {
  const [unit, name] = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]].find(([unit]) => s >= 0.9995 * unit) ?? [1e-9, "ns"], n = s / unit;
  return `${n.toFixed(n < 0.0995 ? 3 : n < 9.995 ? 2 : n < 99.95 ? 1 : 0)}\u00a0${name}`;
};

// Seconds for memory, arithmetic and waiting, each as if it were alone; a cost is [bytes, operations], or ends with its steps and their kind.
export const parts = ([bytes, flops, steps = 0, kind], dtype, device) => ({
  memory: bytes / device.bandwidth, arithmetic: flops / device.flops[dtype], steps: steps && steps * device.step[kind],
});
export const floor = (cost, dtype, device) => Math.max(...Object.values(parts(cost, dtype, device)));
export const bound = (cost, dtype, device) => {
  const each = parts(cost, dtype, device);
  return Object.keys(each).reduce((a, b) => (each[b] > each[a] ? b : a));
};
// Where the floor puts a kernel: operations a byte, operations a second. None for what computes or moves nothing.
export const place = (cost, dtype, device) => (cost[0] > 0 && cost[1] > 0 ? [cost[1] / cost[0], cost[1] / floor(cost, dtype, device)] : null);
// What a computer allows at so many operations a byte.
export const roof = (intensity, bandwidth, flops) => Math.min(intensity * bandwidth, flops);

export default {
  render({ model, el }) {
    const device = model.get("device"), kernels = model.get("kernels"), machine = model.get("machine");
    const set = (changes) => { Object.entries(changes).forEach(([name, value]) => model.set(name, value)); model.save_changes(); };
    const cost = (i) => kernels[i].costs[model.get("at")[i]];
    const spot = (i, n = model.get("at")[i]) => place(kernels[i].costs[n], kernels[i].dtype, device);

    // axes that hold all that may be drawn, with lines at the powers of ten
    const roofs = Object.entries(Object.entries(device.flops).reduce((all, [dtype, speed]) => ({ ...all, [BITS[dtype] ?? dtype]: speed }), {})).sort((a, b) => a[1] - b[1]);
    const every = kernels.flatMap((kernel, i) => [...range(kernel.costs.length).map((n) => spot(i, n)), ...Object.values(kernel.measured ?? {}).map(([b, f, s]) => [f / b, f / s])]).filter(Boolean);
    const ridges = [...roofs.map(([, speed]) => speed / device.bandwidth), ...(machine ? [machine.flops / machine.bandwidth] : [])];
    const tens = (x) => Math.log10(x), xs = [...every.map(([x]) => x), ...ridges];
    const [x0, x1] = [Math.min(...xs.map(tens)) - 0.5, Math.max(...xs.map(tens)) + 0.5];
    const ys = [...every.map(([, y]) => y), ...(machine ? [machine.flops / 10] : []), roofs[0][1] / 10];
    const [y0, y1] = [Math.min(...ys.map(tens)) - 0.4, tens(Math.max(...roofs.map(([, speed]) => speed), machine?.flops ?? 0)) + 0.7];
    const X = (x) => LEFT + ((tens(x) - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT), Y = (y) => HEIGHT - BOTTOM - ((tens(y) - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
    const ten = (n) => 10 ** n, whole = (a, b) => range(Math.floor(b) - Math.ceil(a) + 1).map((n) => Math.ceil(a) + n), from = ten(x0), to = ten(x1), low = ten(y0);
    const line = (bandwidth, flops, more) => {
      const start = Math.max(from, low / bandwidth), ridge = flops / bandwidth;
      return svg("path", { class: "roof", d: `M${X(start)} ${Y(roof(start, bandwidth, flops))}L${X(ridge)} ${Y(flops)}H${X(to)}`, ...more });
    };
    const over = (speed, words) => svg("text", { x: WIDTH - RIGHT, y: Y(speed) - 12, "text-anchor": "end", "font-size": 11 }, words);
    const short = (n) => (n >= 0 ? brief(ten(n)).replace(".0", "") : `${+ten(n).toPrecision(1)}`);
    const steep = (-180 / Math.PI) * Math.atan2(Y(low) - Y(low * 10), X(from * 10) - X(from)), first = Math.max(from * 1.6, (low * 3) / device.bandwidth);
    const ground = svg("g", { "aria-hidden": "true" },
      whole(x0, x1).map((n) => [svg("path", { class: "tick", d: `M${X(ten(n))} ${TOP}V${HEIGHT - BOTTOM}` }), svg("text", { x: X(ten(n)), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle", "font-size": 11 }, short(n))]),
      whole(y0, y1).map((n) => [svg("path", { class: "tick", d: `M${LEFT} ${Y(ten(n))}H${WIDTH - RIGHT}` }), svg("text", { x: LEFT - 4, y: Y(ten(n)) + 4, "text-anchor": "end", "font-size": 11 }, short(n))]),
      svg("text", { x: LEFT - 36, y: TOP - 4, "font-size": 11 }, "operations a second"),
      svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end", "font-size": 11 }, "operations a byte"),
      roofs.map(([name, speed]) => [line(device.bandwidth, speed), over(speed, `${name}: ${brief(speed)}`)]),
      svg("text", { transform: `translate(${X(first)} ${Y(first * device.bandwidth)}) rotate(${steep})`, y: -12, "font-size": 11 }, `memory: ${brief(device.bandwidth)}B/s`),
      machine ? [line(machine.bandwidth, machine.flops, { class: "roof own", "stroke-dasharray": "6 3" }), over(machine.flops, machine.name.slice(0, 24))] : null);

    const mark = (dtype, r) => (BITS[dtype] === "16 bits" ? svg("rect", { x: -r * 0.9, y: -r * 0.9, width: r * 1.8, height: r * 1.8 }) : svg("circle", { r }));
    const points = kernels.map(({ title, dtype }, i) => svg("g", { role: "option", class: "point", "aria-selected": "false", "aria-label": title, tabindex: -1 }, svg("title", {}, title), svg("circle", { class: "hit", r: 9 }), mark(dtype, 4.5)));
    const trace = svg("path", { class: "trace" }), gap = svg("path", { class: "gap" }), timed = svg("g", { class: "timed" }), own = svg("g", { class: "timed own" }), marks = svg("g", { "aria-hidden": "true" }, trace, gap, timed, own);
    const drawing = svg("svg", { class: "roofline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": `The roof of ${device.name}${machine ? ` and of ${machine.name}` : ""}, and kernels under it` },
      ground, marks, svg("g", { role: "listbox", "aria-label": "Kernels" }, points));
    rove([points], (point) => set({ chosen: points.indexOf(point) }));

    const which = choice({ label: "Kernel", value: `${model.get("chosen")}`, options: kernels.map(({ title }, i) => [`${i}`, title]), change: (i) => set({ chosen: +i }) });
    const room = html("div"), says = html("output", { class: "says" }), sums = html("div"), more = html("p", { class: "quiet" });
    let built = -1, size = null;
    const build = () => {
      const i = model.get("chosen"), { values, letter } = kernels[i];
      size = values.length < 2 ? null : slider({ label: `size ${letter}`, min: 0, max: values.length - 1, step: 1, value: model.get("at")[i], show: (n) => values[n].toLocaleString("en"),
        change: (n) => set({ at: model.get("at").map((old, j) => (j === i ? n : old)) }) });
      room.replaceChildren(...(size ? [size] : []));
      built = i;
    };

    const why = {
      memory: (each, [bytes]) => `Memory binds it: ${brief(bytes)}B at ${brief(device.bandwidth)}B a second take ${lasting(each.memory)}, longer than all else. It stands on the slope of the roof; only fewer bytes would make it faster.`,
      arithmetic: (each, [, flops], dtype) => `Arithmetic binds it: ${brief(flops)} operations at ${brief(device.flops[dtype])} a second take ${lasting(each.arithmetic)}. It stands on the flat part of the roof.`,
      steps: (each, [, , steps, kind]) => `Dependent steps bind it: ${steps.toLocaleString("en")} of them, each of which waits for the one before and takes ${lasting(device.step[kind])} (${kind === "in-cta" ? "inside a block of threads" : "between blocks of threads"}), add up to ${lasting(each.steps)}. So it stands below the roof: it waits neither for memory nor for arithmetic.`,
    };

    const draw = () => {
      const i = model.get("chosen"), kernel = kernels[i], n = model.get("at")[i], now = cost(i), each = parts(now, kernel.dtype, device), binds = bound(now, kernel.dtype, device), here = spot(i);
      if (built !== i) build();
      which.value = `${i}`;
      if (size) size.value = n;
      points.forEach((point, j) => {
        const at = spot(j);
        point.setAttribute("visibility", at ? "visible" : "hidden");
        if (at) point.setAttribute("transform", `translate(${X(at[0])} ${Y(at[1])})`);
        point.dataset.binds = bound(cost(j), kernels[j].dtype, device);
        point.setAttribute("aria-selected", `${j === i}`);
        point.tabIndex = j === i ? 0 : -1;
      });
      const way = range(kernel.costs.length).map((m) => spot(i, m)).filter(Boolean);
      trace.setAttribute("d", way.length > 1 ? `M${way.map(([x, y]) => `${X(x)} ${Y(y)}`).join("L")}` : "");
      gap.setAttribute("d", here && binds === "steps" ? `M${X(here[0])} ${Y(here[1]) - 6}V${Y(roof(here[0], device.bandwidth, device.flops[kernel.dtype]))}` : "");
      const taken = kernel.measured?.[n];
      timed.replaceChildren(...(taken ? [svg("path", { d: "M-5 -5L5 5M-5 5L5 -5", transform: `translate(${X(taken[1] / taken[0])} ${Y(taken[1] / taken[2])})` })] : []));
      const mine = machine && here ? roof(here[0], machine.bandwidth, machine.flops) : null;
      own.replaceChildren(...(mine ? [svg("circle", { r: 4.5, transform: `translate(${X(here[0])} ${Y(mine)})` })] : []));

      const sizes = kernel.shape.map(([name, x]) => `${name}\u00a0=\u00a0${(name === kernel.letter ? kernel.values[n] : x).toLocaleString("en")}`).join(", ");
      says.replaceChildren(html("p", {}, html("b", {}, kernel.title), `${sizes ? `: ${sizes}` : ""}. Numbers in ${kernel.moves}${kernel.moves === kernel.dtype ? "" : `, arithmetic in ${kernel.dtype}`}.`),
        html("p", {}, why[binds](each, now, kernel.dtype)),
        ...(here ? [] : [html("p", {}, "It has no place on these axes: it moves no byte or computes nothing.")]),
        ...(taken ? [html("p", {}, "Measured: ", number(taken[2], lasting), `, ${text(taken[2] / floor([taken[0], taken[1], now[2], now[3]], kernel.dtype, device), 1)} times its floor (the cross).`)] : []),
        ...(mine ? [html("p", {}, `On ${machine.name} it needs at least `, number(now[1] / mine, lasting), ` (the ring), ${text(now[1] / mine / floor(now, kernel.dtype, device), 0)} times as long; what its steps take there is not counted.`)] : []));
      const rows = [["bytes", number(now[0], brief), number(each.memory, lasting)], ["operations", number(now[1], brief), number(each.arithmetic, lasting)], ["steps", number(now[2] ?? 0, (n) => n.toLocaleString("en")), number(each.steps, lasting)]];
      const one = table(`What it must pay on ${device.name}`, ["", "how much", "alone"], [...rows, ["operations a byte", here ? number(here[0], (x) => text(x, x < 10 ? 2 : 0)) : "–", ""], ["floor, the longest", "", number(floor(now, kernel.dtype, device), lasting)]]);
      one.classList.add("pays");
      one.tBodies[0].rows[Object.keys(each).indexOf(binds)].dataset.now = "";
      sums.replaceChildren(one);
    };

    const key = (dtype, words, binds) => html("span", { class: "key" }, svg("svg", { viewBox: "-6 -6 12 12", "aria-hidden": "true", class: "roofline" }, svg("g", { class: "point", "data-binds": binds }, mark(dtype, 4.5))), words);
    more.replaceChildren(key("float32", "computes in float32", "memory"), key("bfloat16", "in 16 bits", "memory"),
      ...[["memory", "bound by memory"], ["arithmetic", "by arithmetic"], ["steps", "by steps"]].map(([binds, words]) => key("float32", words, binds)));
    el.append(html("div", { class: "sides" }, html("div", {}, drawing, more), html("div", { class: "stacked" }, which, room, sums, says)),
      html("p", { class: "quiet" }, `${model.get("assumed") ? `The speeds of ${device.name} are assumptions, no measurements. ` : ""}Where exponentials hold a kernel up, one counts as the operations whose time it takes. Both axes are logarithmic. Choose a point by a click or the arrow keys; the thin line is the way it goes as its size grows.`));
    model.on("change", draw);
    draw();
  },
};
