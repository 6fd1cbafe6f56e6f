/* What the trace says, and when: a line of steps, forward through the tape, the seed, and backward. In the backward pass a node has one
 * step in which its rule runs and every contribution is there, and then one for each sum. */

const model = {};

/* Where the page stands: the step, what is in hand ({kind: "node" | "tensor" | "fold", ...}), nodes chosen by line, the element shown. */
const now = { step: 0, hand: null, chosen: new Set(), element: 0, playing: null };

function openTrace(text) {
  const json = JSON.parse(text);
  if (json.format !== "tapegrad trace") throw new Error("This page holds no trace.");
  if (json.version !== 1) throw new Error(`The trace is of version ${json.version}; this page reads version 1.`);
  resolveValues(json);
  Object.assign(model, { json, ops: json.ops, tensors: json.tensors, nodes: json.nodes, sources: json.sources,
    backward: json.backward, seed: json.seed && json.seed.value ? json.seed : null });
  model.uses = model.tensors.map(() => []);
  model.byLine = new Map();
  model.nodes.forEach((node, index) => {
    node.in.forEach((tensor, input) => tensor >= 0 && model.uses[tensor].push({ node: index, input }));
    const key = `${node.file}:${node.line}`;
    if (!model.byLine.has(key)) model.byLine.set(key, []);
    model.byLine.get(key).push(index);
  });
  layDownSteps();
  countHeld();
}

/* Members that are indices into the list of values become these values, and what the list leaves out is filled in. */
function resolveValues(json) {
  const { values } = json;
  for (const v of values) {
    if (v.e) Object.assign(v, summary(v.e.map(real)));
    for (const name of ["zero", "nan", "inf"]) v[name] = v[name] || 0;
  }
  const put = (item, ...names) => {
    for (const name of names) if (name in item) item[name] = item[name] === null ? null : values[item[name]];
  };
  for (const tensor of json.tensors) put(tensor, "value", "grad");
  const { orders } = json;
  for (const step of [...json.backward, ...(orders ? [...orders.right, ...orders.wrong] : [])]) {
    if (Array.isArray(step.dout)) step.dout = step.dout.map((v) => (v === null ? null : values[v]));
    else put(step, "dout", "complete");
    for (const part of step.in) put(part, "contribution", "before", "after", "slope");
  }
  if (json.seed) put(json.seed, "value");
  for (const leaf of (orders && orders.leaves) || []) put(leaf, "right", "wrong");
  for (const leaf of json.twice || []) put(leaf, "once", "twice");
  for (const seed of json.seeds || []) for (const row of seed.rows) put(row, "value");
}

/* history[t]: what tensor t's gradient was after each sum, in the order of the walk. */
function layDownSteps() {
  const steps = (model.steps = [{ kind: "start" }]);
  model.history = model.tensors.map(() => []);
  model.nodes.forEach((_, node) => steps.push({ kind: "forward", node }));
  model.seedAt = steps.length;
  if (!model.seed) return;
  model.history[model.seed.tensor].push({ step: steps.length, after: model.seed.value, entry: -1 });
  steps.push({ kind: "seed", node: model.tensors[model.seed.tensor].node });
  model.backward.forEach((entry, e) => {
    const node = model.nodes[entry.node];
    Object.assign(node, { entry, ruleAt: steps.length });
    steps.push({ kind: "rule", node: entry.node, entry });
    entry.in.forEach((part, p) => {
      part.step = steps.length;
      model.history[part.tensor].push({ step: steps.length, after: part.after, before: part.before, part, node: entry.node, entry: e });
      steps.push({ kind: "sum", node: entry.node, entry, part, last: p === entry.in.length - 1 });
    });
    node.endAt = steps.length - 1;
  });
}

