/* The tree of folds. Every fold is a run of nodes that follow each other on the tape: the tape is in topological order, so whatever
 * is folded, the picture has no cycle. Items of the tree: {kind: "node", node}, {kind: "tensor", tensor} for parameters and inputs,
 * {kind: "fold", from, to, children}. Runs are made by the groups of parameters, level by level ("blocks", "blocks.0", ..), then by
 * source line, then, where a level would still have too many boxes, by number. */

const MOST_BOXES = 48;   /* of one level */
const OPEN_AT_FIRST = 40; /* nodes of a program that is shown unfolded */

const tree = { root: null, folds: [], items: [], leaves: new Map() };

function makeFold(label, kind, children) {
  const first = children[0], last = children[children.length - 1];
  const fold = { kind: "fold", by: kind, label, id: `f${tree.folds.length}`, children, leaves: [], open: false, parent: null,
    from: first.from, to: last.to, inside: new Map(), laid: null };
  tree.folds.push(fold);
  return fold;
}

const makeNode = (node) => ({ kind: "node", node, id: `n${node}`, from: node, to: node, parent: null });
const sameLine = (a, b) => model.nodes[a].line === model.nodes[b].line && model.nodes[a].file === model.nodes[b].file;

/* The part of a node's group that names its run at this depth; null where the group ends before. */
function groupAt(node, depth) {
  const parts = (model.nodes[node].group || "").split(".");
  return parts[0] !== "" && parts.length > depth ? parts.slice(0, depth + 1).join(".") : null;
}

/* Runs [from, to] of one group at this depth: nodes without a group that stand between two of it belong to it, and so do those after
 * its last node that the same source line made. */
function groupRuns(from, to, depth) {
  const runs = [];
  let run = null;
  for (let node = from; node <= to; node++) {
    const group = groupAt(node, depth);
    if (group === null) continue;
    if (run && run.group === group) run.to = node;
    else runs.push((run = { group, from: node, to: node }));
  }
  runs.forEach((r, i) => {
    const end = i + 1 < runs.length ? runs[i + 1].from - 1 : to;
    while (r.to < end && sameLine(r.to + 1, r.to)) r.to++;
  });
  return runs;
}

const lineLabel = (node) => {
  const { file, line } = model.nodes[node], text = sourceText(file, line);
  return text ? `${line}: ${text}` : place(node) || "line not known";
};

/* Nodes of no group: those of one line are one fold, unless they are all that there is. */
function lineItems(from, to, whole) {
  const items = [];
  for (let node = from, end; node <= to; node = end + 1) {
    for (end = node; end < to && sameLine(end + 1, node); ) end++;
    const nodes = Array.from({ length: end - node + 1 }, (_, i) => makeNode(node + i));
    if (nodes.length > 1 && !(whole && node === from && end === to)) items.push(makeFold(lineLabel(node), "line", capped(nodes)));
    else items.push(...nodes);
  }
  return items;
}

/* At most MOST_BOXES items: longer lists become folds of about 24, which begin, where the list repeats itself, at a repetition. */
function capped(items) {
  const label = (item) => (item.kind === "fold" ? item.label : opOf(item.node).name);
  while (items.length > MOST_BOXES) {
    const parts = [];
    let part = [];
    for (const item of items) {
      if (part.length >= 40 || (part.length >= 20 && label(item) === label(items[0]))) parts.push(part), (part = []);
      part.push(item);
    }
    parts.push(part);
    items = parts.map((list) => {
      const groups = list.filter((item) => item.by === "group").map(label), last = list.length - 1;
      const names = groups.length ? [groups[0], groups[groups.length - 1]] : [list[0].from, list[last].to].map((node) => `#${model.nodes[node].id}`);
      return last > 0 ? makeFold(names.join(" to "), "number", list) : list[0];
    });
  }
  return items;
}

function itemsOf(from, to, depth) {
  const items = [];
  let next = from;
  const runs = groupRuns(from, to, depth);
  for (const run of runs) {
    if (run.from > next) items.push(...lineItems(next, run.from - 1, false));
    items.push(makeFold(run.group, "group", itemsOf(run.from, run.to, depth + 1)));
    next = run.to + 1;
  }
  if (next <= to) items.push(...lineItems(next, to, runs.length === 0 && depth > 0));
  return capped(items);
}

