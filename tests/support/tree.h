/* SPDX-License-Identifier: MIT */
/* tree.h - trees of directories and files, made and looked for on either system. Paths are UTF-8; what can't be made
 * ends the test. */
#ifndef TREE_H
#define TREE_H

enum { TREE_PATH_SIZE = 4096 };

void tree_join(char joined[TREE_PATH_SIZE], const char *directory, const char *name);
void tree_directory(const char *directory, const char *name);
void tree_file(const char *directory, const char *name);
int tree_exists(const char *path); /* whatever it is; a link itself */

/* `name` in `directory`: a directory with `width` files and, while `depth` is not 0, `width` directories like it.
 * How many directories and files that are. */
int tree_make(const char *directory, const char *name, int width, int depth);

/* In each system's own file. */
int tree_system_directory(const char *path); /* 0 */
int tree_system_file(const char *path);      /* 0 */

#endif