/* held[s]: how many tensors, and elements of them, wait for the backward pass at step s. One that several nodes saved counts once. */
function countHeld() {
  const by = model.tensors.map(() => 0), leaves = new Map();
  const elements = (tensor) => model.tensors[tensor].shape.reduce((n, d) => n * d, 1);
  for (const node of model.nodes) if (node.endAt) leaves.set(node.endAt, node);
  let tensors = 0, total = 0;
  model.held = model.steps.map((step, s) => {
    if (step.kind === "forward")
      for (const tensor of model.nodes[step.node].saved || []) if (by[tensor]++ === 0) (tensors += 1), (total += elements(tensor));
    const done = leaves.get(s);
    if (done) for (const tensor of done.saved || []) if (--by[tensor] === 0) (tensors -= 1), (total -= elements(tensor));
    return { tensors, total };
  });
}

const madeAt = (tensor) => (model.tensors[tensor].node < 0 ? 0 : model.tensors[tensor].node + 1);
const isMade = (tensor, step = now.step) => madeAt(tensor) <= step;

/* The last entry of the tensor's history that has come by this step. */
function gradientAt(tensor, step = now.step) {
  const list = model.history[tensor];
  let last = null;
  for (const item of list) if (item.step <= step) last = item;
  return last;
}
const isComplete = (tensor, step = now.step) => {
  const list = model.history[tensor];
  return list.length > 0 && list[list.length - 1].step <= step;
};

const opOf = (node) => model.ops[model.nodes[node].op];
const nodeName = (node) => `${opOf(node).name} #${model.nodes[node].id}`;

/* A tensor without a name is called after what made it. */
function tensorName(tensor) {
  if (tensor < 0) return "left out";
  const { name, node, out, role, shape } = model.tensors[tensor];
  if (name) return name;
  if (node < 0) return role === "parameter" ? "a parameter" : shape.length ? "an input" : `constant ${brief(model.tensors[tensor].value)}`;
  return nodeName(node) + (model.nodes[node].out.length > 1 ? `.${opOf(node).out[out] || out}` : "");
}

/* The name of the op's input; those of a variadic op are counted, and what a checkpoint holds is none of its inputs. */
const inputName = (node, input) => (input < 0 ? "inside" : (opOf(node).in || [])[input] || `in${input}`);

const place = (node) => {
  const { file, line } = model.nodes[node];
  return file >= 0 && model.sources[file] ? `${model.sources[file].file}:${line}` : line > 0 ? `line ${line}` : "";
};

function sourceText(file, line) {
  const found = model.sources[file] && (model.sources[file].lines || []).find((item) => item[0] === line);
  return found ? found[1].trim() : "";
}

/* ---- the step in words, for the line under the scrubber and for screen readers ---- */

function describeSum(step) {
  const { part } = step, name = tensorName(part.tensor), gives = brief(part.contribution, 28);
  const first = `${nodeName(step.node)} gives ${name} the contribution ${gives}`;
  const gone = step.last && step.entry.released.length ? ` Let go: ${clip(step.entry.released.map(tensorName).join(", "), 80)}.` : "";
  if (!part.before) return `${first}, its first.${gone}`;
  return `${first}: ${brief(part.before, 28)} + ${gives} = ${brief(part.after, 28)}.${gone}`;
}

function describeStep(step) {
  switch (step.kind) {
    case "start": return "Start: there are parameters and inputs, and nothing else.";
    case "forward": {
      const outs = model.nodes[step.node].out.map((t) => `${tensorName(t)} = ${brief(model.tensors[t].value, 28)}`);
      return `Forward: ${nodeName(step.node)} makes ${clip(outs.join("; "), 120)}.`;
    }
    case "seed": return `Seed: d ${tensorName(model.seed.tensor)} / d ${tensorName(model.seed.tensor)} = ${brief(model.seed.value)}. From here on backward.`;
    case "rule": {
      const count = step.entry.in.length;
      return `Backward: ${nodeName(step.node)} ${count ? `runs its rule: ${counted(count, "contribution")}, not yet added` : "gives no contribution"}.`
        + (step.entry.why ? ` ${step.entry.why}` : "");
    }
    default: return `Backward: ${describeSum(step)}`;
  }
}