/* ---- parameters and inputs ---- */

const pathOf = (item) => {
  const path = [];
  for (let fold = item.parent; fold; fold = fold.parent) path.unshift(fold);
  return path;
};

function commonDepth(a, b) {
  let depth = 0;
  while (depth < a.length && depth < b.length && a[depth] === b[depth]) depth++;
  return depth;
}

/* A leaf stands in the smallest fold that holds all its uses. */
function addLeaves() {
  model.tensors.forEach((tensor, index) => {
    const uses = model.uses[index];
    if (tensor.node >= 0 || uses.length === 0) return;
    let path = tree.items[uses[0].node].path;
    for (const use of uses) path = path.slice(0, commonDepth(path, tree.items[use.node].path));
    const leaf = { kind: "tensor", tensor: index, id: `t${index}`, from: uses[0].node, to: uses[0].node, parent: path[path.length - 1], path };
    leaf.parent.leaves.push(leaf);
    tree.leaves.set(index, leaf);
  });
}

function setParents(fold) {
  for (const child of fold.children) {
    child.parent = fold;
    child.path = pathOf(child);
    if (child.kind === "fold") setParents(child);
    else tree.items[child.node] = child;
  }
}

/* Each fold learns which tensors pass between its children, enter it and leave it: level.flows[tensor] = {from, to}, where `from` is
 * a child or null (it enters) and `to` are children, or null (it leaves). */
function addFlows() {
  const flow = (fold, { tensor, input }, from, to) => {
    if (!fold.inside.has(tensor)) fold.inside.set(tensor, { from, to: new Set(), input });
    fold.inside.get(tensor).to.add(to);
  };
  tree.links = [];
  model.tensors.forEach((_, tensor) => {
    for (const use of model.uses[tensor]) {
      const from = sourceItem(tensor), to = tree.items[use.node];
      if (!from) continue;
      const link = { tensor, from, to, node: use.node, input: use.input };
      tree.links.push(link);
      const a = [...from.path, from], b = [...to.path, to], common = commonDepth(from.path, to.path);
      flow(a[common - 1], link, a[common], b[common]);
      for (let d = common; d < from.path.length; d++) flow(a[d], link, a[d + 1], null);
      for (let d = common; d < to.path.length; d++) flow(b[d], link, null, b[d + 1]);
    }
  });
}

const sourceItem = (tensor) => {
  const { node } = model.tensors[tensor];
  return node >= 0 ? tree.items[node] : tree.leaves.get(tensor);
};

function buildTree() {
  const count = model.nodes.length;
  const items = count ? itemsOf(0, count - 1, 0) : [];
  tree.root = count ? makeFold("program", "root", items) : null;
  if (!count) return;
  tree.root.path = [];
  tree.root.open = true;
  setParents(tree.root);
  addLeaves();
  addFlows();
  for (let fold = tree.root; fold.children.length === 1 && fold.children[0].kind === "fold"; fold = fold.children[0]) fold.children[0].open = true;
  if (count <= OPEN_AT_FIRST) for (const fold of tree.folds) fold.open = true;
}

/* The layout of a fold holds as long as nothing opens or closes in it. */
function setOpen(fold, open) {
  fold.open = open;
  for (let f = fold; f; f = f.parent) f.laid = null;
}

/* What stands for an item in the picture: the item itself, or the outermost closed fold around it. */
const visible = (item) => item.path.find((fold) => !fold.open) || item;

function reveal(item) {
  for (const fold of item.path) if (!fold.open) setOpen(fold, true);
}

/* How many parameters a fold owns, and nodes it has. */
function contents(fold) {
  if (fold.has) return fold.has;
  let parameters = fold.leaves.filter((leaf) => model.tensors[leaf.tensor].role === "parameter").length;
  for (const child of fold.children) if (child.kind === "fold") parameters += contents(child).parameters;
  return (fold.has = { nodes: fold.to - fold.from + 1, parameters });
}
