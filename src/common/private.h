/* SPDX-License-Identifier: MIT */
/* private.h - what libmayfly exports for libmayfly_uv alone. Nobody else may call it: it changes with any version. */
#ifndef MF_PRIVATE_H
#define MF_PRIVATE_H

#include <mayfly/base.h>

/* Before a declaration; libmayfly.map lists the same names. */
#define MF_PRIVATE MAYFLY_API

#endif
