// One long matrix [W_aa | W_ax] times one long column [a ; x] is the sum of two products.

// Row i of the product, and its two halves.
export const halves = (W_aa, W_ax, a, x, i) => {
  const state = dot(W_aa[i], a), input = dot(W_ax[i], x);
  return { state, input, whole: dot([...W_aa[i], ...W_ax[i]], [...a, ...x]) };
};

export default {
  render({ model, el }) {
    const { W_aa, W_ax } = model.get("weights"), steps = model.get("steps"), symbols = [...model.get("symbols")];
    const H = W_aa.length, width = H + symbols.length, heads = [...range(H).map((j) => `a${j + 1}`), ...symbols];
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const time = slider({ label: "time step t", min: 1, max: steps.length, step: 1, value: model.get("step"), show: (t) => text(t, 0), change: (t) => set("step", t) });
    const cells = W_aa.map((row, i) => [...row, ...W_ax[i]].map((w, j) => tint(html("td", { class: `square${j === H ? " cut" : ""}` }, number(w)), w / 2)));
    const line = (name) => {
      const row = range(width).map((j) => html("td", { class: j === H ? "cut" : null }));
      return { row, line: html("tr", {}, html("th", { scope: "row" }, name), row) };
    };
    const vector = line("[a;x]"), products = line("prod.");
    const matrix = html("table", { class: "concatenated", role: "grid", "aria-label": "The matrix W_a; the arrow keys move" },
      html("thead", {}, html("tr", {}, html("td"), html("th", { scope: "colgroup", colspan: H }, "W_aa"), html("th", { scope: "colgroup", colspan: symbols.length, class: "cut" }, "W_ax")),
        html("tr", {}, html("td"), heads.map((head, j) => html("th", { scope: "col", class: j === H ? "cut" : null }, head)))),
      html("tbody", {}, cells.map((row, i) => html("tr", {}, html("th", { scope: "row" }, `${i + 1}`), row)), vector.line, products.line));
    const says = html("output", { class: "says" });

    const draw = () => {
      const t = model.get("step"), [i, j] = model.get("cell"), { a, x, letter } = steps[t - 1], column = [...a, ...x];
      const { state, input, whole } = halves(W_aa, W_ax, a, x, i), row = [...W_aa[i], ...W_ax[i]];
      cells.forEach((line, r) => line.forEach((cell, c) => {
        cell.classList.toggle("now", r === i);
        cell.setAttribute("aria-selected", r === i && c === j);
      }));
      column.forEach((v, c) => {
        vector.row[c].replaceChildren(number(v));
        products.row[c].replaceChildren(number(row[c] * v));
        for (const { row } of [vector, products]) row[c].style.fontWeight = c === j ? 700 : 400;
      });
      says.replaceChildren(`Step ${t}, letter “${letter}”, row ${i + 1}: the left half gives `, number(state), ", the right half ", number(input),
        "; together ", number(state + input), ". The whole row times the whole column gives ", number(whole),
        `: the same. In column ${heads[j]}, ${text(row[j])} × ${text(column[j])} = ${text(row[j] * column[j])}.`);
    };

    el.append(time, scroll("The long matrix and the long column", matrix), says);
    rove(cells, (cell) => {
      const i = cells.findIndex((row) => row.includes(cell));
      set("cell", [i, cells[i].indexOf(cell)]);
    });
    model.on("change:step change:cell", draw);
    draw();
  },
};
