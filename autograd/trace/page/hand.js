/* The panel of what is in hand: a node, a parameter or input, or a fold. It says only what has come by the step at which the page
 * stands; what has not is a button that goes there. */

const kept = new Set(); /* the details that the reader has opened, by key */

function details(key, title, make) {
  const made = el("details", { open: kept.has(key), toggle: (event) => {
    if (event.target !== made) return;
    if (made.open) kept.add(key);
    else kept.delete(key);
    if (made.open && made.children.length === 1) made.append(make());
  } }, el("summary", title));
  if (kept.has(key)) made.append(make());
  return made;
}

const link = (text, go, more) => el("button.link", { click: go, ...more }, text);
const jump = (step, text) => link(text || `step ${step}`, () => goTo(step), { title: `To step ${step}` });
const tensorLink = (tensor, text = tensorName(tensor)) => {
  const item = tensor >= 0 ? sourceItem(tensor) : null;
  return item ? link(text, () => find(item), { title: tensorName(tensor) }) : text;
};
const nodeLink = (node) => link(nodeName(node), () => find(tree.items[node]));
const heading = (text) => el("h3", text);
const soft = (...text) => el("p.soft", ...text);

/* ---- a node ---- */

function placeLine(node) {
  const { file, line: number, group } = model.nodes[node];
  return el("p.soft", place(node) ? link(place(node), () => chooseLine(file, number), { title: "All nodes of this line" }) : "place not known",
    group ? ` · ${group}` : "", ` · made at step ${node + 1}`);
}

/* When a line was chosen: its nodes, to go from one to the next. */
function chosenNodes(node) {
  if (now.chosen.size < 2 || !now.chosen.has(node)) return null;
  const list = [...now.chosen], shown = list.slice(0, 40);
  return el("p.nodes", `${list.length} nodes of this line: `,
    shown.map((n) => [n === node ? el("b", nodeName(n)) : link(nodeName(n), () => take(tree.items[n])), " "]),
    list.length > shown.length ? `and ${list.length - shown.length} more` : "");
}

const cell = (tensor) => {
  const { value } = model.tensors[tensor];
  return isMade(tensor) ? brief(value, 24) : jump(madeAt(tensor));
};

function operands(node) {
  const { in: ins, out } = model.nodes[node], names = opOf(node).out || ["out"];
  const inGroup = (tensor) => { /* a parameter of the node's own layer, by the last part of its name */
    const { group, name } = model.tensors[tensor];
    return group && group === model.nodes[node].group ? name.slice(group.length + 1) : tensorName(tensor);
  };
  const row = (name, tensor) => el("tr", el("th", { scope: "row" }, name),
    tensor < 0 ? el("td", { colspan: "3", class: "soft" }, "left out") : [el("td", tensorLink(tensor, inGroup(tensor))),
      el("td.soft", shapeText(model.tensors[tensor].shape)), el("td.value.mono", cell(tensor))]);
  const shown = ins.slice(0, 32);
  return el("div.wide", el("table.operands", el("tbody", {},
    shown.map((tensor, i) => row(inputName(node, i), tensor)),
    ins.length > shown.length ? el("tr", el("td", { colspan: "4", class: "soft" }, `and ${ins.length - shown.length} more`)) : null,
    out.map((tensor, o) => row(names[o] || `out${o}`, tensor)))));
}

/* before + contribution = after: of one number as numbers, of more as pictures below. */
function sumLine(part) {
  const one = part.contribution.n === 1, text = (v) => (one && v.e ? full(v.e[0]) : brief(v, 26));
  const added = part.step <= now.step;
  const line = el("p.sum");
  if (!added) line.append(el("b.adjoint", text(part.contribution)), " ", el("span.soft", "not added yet: "), jump(part.step));
  else if (!part.before) line.append(el("b.adjoint", text(part.contribution)), " ", el("span.soft", "the first contribution"));
  else line.append(text(part.before), " + ", el("b.adjoint", text(part.contribution)), " = ", text(part.after));
  return line;
}

function contribution(node, part) {
  const name = inputName(node, part.input), { shape } = model.tensors[part.tensor];
  const block = el("div", { class: "contribution" },
    el("p", el("b", `d${name}`), " into ", tensorLink(part.tensor), " ", el("span.soft", shapeText(shape))), sumLine(part));
  if (part.rounded) block.append(soft("The kernel adds while it computes, so that last digits of the sum may differ."));
  if (part.slope) block.append(el("p", el("span.soft", "slope "), el("span.mono", `∂out/∂${name} = ${brief(part.slope, 40)}`)));
  if (part.contribution.n > 1) {
    const key = `part ${node} ${part.input}`;
    block.append(details(key, "Elements of the contribution", () => picture(part.contribution, shape, `the contribution to ${tensorName(part.tensor)}`)));
    if (part.rounded) block.append(soft("The kernel adds while it computes, so that last digits of the sum may differ."));
  if (part.slope) block.append(details(`${key} slope`, "Elements of the slope", () => picture(part.slope, shape, "the slope")));
    if (part.before) block.append(details(`${key} sum`, "Before and after the sum", () => el("div", {},
      soft("before"), picture(part.before, shape, "before"), soft("after"), picture(part.after, shape, "after"))));
  }
  return block;
}

