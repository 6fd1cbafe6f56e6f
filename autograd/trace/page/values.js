/* Elements of the page, and how numbers and tensors are shown. VALUES of docs/trace-format.md are called v: v.n elements, v.e all of
 * them where they are few, otherwise v.first and statistics. */

/* An element: "td.soft.mono" is its tag and its classes; then attributes and listeners, which may be left out, and children. Text is set as
 * text, so that nothing of a trace is read as HTML. */
function build(space, kind, rest) {
  const [tag, ...classes] = kind.split("."), made = document.createElementNS(space, tag);
  const given = rest[0] && rest[0].constructor === Object ? rest.shift() : {};
  if (classes.length) made.setAttribute("class", classes.join(" "));
  for (const name in given) {
    const value = given[name];
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...rest.flat(9).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}
const el = (kind, ...rest) => build("http://www.w3.org/1999/xhtml", kind, rest);
const svg = (kind, ...rest) => build("http://www.w3.org/2000/svg", kind, rest);
const at = (id) => document.getElementById(id);

/* JSON has no infinities and no NaN: they are words. */
const words = { nan: NaN, inf: Infinity, "-inf": -Infinity };
const real = (x) => (typeof x === "string" ? words[x] : Number(x));

/* All digits that the trace has. -0 is shown as such, since 1 / -0 is not 1 / 0. */
function full(x) {
  x = real(x);
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  return Object.is(x, -0) ? "-0" : String(x);
}

/* Few digits, where there is no room for more. */
function short(x, digits = 4) {
  const whole = full(x);
  if (whole.length <= digits + 3 || !Number.isFinite(real(x))) return whole;
  const rounded = String(Number(real(x).toPrecision(digits)));
  return rounded.length <= digits + 4 ? rounded : real(x).toExponential(digits - 2);
}

const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const counted = (n, what) => `${grouped(n)} ${what}${n === 1 ? "" : "s"}`;
const clip = (text, most) => (text.length <= most ? text : text.slice(0, Math.max(1, most - 1)) + "…");
const shapeText = (shape) => (shape.length ? `[${shape.join(", ")}]` : "scalar");

/* One line about a tensor: its elements if they fit into so many characters, or else mean and standard deviation. */
function brief(v, most = 22) {
  if (!v) return "elements gone";
  if (v.n === 0) return "no elements";
  if (v.e) {
    const list = v.e.map((x) => short(x)).join(", ");
    if (v.n === 1) return short(v.e[0], 7);
    if (list.length <= most) return list;
  }
  const some = (count, what) => (count === v.n ? `all ${what}` : count < 10000 ? `${grouped(count)} ${what}` : `${((100 * count) / v.n).toFixed(0)} % ${what}`);
  if (v.nan || v.inf) return v.nan ? some(v.nan, "NaN") : some(v.inf, "infinite");
  if (v.min === v.max) return `all ${short(v.min)}`;
  return `${short(v.mean)} ± ${short(v.std)}`;
}

/* Of all elements, as the trace has it for large tensors. */
function summary(list) {
  const finite = list.filter(Number.isFinite), count = finite.length, mean = count ? finite.reduce((sum, x) => sum + x, 0) / count : null;
  const std = count ? Math.sqrt(finite.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count) : null;
  const nan = list.filter(Number.isNaN).length;
  return { min: count ? Math.min(...finite) : null, max: count ? Math.max(...finite) : null, mean, std,
    zero: list.filter((x) => x === 0).length, nan, inf: list.length - count - nan };
}

/* The root of the sum of squares, by which shares of tensors are compared; exact where all elements are there. */
function size(v) {
  if (v.e) return v.e.reduce((sum, x) => Math.hypot(sum, real(x)), 0);
  return v.nan || v.inf ? NaN : Math.sqrt(v.n * (real(v.mean) ** 2 + real(v.std) ** 2));
}

/* Tints lie over the background, so that one canvas serves dark and light. */
function tint(x, most) {
  if (Number.isNaN(x)) return "rgba(204, 51, 153, .6)";
  const strength = most > 0 ? Math.min(1, Math.abs(x) / most) : 0;
  return x < 0 ? `rgba(213, 94, 0, ${(0.75 * strength).toFixed(3)})` : `rgba(0, 114, 210, ${(0.75 * strength).toFixed(3)})`;
}

const largest = (list) => list.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);

/* Where element e stands in a tensor of this shape, row-major. */
function position(e, shape) {
  const place = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place.unshift(e % shape[axis]);
    e = Math.floor(e / shape[axis]);
  }
  return place;
}

