# SPDX-License-Identifier: MIT
# Toolchain: Linux x86-64 with musl instead of glibc, linked static, by Debian's musl-gcc.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER musl-gcc)
set(CMAKE_C_FLAGS_INIT -Wno-sign-conversion) # which its CMSG_NXTHDR does
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# OpenSSL and cmocka for it are given as -DMAYFLY_PLATFORM_ROOT=..., and nothing of this machine's own is found.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MAYFLY_PLATFORM_ROOT)
set(CMAKE_FIND_ROOT_PATH ${MAYFLY_PLATFORM_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(MAYFLY_TEST_SKIPS musl-skips)