function backwardPart(node) {
  const { entry, ruleAt } = model.nodes[node], op = opOf(node);
  const parts = [heading("Backward"), ...ruleLines(node, now.element)];
  if (op.kink) parts.push(soft("At the kink: ", op.kink));
  if (!entry) parts.push(el("p.why", `The walk does not come by: ${model.nodes[node].why || "no input requires a gradient"}.`));
  else if (ruleAt > now.step) parts.push(soft("Its rule runs at ", jump(ruleAt), "."));
  else {
    if (entry.why) parts.push(el("p.why", entry.why));
    parts.push(...entry.in.map((part) => contribution(node, part)));
    const asked = model.nodes[node].in.filter((t) => t >= 0 && !model.tensors[t].requires_grad);
    if (asked.length) parts.push(soft(`No gradient is asked for ${clip(asked.map(tensorName).join(", "), 100)}.`));
  }
  return parts;
}

function savedPart(node) {
  const { saved, endAt, entry } = model.nodes[node];
  const parts = [heading("Saved for the backward pass")];
  if (!saved || !saved.length) return [...parts, soft("Nothing: the rule reads no elements of inputs or results.")];
  const state = () => now.step <= node ? ["kept from ", jump(node + 1), " on"]
    : !endAt ? ["held until the tape is rewound: the walk did not pass this node"]
      : now.step < endAt ? ["held, until ", jump(endAt)] : ["let go by this node at ", jump(endAt)];
  const freed = entry && endAt <= now.step ? entry.released : [];
  return [...parts, el("ul.plain", saved.map((tensor) => el("li", tensorLink(tensor), " ",
    el("span.soft", shapeText(model.tensors[tensor].shape), ": ", state(), freed.includes(tensor) ? "; nobody else holds it" : "")))) ];
}

function nodePanel(node) {
  const { attrs, out } = model.nodes[node], op = opOf(node);
  return [el("h2", op.name, " ", el("span.soft", `#${model.nodes[node].id}`)), placeLine(node), chosenNodes(node),
    heading("Forward"), formulaLines(node, now.element),
    attrs && attrs.length ? el("p.mono.soft", attrs.map(([name, value]) => `${name} = ${value}`).join(", ")) : null,
    operands(node), backwardPart(node), out.map((tensor) => tensorParts(tensor, isPointwise(node))), savedPart(node)];
}

/* ---- a parameter or an input ---- */

function tensorPanel(tensor) {
  const { role, shape, dtype, group } = model.tensors[tensor], uses = model.uses[tensor];
  return [el("h2", tensorName(tensor)),
    soft(`${role} · ${shapeText(shape)} ${dtype}${group ? ` · ${group}` : ""}`),
    el("p", "Used by ", uses.slice(0, 30).map((use, i) => [i ? ", " : "", nodeLink(use.node), ` as ${inputName(use.node, use.input)}`]),
      uses.length > 30 ? ` and ${uses.length - 30} more` : ""),
    tensorParts(tensor, false)];
}

/* ---- a fold ---- */

function foldPanel(fold) {
  const { nodes, parameters } = contents(fold), children = [...fold.leaves, ...fold.children];
  const name = (item) => (item.kind === "fold" ? item.label : item.kind === "node" ? nodeName(item.node) : tensorName(item.tensor));
  const more = (item) => {
    if (item.kind === "fold") return counted(contents(item).nodes, "node");
    const { shape, name: given } = model.tensors[item.kind === "node" ? model.nodes[item.node].out[0] : item.tensor];
    return `${item.kind === "node" && given ? `${clip(given, 40)} ` : ""}${shapeText(shape)}`;
  };
  const rows = children.slice(0, 60).map((item) => el("li", link(clip(name(item), 60), () => find(item)), el("span.soft", ` ${more(item)}`)));
  const by = { group: "group of parameters", line: "source line", number: "place on the tape" }[fold.by];
  return [el("h2", clip(fold.label, 200)),
    soft(`${counted(nodes, "node")}, ${counted(parameters, "parameter")}${by ? `; folded by ${by}` : ""}`),
    fold === tree.root ? null : el("p", el("button", { click: () => toggleFold(fold) }, fold.open ? "Fold (Enter)" : "Unfold (Enter)")),
    el("ul.plain", rows)];
}

/* ---- all ---- */

function emptyPanel() {
  const { tensor } = model.seed || {};
  return [el("h2", "Nothing in hand"), soft("Choose a box, a line of the program, or step."),
    tensor === undefined ? null : el("p", "The loss is ", tensorLink(tensor), ".")];
}

function showHand() {
  const panel = at("hand"), { hand } = now;
  const focusable = () => [...panel.querySelectorAll("button, summary, [tabindex='0']")];
  const focus = panel.contains(document.activeElement) ? focusable().indexOf(document.activeElement) : -1;
  const parts = !hand ? emptyPanel() : hand.kind === "node" ? nodePanel(hand.node) : hand.kind === "tensor" ? tensorPanel(hand.tensor) : foldPanel(hand);
  panel.replaceChildren(...parts.flat(9).filter(Boolean));
  if (focus >= 0) (focusable()[focus] || panel).focus({ preventScroll: true });
}
