/* SPDX-License-Identifier: MIT */
/* operations_uv.h - those of operations.c that need libmayfly_uv. */
#ifndef OPERATIONS_UV_H
#define OPERATIONS_UV_H

void loop_message(long count);
void loop_burst(long count); /* of a hundred messages */

#endif
