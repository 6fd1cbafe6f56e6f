# Writes, from the public headers, a C function for each public function that calls it with drawn arguments, one that
# draws each struct of options, and the table of them all. What it cannot read it names, and fails.
# usage: awk -f hostile.awk hostile.h EXCEPTIONS HEADER...
#
# hostile.h declares what arguments can be drawn, draw_<type>(), and which calls are written by hand, own_<function>().
# EXCEPTIONS has lines "function: reason" for what is not called.

function fail(what) { print "hostile.awk: " what >"/dev/stderr"; failed = 1; exit 1 }

function trimmed(s) { gsub(/^ +| +$/, "", s); return s }

# The name by which hostile.h knows a type.
function drawn_type(type) {
    type = trimmed(type)
    if (type in alias) return alias[type]
    if (type ~ /^const (char|void) \*$/) return type ~ /char/ ? "text" : "const_void_p"
    sub(/^const /, "", type)
    gsub(/ \*const \*/, "_in", type)
    gsub(/ \*\*/, "_out", type)
    gsub(/ ?\*/, "_p", type)
    gsub(/ /, "_", type)
    return type
}

# "const uint32_t key[2]": sets declared_type and declared_name; an array is a pointer.
function read_declaration(text,    t) {
    t = trimmed(text)
    if (sub(/\[[^\]]*\]$/, "", t)) sub(/[a-z0-9_]+$/, "*&", t)
    if (!match(t, /[a-z_][a-z0-9_]*$/) || RSTART == 1) return 0
    declared_name = substr(t, RSTART)
    declared_type = trimmed(substr(t, 1, RSTART - 1))
    return declared_type != ""
}

function can_draw(type, where) {
    if (type in enums || type in options || ("draw_" type) in helpers) return
    fail(where ": no way to draw a " type "; give hostile.h a draw_" type)
}

function draw(type, name) {
    if (type in enums) return "(" type ")draw_enum(\"" name "\", " enums[type] ")"
    return "draw_" type "(\"" name "\")"
}

# One field "int64_t stride[2], padding[2]" of options.
function write_field(text, where,    base, n, part, i, t, times, k) {
    n = split(text, part, ",")
    if (!match(part[1], /^ *(const )?[A-Za-z0-9_]+ /)) fail(where ": cannot read the field \"" text "\"")
    base = trimmed(substr(part[1], 1, RLENGTH))
    part[1] = substr(part[1], RLENGTH + 1)
    for (i = 1; i <= n; i++) {
        t = trimmed(part[i])
        times = 0
        if (match(t, /\[[0-9]\]$/)) { times = substr(t, RSTART + 1, 1); t = substr(t, 1, RSTART - 1) }
        gsub(/\* +\*/, "**", t)
        if (!read_declaration(base " " t)) fail(where ": cannot read the field \"" text "\"")
        t = drawn_type(declared_type)
        can_draw(t, where)
        if (!times) printf "    if (draw_field()) o.%s = %s;\n", declared_name, draw(t, declared_name)
        for (k = 0; k < times; k++)
            printf "    if (draw_field()) o.%s[%d] = %s;\n", declared_name, k, draw(t, declared_name)
    }
}

function write_options(name, fields,    n, field, i) {
    printf "\n__attribute__((unused)) static inline %s draw_%s(const char *name) {\n    %s o = {0};\n    draw_open(name);\n", name, name, name
    n = split(fields, field, ";")
    for (i = 1; i <= n; i++)
        if (trimmed(field[i]) !~ /^(tg_options_are_named by_name)?$/) write_field(field[i], name)
    print "    draw_close();\n    return o;\n}"
}

# typedef tg_reduce_opts tg_sum_opts, tg_mean_opts;
function read_aliases(text,    s, part, n, i) {
    while (match(text, /typedef tg_[a-z0-9_]+_opts [a-z0-9_, ]+;/)) {
        s = substr(text, RSTART + 8, RLENGTH - 9)
        text = substr(text, RSTART + RLENGTH)
        n = split(s, part, /,? /)
        for (i = 2; i <= n; i++) alias[part[i]] = part[1]
    }
}

