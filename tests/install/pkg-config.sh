#!/bin/sh
# SPDX-License-Identifier: MIT
# pkg-config.sh static|shared PREFIX FOLDER: builds the outside programs in FOLDER as a Makefile would, and runs them.
set -eu
kind=$1 prefix=$2 folder=$3
sources=$(dirname "$0")/outside

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
if [ "$kind" = static ]; then
  flags=$(pkg-config --static --cflags --libs mayfly)
else
  flags=$(pkg-config --cflags --libs mayfly)
fi
export LD_LIBRARY_PATH="$prefix/lib"

${CC:-cc} -Wall -Wextra -Werror "$sources/outside.c" $flags -o "$folder/$kind-pkg-config-c"
${CXX:-c++} -Wall -Wextra -Werror "$sources/outside.cpp" $flags -o "$folder/$kind-pkg-config-cpp"
"$folder/$kind-pkg-config-c"
"$folder/$kind-pkg-config-cpp"
