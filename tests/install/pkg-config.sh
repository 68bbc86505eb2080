#!/bin/sh
# SPDX-License-Identifier: MIT
# pkg-config.sh static|shared PREFIX FOLDER: builds the outside programs in FOLDER as a Makefile would, and runs them.
set -eu
kind=$1 prefix=$2 folder=$3
sources=$(dirname "$0")/outside

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
if [ "$kind" = static ]; then
  how=--static
else
  how=
fi
flags=$(pkg-config $how --cflags --libs mayfly)
export LD_LIBRARY_PATH="$prefix/lib"

${CC:-cc} -Wall -Wextra -Werror "$sources/outside.c" $flags -o "$folder/$kind-pkg-config-c"
${CXX:-c++} -Wall -Wextra -Werror "$sources/outside.cpp" $flags -o "$folder/$kind-pkg-config-cpp"
"$folder/$kind-pkg-config-c"
"$folder/$kind-pkg-config-cpp"

# Where mayfly was built with libuv.
if [ -e "$PKG_CONFIG_PATH/mayfly_uv.pc" ]; then
  flags=$(pkg-config $how --cflags --libs mayfly_uv)
  ${CC:-cc} -Wall -Wextra -Werror "$sources/outside_uv.c" $flags -o "$folder/$kind-pkg-config-uv"
  "$folder/$kind-pkg-config-uv"
fi