# typedef struct or enum NAME { BODY } NAME;
function read_types(text,    s, name, body, part) {
    while (match(text, /typedef (struct|enum) tg_[a-z0-9_]+ \{[^{}]*\} tg_[a-z0-9_]+;/)) {
        s = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        name = s; sub(/ \{.*/, "", name); sub(/.* /, "", name)
        body = s; sub(/^[^{]*\{/, "", body); sub(/\}[^}]*$/, "", body)
        if (s ~ /^typedef enum/) enums[name] = split(body, part, ",") - (trimmed(body) ~ /,$/)
        else if (name ~ /_opts$/) { options[name] = body; option_names[++n_options] = name }
    }
}

# "tg_tensor *tg_add(tg_tensor *a, tg_tensor *b)"
function write_call(s,    name, result, args, n, part, i, list) {
    if (!match(s, /tg_[a-z0-9_]+ ?\(/)) fail("cannot read \"" s "\"")
    name = trimmed(substr(s, RSTART, RLENGTH - 1))
    result = trimmed(substr(s, 1, RSTART - 1))
    args = substr(s, RSTART + RLENGTH)
    sub(/ TG_PRINTF\([^)]*\)$/, "", args)
    public[name] = 1
    if (name in exceptions) return
    if (("own_" name) in helpers) { calls[++n_calls] = name; prefix[name] = "own_"; return }
    gsub(/void \(\*body\)\([^)]*\)/, "tg_body body", args)
    if (!sub(/\)$/, "", args) || args ~ /[()]/) fail("cannot read \"" s "\"")
    calls[++n_calls] = name
    prefix[name] = "call_"
    printf "\nstatic void call_%s(void) {\n", name
    n = trimmed(args) == "void" ? 0 : split(args, part, ",")
    list = ""
    for (i = 1; i <= n; i++) {
        if (trimmed(part[i]) == "...") continue
        if (!read_declaration(part[i])) fail(name ": cannot read the argument \"" part[i] "\"")
        can_draw(drawn_type(declared_type), name)
        printf "    %s a%d = %s;\n", declared_type, i, draw(drawn_type(declared_type), declared_name)
        list = list (i > 1 ? ", " : "") "a" i
    }
    print "    call_begin();"
    if (result == "void") printf "    %s(%s);\n    end_void();\n}\n", name, list
    else write_result(name, result, list)
}

function write_result(name, result, list,    type) {
    type = drawn_type(result)
    if (!(("end_" type) in helpers)) type = "value"
    if (type == "value" && result ~ /\*/) fail(name ": no way to look at a " result "; give hostile.h an end_" drawn_type(result))
    if (type != "value") printf "    end_%s(%s(%s));\n}\n", type, name, list
    else printf "    %s r = %s(%s);\n    (void)r;\n    end_void();\n}\n", result, name, list
}

FNR == 1 { file++; private = file > 2 && /^\/\* Private\./ }
file == 1 {
    line = $0
    while (match(line, /(draw|own|end)_[A-Za-z0-9_]+\(/)) {
        helpers[substr(line, RSTART, RLENGTH - 1)] = 1
        line = substr(line, RSTART + RLENGTH)
    }
    next
}
file == 2 { if (/^tg_/) exceptions[substr($0, 1, index($0, ":") - 1)] = 1; next }
private { next }
{ more = /\\[ \t]*$/ }
in_directive { in_directive = more; next }
/^[ \t]*#/ { in_directive = more; next }
{ text = text " " $0 }

END {
    if (failed) exit 1
    while ((i = index(text, "/*")) > 0) {
        j = index(substr(text, i + 2), "*/")
        text = substr(text, 1, i - 1) " " substr(text, i + 2 + j + 1)
    }
    gsub(/[ \t]+/, " ", text)
    print "/* Made from the public headers by hostile.awk. */\n#include \"tests/fuzz/hostile.h\""
    print "#pragma GCC diagnostic ignored \"-Wformat-security\"\n#pragma GCC diagnostic ignored \"-Wformat-nonliteral\""
    read_types(text)
    read_aliases(text)
    for (i = 1; i <= n_options; i++) write_options(option_names[i], options[option_names[i]])
    n = split(text, statement, ";")
    for (i = 1; i <= n; i++)
        if (sub(/.*TG_API /, "", statement[i])) write_call(statement[i])
    for (name in exceptions)
        if (!(name in public)) fail(name ": an exception for what is no public function")
    print "\nconst hostile_call hostile_calls[] = {"
    for (i = 1; i <= n_calls; i++) { # under the name that messages have
        name = calls[i]
        sub(/_with$/, "", name)
        printf "    {\"%s\", %s%s},\n", name, prefix[calls[i]], calls[i]
    }
    print "};\nconst int n_hostile_calls = sizeof hostile_calls / sizeof *hostile_calls;"
}
