#!/bin/sh
# SPDX-License-Identifier: MIT
# components.sh BUILD PREFIX FOLDER: the components of BUILD, each installed alone under FOLDER, are together what is in
# PREFIX, no file twice, and what runs a program comes without what builds one.
set -eu
build=$1 prefix=$2 folder=$3

files() { (cd "$1" && find . -type f -o -type l) | sort; }

rm -rf "$folder"
for component in mayfly_runtime mayfly_uv_runtime mayfly_tool mayfly_development; do
  mkdir -p "$folder/$component"
  cmake --install "$build" --component $component --prefix "$folder/$component" >/dev/null
  files "$folder/$component"
done | sort >"$folder.each"
files "$prefix" | diff - "$folder.each"
files "$folder/mayfly_runtime" | grep -v '^\./lib/libmayfly\.so\.[0-9.]*$' && exit 1
files "$folder/mayfly_tool" | grep -v '^\./bin/mayfly$' && exit 1
exit 0
