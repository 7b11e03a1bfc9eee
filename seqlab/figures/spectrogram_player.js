// A sound: its waveform above its spectrogram, a window that the reader sizes, and a cursor that plays.

// The samples and the rate of a WAV file with one channel of 16 bits, from its base64.
export const decode = (base64) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)), view = new DataView(bytes.buffer);
  const name = (at) => String.fromCharCode(...bytes.slice(at, at + 4));
  let at = 12, rate = 0;
  while (name(at) !== "data") {
    if (name(at) === "fmt ") rate = view.getUint32(at + 12, true);
    at += 8 + view.getUint32(at + 4, true);
  }
  return { rate, samples: range(view.getUint32(at + 4, true) / 2).map((n) => view.getInt16(at + 8 + 2 * n, true) / 32768) };
};

// The fast Fourier transform of n = 2^k samples, in place: real and imaginary parts.
const fft = (re, im) => {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) { [re[i], re[j]] = [re[j], re[i]]; [im[i], im[j]] = [im[j], im[i]]; }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2, cos = [], sin = [];
    for (let k = 0; k < half; k++) { cos.push(Math.cos((-2 * Math.PI * k) / size)); sin.push(Math.sin((-2 * Math.PI * k) / size)); }
    for (let from = 0; from < n; from += size) {
      for (let k = 0; k < half; k++) {
        const a = from + k, b = a + half, x = re[b] * cos[k] - im[b] * sin[k], y = re[b] * sin[k] + im[b] * cos[k];
        re[b] = re[a] - x; im[b] = im[a] - y;
        re[a] += x; im[a] += y;
      }
    }
  }
};

const hann = (size) => range(size).map((n) => (size === 1 ? 1 : 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size)));

// The power |X|^2 of each frequency in each frame; the middle of frame t is sample t * hop, with zeros outside the sound.
export const spectrogram = (samples, size, hop, n_fft) => {
  const w = hann(size), edge = Math.floor(size / 2), T = 1 + Math.floor((samples.length + 2 * edge - size) / hop);
  return range(T).map((t) => {
    const re = new Float64Array(n_fft), im = new Float64Array(n_fft);
    for (let n = 0; n < size; n++) re[n] = w[n] * (samples[t * hop + n - edge] ?? 0);
    fft(re, im);
    return range(n_fft / 2 + 1).map((k) => re[k] ** 2 + im[k] ** 2);
  });
};

export const toMel = (f) => 2595 * Math.log10(1 + f / 700);
export const toHz = (m) => 700 * (10 ** (m / 2595) - 1);

// The corners of M triangles, evenly spaced in mel from low to high (Hz), and what each gathers of every frequency.
export const corners = (M, low, high) => range(M + 2).map((m) => toHz(toMel(low) + (m * (toMel(high) - toMel(low))) / (M + 1)));
export const melFilters = (M, n_fft, rate, low, high) => {
  const edge = corners(M, low, high);
  return range(M).map((m) => range(n_fft / 2 + 1).map((k) => {
    const f = (k * rate) / n_fft;
    return Math.max(0, Math.min((f - edge[m]) / (edge[m + 1] - edge[m]), (edge[m + 2] - f) / (edge[m + 2] - edge[m + 1])));
  }));
};

// The setting that the figure uses for a window of some milliseconds: samples in a frame, from frame to frame, in a transform.
export const setting = (ms, N, rate) => {
  const size = Math.max(2, Math.round((ms * rate) / 1000)), hop = Math.max(1, Math.round(Math.max(0.0025 * rate, N / 600)));
  return { size, hop, n_fft: 2 ** Math.ceil(Math.log2(Math.max(size, 0.064 * rate))) };
};

// Cividis, from silence to loud
const COLOURS = ["00224e", "1a386f", "434e6c", "61656f", "7d7c78", "9b9476", "bcae6c", "dec958", "fee838"].map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
const colour = (x) => {
  const at = clamp(x, 0, 1) * (COLOURS.length - 1), i = Math.min(Math.floor(at), COLOURS.length - 2);
  return COLOURS[i].map((c, k) => c + (at - i) * (COLOURS[i + 1][k] - c));
};

