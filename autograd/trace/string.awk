# Prints a page as two C arrays of characters: what stands before the line "<!-- trace -->", and what behind it.
# usage: awk -f string.awk PAGE
BEGIN { print "static const char before_trace[] =" }
$0 == "<!-- trace -->" {
    print ";\nstatic const char behind_trace[] ="
    found++
    next
}
{
    gsub(/[\\"?]/, "\\\\&") # ? because two of them may begin a trigraph
    print "\"" $0 "\\n\""
}
END {
    print ";"
    exit found != 1
}
