# Prints a large trace for page.sh: `blocks` blocks of ten nodes, by default 400, of which each makes, and is given, tensors of 16 numbers. The
# shape of the graph and the size of the file are those of a step of a large model; the numbers mean nothing.
# usage: awk [-v blocks=N] -f large.awk
function value(    i, text) {
    for (i = 0; i < 16; i++) text = text (i ? "," : "") sprintf("%.4g", rand() * 2 - 1)
    values = values (count ? "," : "") "{\"n\":16,\"dtype\":\"f32\",\"e\":[" text "]}"
    if (length(values) > 4000) { printf "%s", values; values = "" }
    return count++
}
function tensor(name, role, node,    v) {
    v = value()
    list[tensors] = "{\"name\":" (name == "" ? "null" : "\"" name "\"") ",\"group\":null,\"role\":\"" role "\",\"shape\":[4,4],\"dtype\":\"f32\",\"requires_grad\":true,\"node\":" \
        node ",\"out\":0,\"value\":" v ",\"grad\":" v ",\"why\":null}"
    return tensors++
}
function apply(op, a, b, line, group,    out) {
    out = tensor("", "result", nodes)
    inputs[nodes] = a "," b
    made[nodes] = out
    node[nodes] = "{\"id\":" nodes ",\"op\":" op ",\"in\":[" a "," b "],\"out\":[" out "],\"attrs\":[],\"file\":0,\"line\":" line ",\"group\":" \
        (group == "" ? "null" : "\"" group "\"") ",\"saved\":[" a "," b "],\"why\":null}"
    nodes++
    return out
}
function part(input, of, v) { return sprintf("{\"input\":%d,\"tensor\":%d,\"contribution\":%d,\"before\":null,\"after\":%d,\"slope\":null}", input, of, v, v) }
function linear(a, group, line) { return apply(1, a, tensor(group ".weight", "parameter", -1), line, group) }
BEGIN {
    if (!blocks) blocks = 400
    srand(1)
    nodes = tensors = count = 0
    step = "{\"node\":%d,\"dout\":[%d],\"why\":null,\"released\":[],\"in\":[%s,%s]}"
    printf "{\"format\":\"tapegrad trace\",\"version\":1,\"title\":\"large\",\"most\":64,\"detail\":2,\"values\":["
    h = tensor("x", "input", -1)
    for (i = 0; i < blocks; i++) {
        name = "blocks." i
        q = linear(h, name ".attention.query", 11); k = linear(h, name ".attention.key", 11); v = linear(h, name ".attention.value", 12)
        s = apply(0, q, k, 13); s = apply(0, s, v, 14); s = linear(s, name ".attention.out", 15)
        h = apply(0, h, s, 16)
        f = linear(h, name ".mlp.up", 18); f = linear(f, name ".mlp.down", 19)
        h = apply(0, h, f, 20)
    }
    for (n = nodes - 1; n >= 0; n--) {
        split(inputs[n], in_, ",")
        dout = value(); x = value(); w = value()
        steps = steps (steps == "" ? "" : ",\n") sprintf(step, n, dout, part(0, in_[1], x), part(1, in_[2], w))
    }
    printf "%s],\n\"sources\":[{\"file\":\"large.c\",\"path\":\"large.c\",\"found\":true,\"lines\":[", values
    for (i = 1; i <= 24; i++) printf "%s[%d,\"    step %d of a block;\"]", (i > 1 ? "," : ""), i, i
    printf "]}],\n\"ops\":[{\"name\":\"mul\",\"formula\":\"out = a * b\",\"rule\":\"da = dout * b; db = dout * a\",\"kink\":null,\"in\":[\"a\",\"b\"],\"out\":[\"out\"],\"elementwise\":true},\n"
    printf "{\"name\":\"linear\",\"formula\":\"out[.., o] = sum over i of x[.., i] * w[o, i]\",\"rule\":\"dx = dout w; dw = dout^T x\",\"kink\":null,\"in\":[\"x\",\"w\"],\"out\":[\"out\"],\"elementwise\":false}],\n"
    printf "\"tensors\":["
    for (i = 0; i < tensors; i++) printf "%s%s", (i ? ",\n" : ""), list[i]
    printf "],\n\"nodes\":["
    for (i = 0; i < nodes; i++) printf "%s%s", (i ? ",\n" : ""), node[i]
    printf "],\n\"loss\":%d,\"seed\":{\"tensor\":%d,\"value\":0},\n\"backward\":[%s],\"orders\":null,\"twice\":null}\n", h, h, steps
}
