#!/bin/sh
# Installs the build into a folder of its own and compiles programs against that, as a user would.
# usage: run.sh BUILD LIBDIR INCLUDEDIR CFLAG CXX CC...
set -eu
build=$1 libdir=$2 includedir=$3 flag=$4 cxx=$5
shift 5
here=$(cd "$(dirname "$0")" && pwd)
dest=$build/installed
work=$build/installed/work

rm -rf "$dest"
mkdir -p "$work"
meson install -C "$build" --no-rebuild --quiet --destdir "$dest"
export PKG_CONFIG_PATH="$dest$libdir/pkgconfig" LD_LIBRARY_PATH="$dest$libdir"
cd "$work"

# shellcheck disable=SC2046  # the flags are separate words
"$@" "$flag" "$here/user.c" $(pkg-config --cflags --libs tapegrad) -o shared && ./shared
# shellcheck disable=SC2046
"$@" "$flag" "$here/user.c" $(pkg-config --cflags tapegrad) "$dest$libdir/libtapegrad.a" \
    $(pkg-config --libs --static tapegrad | sed 's/-ltapegrad//') -o static && LD_LIBRARY_PATH='' ./static

# Every header compiles by itself, first.
headers=$(cd "$dest$includedir/tapegrad" && find . -name '*.h' | sort)
for header in $headers; do
    printf '#include "%s"\n' "${header#./}"  >one.c
    "$@" -std=c11 -Wall -Wextra -Werror -I"$dest$includedir/tapegrad" -fsyntax-only one.c
done

[ -n "$cxx" ] || { echo "no C++ compiler: the header was not tried as C++" && exit 0; }
for header in $headers; do
    printf '#include "%s"\n' "${header#./}"  >one.cc
    "$cxx" -std=c++17 -Wall -Wextra -Werror -I"$dest$includedir/tapegrad" -fsyntax-only one.cc
done
# shellcheck disable=SC2046
"$cxx" -std=c++17 -Wall -Wextra -Werror "$flag" "$here/user.cc" $(pkg-config --cflags --libs tapegrad) -o cxx && ./cxx
