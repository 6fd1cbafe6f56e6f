#!/bin/sh
# Installs the build into a folder of its own and compiles programs against that, as a user would.
# usage: run.sh BUILD LIBDIR INCLUDEDIR CFLAG CXX OTHER CC...
# OTHER is a compiler that did not build the library, '' for none.
set -eu
build=$1 libdir=$2 includedir=$3 flag=$4 cxx=$5 other=$6
shift 6
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
# link_statically PROGRAM COMPILER FLAG: with what the .pc says, whichever compiler it is.
link_statically() {
    program=$1
    shift
    # shellcheck disable=SC2046
    "$@" "$program" $(pkg-config --cflags tapegrad) "$dest$libdir/libtapegrad.a" \
        $(pkg-config --libs --static tapegrad | sed 's/-ltapegrad//') -o static && LD_LIBRARY_PATH='' ./static
}
link_statically "$here/user.c" "$@" "$flag"
# A program of tensors alone, which names nothing of autograd, has a tape all the same.
cat >tensors.c <<'END'
#include <tapegrad.h>
int main(void) { return tg_item(tg_ones(TG_F32, 1)) != 1 || tg_error_status() != TG_OK; }
END
link_statically tensors.c "$@" "$flag"
if [ -n "$other" ]; then
    link_statically "$here/user.c" "$other" "$flag"
    [ "$(ldd static | grep -c 'libg*omp\.')" -le 1 ] || { echo 'two OpenMP runtimes in one program' && ldd static && exit 1; }
fi

# A program may have folders of the library's names.
mkdir -p own/core own/ops
for name in core/shape.h core/error.h ops/calls.h; do echo '#error the header of the program, not of the library' >own/$name; done
# shellcheck disable=SC2046
"$@" "$flag" -Iown "$here/user.c" -c -o own/user.o $(pkg-config --cflags tapegrad)

# An option without a name would be another one than the caller thinks.
cat >place.c <<'END'
#include <tapegrad.h>
int main(void) { return tg_rank(tg_sum(tg_zeros(TG_F32, 2, 3), PLACE)); }
END
# shellcheck disable=SC2046
for place in '.keepdim=1' 1 'TG_SHAPE(1)'; do
    made=yes
    "$@" -Werror "$flag" -DPLACE="$place" place.c -c -o place.o $(pkg-config --cflags tapegrad) 2>/dev/null || made=no
    [ "$made$place" = 'yes.keepdim=1' ] || [ "$made" = no ] || { echo "an option without a name compiles: $place" && exit 1; }
done

# README's program, as the strictest of users compile it.
awk '/^```c$/ { on = 1; next } /^```$/ { exit } on' "$here/../../README.md" >xor.c
cp xor.c xor.cc
# shellcheck disable=SC2046
for c in "$*" gcc clang; do
    command -v "${c##* }" >/dev/null || continue
    $c -std=c11 -Wall -Wextra -Wpedantic -Werror "$flag" xor.c "$here/user.c" -c $(pkg-config --cflags tapegrad)
done
# shellcheck disable=SC2046
"$@" -std=c11 -Wall -Wextra -Wpedantic -Werror "$flag" xor.c $(pkg-config --cflags --libs tapegrad) -o xor && ./xor

# The programs of docs/training.md, in its order. What two of them print stands there; the numbers of the others, after some
# hundred steps, may differ in a digit where instructions do.
mkdir -p training
cp "$(pkg-config --variable=prefix tapegrad)/share/doc/tapegrad/examples/fruit.csv" training
(
    cd training
    awk '/^```/ { on = !on; file = on && /text/ ? program ".expected" : ""; next }
        on && file == "" { file = program = $2 }
        on { print > file }' "$here/../../docs/training.md"
    # shellcheck disable=SC2046
    for program in look by_hand train predict wrong; do
        "$@" -std=c11 -Wall -Wextra -Wpedantic -Werror "$flag" $program.c $(pkg-config --cflags --libs tapegrad) -o $program
        ./$program >$program.out 2>log || { cat log && echo "docs/training.md: $program fails" && exit 1; }
    done
    sed -i 's/#[0-9]*/#/g' wrong.c.expected wrong.out # the numbers of nodes
    for program in look wrong; do diff $program.c.expected $program.out; done
    [ -s run/log.csv ] && [ -s run/best.safetensors ]
)

