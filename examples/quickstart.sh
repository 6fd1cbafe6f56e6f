#!/bin/sh
# From a fresh Debian to a trained network: installs what is missing, builds, checks the gradient of the model and
# trains it on Fashion-MNIST. usage: quickstart.sh [EPOCHS [OPTION...]]; the options are those of fashion_mnist.
set -eu
epochs=${1:-3}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/.."

sh .ci/install gcc libc6-dev meson ninja-build pkg-config libsleef-dev libopenblas-dev zlib1g-dev libjansson-dev libzip-dev libpng-dev \
    dataset-fashion-mnist
[ -f build/release/build.ninja ] || meson setup build/release --buildtype=release -Dtests=false
ninja -C build/release
exec build/release/examples/fashion_mnist --check --epochs "$epochs" "$@"