export default {
  render({ model, el }) {
    const { samples, rate } = decode(model.get("sound")), N = samples.length, seconds = N / rate, windows = model.get("windows");
    const words = model.get("words"), title = model.get("title"), bands = model.get("bands"), low = 20, top = rate / 2, deep = 70; // decibels shown
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const W = 360, left = 31, right = 300, wave = 62, from = 70, to = 230, under = words.length ? 24 : 4, H = to + under + 18;
    const x = (s) => left + (s / seconds) * (right - left), edges = corners(bands, low, top);
    const y = (f) => (model.get("mel") ? to - ((toMel(Math.max(f, low)) - toMel(low)) / (toMel(top) - toMel(low))) * (to - from) : to - (f / top) * (to - from));
    const made = new Map(); // of each window, what was computed once

    // decibels below the loudest spot, of every frame: one row of frequencies or of bands
    const picture = () => {
      const key = `${model.get("window")} ${model.get("mel")}`;
      if (!made.has(key)) {
        const { size, hop, n_fft } = setting(windows[model.get("window")], N, rate), power = spectrogram(samples, size, hop, n_fft);
        const filters = model.get("mel") ? melFilters(bands, n_fft, rate, low, top) : null;
        const rows = filters ? power.map((frame) => filters.map((filter) => dot(filter, frame))) : power;
        const most = Math.max(1e-12, ...rows.map((row) => Math.max(...row)));
        const level = rows.map((row) => row.map((p) => 10 * Math.log10(Math.max(p, 1e-12 * most) / most)));
        made.set(key, { size, hop, n_fft, level, href: paint(level) });
      }
      return made.get(key);
    };

    const paint = (level) => {
      const canvas = document.createElement("canvas"), [T, rows] = [level.length, level[0].length];
      [canvas.width, canvas.height] = [T, rows];
      const context = canvas.getContext("2d"), image = context.createImageData(T, rows);
      level.forEach((row, t) => row.forEach((db, k) => image.data.set([...colour(1 + db / deep), 255], 4 * ((rows - 1 - k) * T + t))));
      context.putImageData(image, 0, 0);
      return canvas.toDataURL();
    };

    // ---- what is heard
    let audio = null, began = 0, start = 0, ticking = null, silent = false, turn = 0;
    const now = () => performance.now() / 1000;
    const stop = () => {
      cancelAnimationFrame(ticking);
      ticking = null;
      audio?.pause();
      play.textContent = "Play";
    };
    const tick = () => {
      if (!el.isConnected) { stop(); return; }
      let at = start + now() - began;
      if (!silent && audio.currentTime > start && Math.abs(audio.currentTime - at) > 0.1) { began += at - audio.currentTime; at = audio.currentTime; }
      set("time", Math.min(at, seconds));
      if (at >= seconds) stop(); else ticking = requestAnimationFrame(tick);
    };
    // the cursor runs where there is no sound, too: no device, or a browser that refuses
    const begin = (mine, quiet) => {
      if (mine !== turn || !ticking) return; // stopped before it began
      silent = quiet;
      if (ticking === "soon") { began = now(); tick(); }
      draw();
    };
    const play = button("Play", () => {
      if (ticking) { stop(); return; }
      start = model.get("time") >= seconds - 0.01 ? 0 : model.get("time");
      set("time", start);
      play.textContent = "Pause";
      ticking = "soon";
      const mine = ++turn;
      try {
        audio ??= new Audio(`data:audio/wav;base64,${model.get("sound")}`);
        audio.currentTime = start;
        Promise.resolve(audio.play()).then(() => begin(mine, false), () => begin(mine, true));
        setTimeout(() => ticking === "soon" && begin(mine, true), 600);
      } catch {
        begin(mine, true);
      }
    }, { class: "main" });

    // ---- controls
    const leap = (name, value) => { stop(); set(name, value); };
    const mel = checkbox({ label: `mel scale, ${bands} bands`, checked: model.get("mel"), change: (on) => set("mel", on) });
    const long = slider({ label: "window", min: 0, max: windows.length - 1, step: 1, value: model.get("window"), show: (i) => `${windows[i]}\u00a0ms`, change: (i) => set("window", i) });
    const clock = slider({ label: "time", min: 0, max: seconds, step: seconds / 200, value: model.get("time"), show: (s) => `${text(s)}\u00a0s`, change: (s) => leap("time", s) });
    const pitch = slider({ label: "frequency", min: 0, max: top, step: top / 80, value: model.get("frequency"), show: (f) => `${text(f, 0)}\u00a0Hz`, change: (f) => set("frequency", f) });
    pitch.style.gridTemplateColumns = clock.style.gridTemplateColumns = long.style.gridTemplateColumns = "5.2rem minmax(4rem, 1fr) 4.4rem";

    // ---- the drawing
    const peak = Math.max(1e-9, ...samples.map(Math.abs)), columns = 260, high = (v) => wave / 2 + 1 - (v / peak) * (wave / 2 - 2);
    const outline = range(columns).map((c) => {
      const part = samples.slice(Math.floor((c * N) / columns), Math.max(Math.floor((c * N) / columns) + 1, Math.floor(((c + 1) * N) / columns)));
      return [Math.max(...part), Math.min(...part)].map((v) => `${(left + ((c + 0.5) * (right - left)) / columns).toFixed(1)} ${high(v).toFixed(1)}`);
    });
    const wider = [1, 0.5, 0.2, 0.1, 0.05].find((step) => seconds / step >= 4) ?? 0.02;
    const arch = svg("path", { fill: "var(--orange)", "fill-opacity": 0.35, stroke: "var(--orange)" });
    const image = svg("image", { preserveAspectRatio: "none", "image-rendering": "auto" }), ticks = svg("g", { "font-size": 10 });
    const line = svg("path", { stroke: "var(--orange)", "stroke-width": 1.6, fill: "none" }), cross = svg("path", { stroke: "#fff", "stroke-width": 1, "stroke-dasharray": "3 3", fill: "none" });
    const slice = svg("path", { fill: "var(--blue)", "fill-opacity": 0.75 }), mark = svg("path", { stroke: "currentColor", fill: "none", "stroke-dasharray": "3 3" });
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    const spans = words.map(([word, first, last]) => {
      const box = svg("rect", { x: x(first), y: to + 4, width: Math.max(1, x(last) - x(first)), height: 17, rx: 2, stroke: "currentColor", "stroke-opacity": 0.4 });
      const fits = word.length * 5.6 < x(last) - x(first);
      return { box, label: svg("text", { x: (x(first) + x(last)) / 2, y: to + 16, "text-anchor": "middle", "font-size": 11 }, fits ? word : `${word.slice(0, Math.max(1, Math.floor((x(last) - x(first)) / 7)))}`) };
    });
    const drawing = svg("svg", { role: "img", viewBox: `0 0 ${W} ${H}`, style: "max-width:38rem;cursor:crosshair;touch-action:pan-y" },
      svg("defs", {}, svg("clipPath", { id: clip }, svg("rect", { x: left, y: from, width: right - left, height: to - from }))),
      svg("path", { d: `M${outline.map(([a]) => a).join("L")}L${outline.map(([, b]) => b).reverse().join("L")}Z`, fill: "var(--blue)", stroke: "var(--blue)", "stroke-width": 0.6 }),
      arch, svg("g", { "clip-path": `url(#${clip})` }, image, cross), ticks,
      svg("line", { x1: right + 6, x2: right + 6, y1: from, y2: to, class: "axis" }), slice, mark,
      svg("text", { x: W - 2, y: from - 5, "text-anchor": "end", "font-size": 10 }, "at the cursor"),
      svg("text", { x: left - 5, y: from - 8, "text-anchor": "end", "font-size": 10 }, "Hz"),
      range(Math.floor(seconds / wider + 1e-9) + 1).map((n) => [
        svg("line", { x1: x(n * wider), x2: x(n * wider), y1: to, y2: to + 3, class: "axis" }),
        svg("text", { x: x(n * wider), y: H - 3, "text-anchor": "middle", "font-size": 10 }, text(n * wider, wider < 0.1 ? 2 : wider < 1 ? 1 : 0)),
      ]), svg("text", { x: right + 12, y: H - 3, "font-size": 10 }, "s"),
      spans.map(({ box, label }) => [box, label]), line);
    const point = (event) => {
      const box = drawing.getBoundingClientRect(), [px, py] = [((event.clientX - box.left) / box.width) * W, ((event.clientY - box.top) / box.height) * H];
      leap("time", clamp(((px - left) / (right - left)) * seconds, 0, seconds));
      if (py < from || py > to) return;
      const share = (to - py) / (to - from);
      set("frequency", model.get("mel") ? toHz(toMel(low) + share * (toMel(top) - toMel(low))) : share * top);
    };
    drawing.addEventListener("pointerdown", (event) => { point(event); drawing.setPointerCapture(event.pointerId); });
    drawing.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
    const says = html("output", { class: "says" }), quiet = html("p", { class: "quiet" });

    // all that depends on the window and the scale, and not on the cursor
    let shown = "";
    const build = () => {
      const { hop, level, href } = picture(), on = model.get("mel"), rows = level[0].length;
      const half = ((hop / rate / seconds) * (right - left)) / 2, gap = on ? (to - from) / (bands + 1) : (to - from) / (rows - 1);
      image.setAttribute("href", href);
      Object.entries({ x: left - half, width: 2 * half * level.length, y: on ? from + gap / 2 : from - gap / 2, height: gap * rows }).forEach(([name, value]) => image.setAttribute(name, value));
      const marks = on ? [100, 250, 500, 1000, 2000, 4000, 8000, 16000] : range(Math.floor(top / 1000) + 1).map((k) => 1000 * k);
      const shownMarks = marks.filter((f) => f <= top).filter((f, i, all) => on || all.length < 10 || i % Math.ceil(all.length / 9) === 0);
      ticks.replaceChildren(...shownMarks.flatMap((f) => [svg("line", { x1: left - 3, x2: left, y1: y(f), y2: y(f), class: "axis" }), svg("text", { x: left - 5, y: y(f) + 3.5, "text-anchor": "end" }, f)]));
    };

    const draw = () => {
      const key = `${model.get("window")} ${model.get("mel")}`;
      if (shown !== key) { build(); shown = key; }
      const { size, hop, n_fft, level } = picture(), on = model.get("mel"), s = model.get("time"), f = model.get("frequency");
      const t = clamp(Math.round((s * rate) / hop), 0, level.length - 1), row = level[t], hertz = (k) => (on ? edges[k + 1] : (k * rate) / n_fft);
      const best = row.reduce((most, db, k) => (db > row[most] ? k : most), 0);
      const here = range(row.length).reduce((near, k) => (Math.abs(hertz(k) - f) < Math.abs(hertz(near) - f) ? k : near), 0);
      const word = words.findIndex(([, first, last]) => s >= first && s <= last);
      clock.value = s;
      pitch.value = f;
      long.value = model.get("window");
      mel.querySelector("input").checked = on;
      const [a, b] = [x(Math.max(0, s - size / rate / 2)), x(Math.min(seconds, s + size / rate / 2))];
      const bow = range(21).map((n) => [s + (n / 20 - 0.5) * (size / rate), 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / 20)]).filter(([u]) => u >= 0 && u <= seconds);
      arch.setAttribute("d", `M${a} ${wave}${bow.map(([u, v]) => `L${x(u).toFixed(2)} ${(wave - v * (wave - 2)).toFixed(2)}`).join("")}L${b} ${wave}Z`);
      line.setAttribute("d", `M${x(s)} 0V${to + 3}`);
      cross.setAttribute("d", `M${left} ${y(f)}H${right}`);
      mark.setAttribute("d", `M${right + 6} ${y(f)}H${W}`);
      const bar = (db) => right + 6 + (W - right - 8) * clamp(1 + db / deep, 0, 1);
      slice.setAttribute("d", `M${right + 6} ${y(hertz(0))}${row.map((db, k) => `L${bar(db).toFixed(1)} ${y(hertz(k)).toFixed(1)}`).join("")}L${right + 6} ${y(hertz(row.length - 1))}Z`);
      spans.forEach(({ box, label }, i) => {
        box.setAttribute("fill", i === word ? "var(--orange)" : "currentColor");
        box.setAttribute("fill-opacity", i === word ? 0.35 : 0.06);
        label.setAttribute("font-weight", i === word ? 700 : 400);
      });
      const loudness = (db) => number(db, (level) => `${text(level, 0)}\u00a0dB`);
      const loud = row[best] <= -deep ? ["nothing is louder than ", loudness(-deep), ". "]
        : [on ? `band ${best + 1} of ${bands}, around ` : "", html("b", {}, number(hertz(best), (hz) => `${text(hz, 0)}\u00a0Hz`)), " is loudest, ", loudness(row[best]), ". "];
      says.setAttribute("aria-live", ticking ? "off" : "polite"); // nobody can listen to the sound and to this
      says.replaceChildren(...["At ", number(s, (u) => `${text(u)}\u00a0s`), word >= 0 ? [", in ", html("b", {}, `“${words[word][0]}”`)] : "", ": ", loud,
        `At ${text(f, 0)}\u00a0Hz: `, row[here] <= -deep ? "below " : "", loudness(Math.max(-deep, row[here])), "."].flat());
      quiet.replaceChildren(`The window (orange, on the waveform) weighs ${size} samples: ${text((1000 * size) / rate, 0)}\u00a0ms. `
        + `Tones closer than about ${text((2 * rate) / size, 0)}\u00a0Hz run together, and so does what happens within ${text((1000 * size) / rate, 0)}\u00a0ms. 0\u00a0dB is the loudest spot${silent ? "; no sound can be played here, so the cursor runs in silence" : ""}.`);
      drawing.ariaLabel = `${title}: the waveform above the spectrogram, ${text(seconds)} seconds, ${on ? `${bands} mel bands` : `0 to ${text(top, 0)} Hz`}, a window of ${windows[model.get("window")]} ms; `
        + `the cursor is at ${text(s)} s, where ${text(hertz(best), 0)} Hz is loudest${word >= 0 ? `, in the word ${words[word][0]}` : ""}.`;
    };

    el.append(html("div", { class: "together" }, play, mel, html("span", {}, title)), drawing, html("div", { class: "stack" }, clock, pitch, long), says, quiet);
    model.on("change:time change:frequency change:window change:mel", draw);
    draw();
  },
};
