# Prints C files as lines of a string of C, each with the files of the tree that it includes in its place, headers once.
# usage: awk -v root=FOLDER [-v without=HEADER] -f text.awk FILE ...
#        awk -v root=FOLDER -v isas="avx2 ref ..." -f text.awk      the header of each, between SET(ISA, , ) and END
function put(name,    path, line, part) {
    if (name in done) return
    if (name !~ /\.def$/) done[name] = 1
    path = root "/" name
    while ((getline line < path) > 0) {
        if (line ~ /^#include "/ && split(line, part, "\"") == 3) {
            put(part[2])
            continue
        }
        if (line ~ /^#include TG_ISA_HEADER/) continue
        gsub(/\\/, "&&", line)
        gsub(/"/, "\\\\&", line)
        print "\"" line "\\n\""
    }
    close(path)
}
BEGIN {
    count = split(isas, isa, " ")
    for (i = 1; i <= count; i++) {
        split("", done)
        print "SET(" isa[i] ", , )"
        put("core/kernels/simd/" isa[i] ".h")
        print "END"
    }
    done[without] = 1
    for (i = 1; i < ARGC; i++) put(ARGV[i])
    exit
}
