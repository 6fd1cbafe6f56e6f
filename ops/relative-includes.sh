#!/bin/sh
# Installed headers include each other from where they stand, so that a program may have folders core/ or ops/ of its own.
# usage, by meson install: relative-includes.sh INCLUDEDIR
set -eu
cd "$MESON_INSTALL_DESTDIR_PREFIX/$1/tapegrad"
find . -name '*.h' | while read -r header; do
    up=$(printf %s "${header#./}" | tr -dc / | sed 's|/|../|g')
    sed -i -E "s,^#include \"(core|autograd|ops)/,#include \"$up\\1/," "$header"
done