for page in LICENSE tapegrad.wrap README.md docs/functions.md examples/fashion_mnist.c; do
    [ -n "$(find "$dest" -path "*/share/doc/tapegrad/$page")" ] || { echo "not installed: $page" && exit 1; }
done

# As a subproject it is found by its name, and brings neither tests nor examples.
mkdir -p parent/subprojects
ln -sfn "$here/../.." parent/subprojects/tapegrad
cat >parent/meson.build <<'END'
project('parent', 'c')
executable('user', 'user.c', dependencies: dependency('tapegrad', fallback: 'tapegrad'))
END
cp "$here/user.c" parent/user.c
PKG_CONFIG_PATH='' meson setup parent/build parent >parent.log 2>&1 || { cat parent.log && exit 1; }
grep -q 'subproject.*tapegrad' parent.log || { cat parent.log && exit 1; }
meson introspect --targets parent/build | grep -q 'test_core\|fashion_mnist' && { echo 'the subproject has tests' && exit 1; }

# So is a repository by the wrap, once it says where: one of these sources, tagged as the wrap says.
if command -v git >/dev/null; then
    mkdir -p repository wrapped/subprojects
    for part in core autograd ops docs examples meson.build meson_options.txt LICENSE README.md; do
        cp -R "$here/../../$part" repository
    done
    revision=$(sed -n 's/^revision = //p' "$here/../../ops/tapegrad.wrap")
    (cd repository && git init -q && git add . && git -c user.name=user -c user.email=user@localhost commit -qm tapegrad && git tag "$revision")
    sed "s|^url = .*|url = file://$work/repository|" "$here/../../ops/tapegrad.wrap" >wrapped/subprojects/tapegrad.wrap
    cat >wrapped/meson.build <<'END'
project('wrapped', 'c')
executable('user', 'user.c', dependencies: dependency('tapegrad'))
END
    cp "$here/user.c" wrapped/user.c
    PKG_CONFIG_PATH='' meson setup wrapped/build wrapped >wrapped.log 2>&1 || { cat wrapped.log && exit 1; }
    [ -e wrapped/subprojects/tapegrad/ops/tapegrad.h ] || { cat wrapped.log && exit 1; }
else
    echo 'no git: the wrap was not tried'
fi

if command -v cmake >/dev/null; then
    mkdir -p cmake
    cat >cmake/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.16)
project(user C)
find_package(tapegrad 0.1 REQUIRED)
add_executable(user user.c)
target_link_libraries(user PRIVATE tapegrad::tapegrad)
add_executable(static user.c)
target_link_libraries(static PRIVATE tapegrad::static)
END
    cp "$here/user.c" cmake/user.c
    { CC="$*" cmake -S cmake -B cmake/build -DCMAKE_PREFIX_PATH="$dest${libdir%/lib*}" -DCMAKE_C_FLAGS="$flag" && cmake --build cmake/build; } \
        >cmake.log 2>&1 || { cat cmake.log && exit 1; }
    cmake/build/user && LD_LIBRARY_PATH='' cmake/build/static
fi

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
for c in "$cxx" g++ clang++; do
    command -v "${c##* }" >/dev/null || continue
    $c -std=c++17 -Wall -Wextra -Werror "$flag" xor.cc "$here/user.cc" -c $(pkg-config --cflags tapegrad)
done
# shellcheck disable=SC2046
"$cxx" -std=c++17 -Wall -Wextra -Werror "$flag" xor.cc $(pkg-config --cflags --libs tapegrad) -o xor_cxx && ./xor_cxx
# shellcheck disable=SC2046
"$cxx" -std=c++17 -Wall -Wextra -Werror "$flag" "$here/user.cc" $(pkg-config --cflags --libs tapegrad) -o cxx && ./cxx
