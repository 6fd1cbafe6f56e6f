/* A formula and a rule with the numbers of one node in them. Names are replaced as text: of an op of one element by its numbers, of an
 * elementwise op by those of one element, which the reader chooses. */

/* The element of an input that broadcasts to element e of the output; -1: the shapes do not broadcast. */
function broadcastElement(e, from, to) {
  const where = position(e, to), skip = to.length - from.length;
  if (skip < 0) return -1;
  let index = 0;
  for (let axis = 0; axis < from.length; axis++) {
    if (from[axis] !== 1 && from[axis] !== to[axis + skip]) return -1;
    index = index * from[axis] + (from[axis] === 1 ? 0 : where[axis + skip]);
  }
  return index;
}

/* Whether each element of the output hangs on one element of each input, all of which are in the trace. */
function isPointwise(node) {
  const { in: ins, out } = model.nodes[node];
  const tensors = [...ins.filter((t) => t >= 0), ...out].map((t) => model.tensors[t]);
  if (tensors.some((t) => !t.value || !t.value.e || t.value.n === 0)) return false;
  if (tensors.every((t) => t.value.n === 1)) return true;
  const shape = model.tensors[out[0]].shape;
  return opOf(node).elementwise === true && tensors.every((t) => broadcastElement(0, t.shape, shape) >= 0);
}

/* Numbers by name, at element e of the output: inputs, outputs, attributes, and d<output> once it has come. */
function numbersOf(node, e) {
  const { in: ins, out, attrs, entry } = model.nodes[node], op = opOf(node), shape = model.tensors[out[0]].shape;
  const numbers = new Map((attrs || []).map(([name, value]) => [name, value]));
  const put = (name, v, from) => v && v.e && numbers.set(name, short(v.e[broadcastElement(e, from, shape)], 7));
  ins.forEach((t, i) => t >= 0 && put(inputName(node, i), model.tensors[t].value, model.tensors[t].shape));
  out.forEach((t, o) => {
    const name = (op.out || ["out"])[o] || `out${o}`;
    put(name, model.tensors[t].value, model.tensors[t].shape);
    if (entry && entry.dout[o]) put(`d${name}`, entry.dout[o], model.tensors[t].shape);
  });
  return numbers;
}

/* A number with a sign or an exponent stands in brackets, unless it stands alone. Functions and elements with an index stay names. */
function substitute(text, numbers) {
  const tokens = text.trim().match(/[A-Za-z_][A-Za-z0-9_']*|./g) || [];
  return tokens.map((token, i) => {
    if (!numbers.has(token) || tokens[i + 1] === "(" || tokens[i + 1] === "[") return token;
    const number = numbers.get(token);
    return /[-e]/.test(number) && tokens.length > 1 ? `(${number})` : number;
  }).join("");
}

/* "da = dout * b; db = dout * a" as a list of [left, right]. */
const statements = (rule) => rule.split(";").map((part) => {
  const sign = part.indexOf("=");
  return sign < 0 ? ["", part.trim()] : [part.slice(0, sign).trim(), part.slice(sign + 1).trim()];
});

const line = (kind, ...children) => el("p", { class: `formula ${kind}` }, ...children);

/* The formula, and beneath it the same with numbers, and what comes out. */
function formulaLines(node, e) {
  const op = opOf(node), out = model.nodes[node].out[0];
  if (!op.formula) return [line("soft", "This op says no formula.")];
  const lines = [line("", op.formula)];
  if (!isPointwise(node) || !isMade(out)) return lines;
  const [, right] = statements(op.formula)[0];
  const filled = substitute(right, numbersOf(node, e));
  if (!/[\[;]/.test(op.formula) && filled !== right) lines.push(line("filled", `= ${filled} = `, el("b.value", full(model.tensors[out].value.e[e]))));
  return lines;
}

/* The rule, statement by statement, with numbers once it has run. An input that was broadcast gets the sum over its places. */
function ruleLines(node, e) {
  const op = opOf(node), { in: ins, out, entry, ruleAt } = model.nodes[node];
  if (!op.rule) return [line("soft", "This op says no rule in words.")];
  const filled = isPointwise(node) && entry && ruleAt <= now.step;
  const numbers = filled ? numbersOf(node, e) : null, shape = model.tensors[out[0]].shape;
  return statements(op.rule).flatMap(([left, right]) => {
    const lines = [line("", left ? `${left} = ${right}` : right)];
    const part = filled && entry.in.find((p) => `d${inputName(node, p.input)}` === left);
    if (!part || !part.contribution.e || right.includes("[")) return lines;
    const { shape: from, value } = model.tensors[ins[part.input]], times = model.tensors[out[0]].value.n / value.n;
    const result = part.contribution.e[broadcastElement(e, from, shape)];
    const made = el("b.adjoint", full(result));
    lines.push(times === 1 ? line("filled", `= ${substitute(right, numbers)} = `, made)
      : line("filled", `= ${substitute(right, numbers)} here; summed over ${times} places that it was broadcast to: `, made));
    return lines;
  });
}
