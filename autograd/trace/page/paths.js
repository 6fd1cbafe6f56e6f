/* A tensor in the panel: its value, its gradient with the contribution of each path before it is summed, and, where the gradient is
 * missing, zero or NaN, why. */

const isZero = (v) => v && v.n > 0 && (v.n === 1 ? real(v.e[0]) === 0 : v.zero === v.n);
const isBad = (v) => v && (v.n === 1 && v.e ? !Number.isFinite(real(v.e[0])) : v.nan > 0 || v.inf > 0);

/* Why the node passed on nothing but zeros. */
function zeroReason(item) {
  const { entry } = model.nodes[item.node], part = item.part;
  if (entry.why) return entry.why;
  if (entry.dout.every((v) => !v || isZero(v))) return "the adjoint that comes to it is 0 already";
  if (part.slope && isZero(part.slope)) return "its slope is 0 here";
  return "what it multiplies the adjoint by is 0";
}

function missingReason(tensor) {
  const { requires_grad: asked, why } = model.tensors[tensor], uses = model.uses[tensor];
  if (!asked) return "None is asked for: it does not require a gradient, nor does anything that it is made of.";
  if (why) return `None: ${why}.`;
  const walked = uses.filter((use) => model.nodes[use.node].entry);
  if (!uses.length) return "None comes: nothing uses it.";
  if (!walked.length) return "None comes: no path leads from it to the loss.";
  const whys = walked.map((use) => `${nodeName(use.node)}: ${model.nodes[use.node].entry.why || "its rule gives this input none"}`);
  return `None comes. ${clip(whys.join(" "), 400)}`;
}

/* Sentences about zeros, NaN and infinities in a gradient. */
function explain(tensor, items) {
  const last = items[items.length - 1], list = [];
  if (!last) return list;
  const v = last.after, parts = items.filter((item) => item.part);
  if (isZero(v)) {
    const zeros = parts.filter((item) => isZero(item.part.contribution));
    list.push("The gradient is 0" + (v.n > 1 ? " in all elements." : "."));
    if (parts.length && zeros.length < parts.length) list.push("The contributions cancel each other.");
    for (const item of zeros.slice(0, 4)) list.push(`${nodeName(item.node)} contributes 0: ${zeroReason(item)}`);
  } else if (v.zero > 0) list.push(`${grouped(v.zero)} of ${grouped(v.n)} elements are exactly 0.`);
  if (isBad(v)) {
    const origin = badOrigin(tensor);
    list.push(origin === null ? "It is not finite: the sum overflows, or infinities of both signs meet."
      : ["It is not finite. That begins at ", nodeLink(origin), ", whose rule makes it of a finite adjoint."]);
  }
  return list;
}

/* The first node of the walk, on the way to this tensor, that made something not finite of adjoints that are; null: none, but the sum. */
function badOrigin(tensor) {
  for (let reached = tensor; ; ) {
    const source = model.history[reached].find((item) => item.part && isBad(item.part.contribution));
    if (!source) return null;
    const { entry, out } = model.nodes[source.node], from = entry.dout.findIndex(isBad);
    if (from < 0) return source.node;
    reached = out[from];
  }
}

/* The first tensor, on the way to this one, that is not finite although what it is made of is. */
function badValueReason(tensor) {
  if (!isBad(model.tensors[tensor].value)) return null;
  for (let first = tensor; ; ) {
    const { node } = model.tensors[first];
    const from = node < 0 ? undefined : model.nodes[node].in.find((t) => t >= 0 && isBad(model.tensors[t].value));
    if (from === undefined && first === tensor) return "The value is not finite, and nothing that it is made of is so.";
    if (from === undefined) return ["The value is not finite. That begins with ", tensorLink(first), "."];
    first = from;
  }
}

/* One row for each path that reached the tensor, with its share of the sizes of all. */
function pathTable(tensor, items) {
  const parts = items.filter((item) => item.part);
  const total = parts.reduce((sum, item) => sum + size(item.part.contribution), 0);
  const one = parts.length > 0 && parts[0].part.contribution.n === 1;
  const rows = parts.map((item) => {
    const v = item.part.contribution, share = size(v) / total;
    const bar = () => [el("span.share-bar", { style: `width:${(share * 3).toFixed(2)}rem` }), `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`];
    return el("tr", el("td", nodeLink(item.node), el("span.soft", ` ${inputName(item.node, item.part.input)}`)),
      el("td.adjoint.mono", one && v.e ? full(v.e[0]) : brief(v, 24)),
      el("td.share", Number.isFinite(share) ? bar() : "–"));
  });
  const last = items[items.length - 1].after;
  return el("div.wide", el("table", { class: "paths" },
    el("thead", el("tr", el("th", { scope: "col" }, "path"), el("th", { scope: "col" }, "contribution"),
      el("th", { scope: "col", title: one ? "of the sum of absolute values" : "of the sum of the roots of the sums of squares" }, "share"))),
    el("tbody", rows, parts.length > 1 ? el("tr.total", el("td", "sum"), el("td.adjoint.mono", one && last.e ? full(last.e[0]) : brief(last, 24)),
      el("td")) : null)));
}

function gradientParts(tensor, name) {
  const all = model.history[tensor], items = all.filter((item) => item.step <= now.step);
  if (!all.length) return [soft(missingReason(tensor))];
  if (!items.length) return [soft("Its first contribution comes at ", jump(all[0].step), ".")];
  const last = items[items.length - 1], parts = [];
  if (items.length < all.length) parts.push(soft(`${items.length} of ${all.length} contributions so far; complete at `, jump(all[all.length - 1].step), "."));
  if (items[0].entry < 0) parts.push(soft("It is where the walk begins: the seed."));
  if (items.some((item) => item.part)) parts.push(pathTable(tensor, items));
  parts.push(...explain(tensor, items).map((text) => el("p.why", text)));
  if (last.after.n > 1) parts.push(picture(last.after, model.tensors[tensor].shape, `the gradient of ${name}`));
  else if (!items.some((item) => item.part)) parts.push(picture(last.after, [], name));
  return parts;
}

function tensorParts(tensor, canPick) {
  const { value, shape } = model.tensors[tensor], name = clip(tensorName(tensor), 80);
  const pick = canPick ? (e) => ((now.element = e), show()) : null;
  const parts = [heading(`Value of ${name}`)];
  if (!isMade(tensor)) parts.push(soft("It is made at ", jump(madeAt(tensor)), "."));
  else if (!value) parts.push(soft("Its elements are gone: a walk without retain has dropped them."));
  else parts.push(el("div.value-picture", picture(value, shape, name, pick, now.element)));
  if (canPick && value && value.n > 1 && isMade(tensor))
    parts.push(soft(`The formulas above show element ${position(now.element, shape).join(", ")}; choose another in the table.`));
  const bad = isMade(tensor) ? badValueReason(tensor) : null;
  if (bad) parts.push(el("p.why", bad));
  return [...parts, heading(`Gradient of ${name}, path by path`), ...gradientParts(tensor, name)];
}
