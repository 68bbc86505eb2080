# SPDX-License-Identifier: MIT
# Toolchain: Linux s390x, which is big-endian, by Debian's cross-compiler, its programs run by qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR s390x)
set(CMAKE_C_COMPILER s390x-linux-gnu-gcc)
# OpenSSL and cmocka for it are given as -DMAYFLY_PLATFORM_ROOT=..., and nothing of this machine's own is found.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MAYFLY_PLATFORM_ROOT)
set(CMAKE_FIND_ROOT_PATH ${MAYFLY_PLATFORM_ROOT} /usr/s390x-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(MAYFLY_TEST_SKIPS qemu-skips)