/* All elements: the last axis lies along a row; a long vector is broken into rows of eight. pick(e) is called when one is chosen. */
function table(v, shape, name, pick, chosen) {
  const last = shape.length ? shape[shape.length - 1] : 1;
  const columns = shape.length === 1 && last > 8 ? 8 : Math.max(1, last);
  const list = v.e.map(real), most = largest(list);
  const body = el("tbody");
  for (let from = 0; from < v.n; from += columns) {
    const where = shape.length < 2 ? (v.n > columns ? `${from}` : "") : position(from, shape).slice(0, -1).join(", ");
    const row = el("tr", where === "" ? null : el("th", { scope: "row" }, where));
    for (let e = from; e < Math.min(v.n, from + columns); e++) {
      const text = full(v.e[e]);
      const label = `element ${position(e, shape).join(", ")}: ${text}`;
      row.append(el("td", { style: `background:${tint(list[e], most)}` },
        pick && v.n > 1 ? el("button.cell", { "aria-label": label, "aria-pressed": String(e === chosen), click: () => pick(e) }, text) : text));
    }
    body.append(row);
  }
  return el("div.wide", { tabindex: v.n > 8 ? "0" : null, role: "group", "aria-label": `Elements of ${name}` }, el("table.elements", body));
}

/* Block means of a large tensor, by colour: a letter for each, between the tensor's extremes. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function heat(v, name) {
  const { map } = v, low = real(v.min), span = real(v.max) - low;
  const canvas = el("canvas.heat", { width: map.cols, height: map.rows, role: "img",
    "aria-label": `Heat map of ${name}, ${map.rows} by ${map.cols} means of blocks` });
  const ink = canvas.getContext("2d"), list = [...map.v].map((c) => (c === "." ? NaN : low + (span * LETTERS.indexOf(c)) / 63)), most = largest(list);
  list.forEach((x, i) => {
    ink.fillStyle = tint(x, most);
    ink.fillRect(i % map.cols, Math.floor(i / map.cols), 1, 1);
  });
  canvas.style.aspectRatio = `${map.cols} / ${map.rows}`;
  return canvas;
}

function histogram(v, name) {
  const w = 208, h = 64, most = Math.max(...v.hist, 1), bar = w / v.hist.length;
  const low = real(v.min), high = real(v.max);
  const picture = svg("svg.histogram", { viewBox: `0 0 ${w} ${h + 16}`, role: "img",
    "aria-label": `Histogram of ${name}: ${v.hist.join(", ")} elements from ${short(low)} to ${short(high)}` });
  v.hist.forEach((count, i) => {
    const tall = count ? Math.max(1, (count / most) * h) : 0;
    picture.append(svg("rect", { x: i * bar + 0.5, y: h - tall, width: bar - 1, height: tall }));
  });
  if (low < 0 && high > 0) {
    const zero = (-low / (high - low)) * w;
    picture.append(svg("path.zero", { d: `M${zero.toFixed(1)} 0V${h}` }));
  }
  picture.append(svg("path.axis", { d: `M0 ${h}H${w}` }), svg("text", { x: 0, y: h + 12 }, short(low)),
    svg("text", { x: w, y: h + 12, "text-anchor": "end" }, short(high)));
  return picture;
}

function statistics(v) {
  const rows = [["min", full(v.min)], ["max", full(v.max)], ["mean", short(v.mean, 6)], ["std", short(v.std, 6)]];
  rows.push(["zeros", `${grouped(v.zero)} of ${grouped(v.n)}`]);
  if (v.nan) rows.push(["NaN", grouped(v.nan)]);
  if (v.inf) rows.push(["infinite", grouped(v.inf)]);
  return el("dl.statistics", rows.map(([name, text]) =>
    el("div", { class: name === "NaN" || name === "infinite" ? "bad" : null }, el("dt", name), el("dd", text))));
}

/* A whole tensor: the number, or the table, or pictures; and statistics. */
function picture(v, shape, name, pick, chosen) {
  if (v.n === 0) return el("p.soft", "It has no elements.");
  if (v.n === 1 && v.e) return el("p.number", full(v.e[0]));
  const parts = el("div.picture");
  if (v.e) parts.append(table(v, shape, name, pick, chosen));
  else {
    parts.append(el("p.soft.mono", (v.first || []).map(full).join(", ") + ", …"));
    const pictures = el("div.pictures");
    if (v.map) pictures.append(heat(v, name));
    if (v.hist) pictures.append(histogram(v, name));
    parts.append(pictures);
  }
  parts.append(statistics(v));
  return parts;
}
