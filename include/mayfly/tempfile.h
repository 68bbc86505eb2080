/* tempfile.h - files and directories that live only as long as they are needed. */
#ifndef MAYFLY_TEMPFILE_H
#define MAYFLY_TEMPFILE_H

#include <mayfly/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mayfly_temp_options {
  size_t size;
  const char *dir;    /* NULL: mayfly_gettempdir() */
  const char *prefix; /* NULL: mayfly_gettempprefix(), "tmp" */
  const char *suffix; /* NULL: "" */
  unsigned flags;     /* one that a function has no use for is MAYFLY_EINVAL; mktemp and mkdtemp have none */
} mayfly_temp_options;
#define MAYFLY_TEMP_OPTIONS_INIT                                                                                       \
  { sizeof(mayfly_temp_options), NULL, NULL, NULL, 0 }

MAYFLY_API const char *mayfly_gettempdir(void);  /* gettempdir(); NULL: no usable directory, see mayfly_last_error() */
MAYFLY_API const char *mayfly_gettempdirb(void); /* gettempdirb() */
MAYFLY_API const char *mayfly_gettempprefix(void);  /* gettempprefix() */
MAYFLY_API const char *mayfly_gettempprefixb(void); /* gettempprefixb() */
MAYFLY_API int mayfly_settempdir(
    const char *dir); /* tempfile.tempdir = dir; NULL: search again at the next use; earlier pointers stay valid */

#define MAYFLY_TMP_MAX 10000 /* TMP_MAX: names tried before giving up */
MAYFLY_API int mayfly_mktemp(const mayfly_temp_options *options,
                             char **path); /* mktemp(): a free name, and a race: deprecated */
MAYFLY_API int mayfly_mkdtemp(const mayfly_temp_options *options, char **path); /* mkdtemp() */

MAYFLY_API int mayfly_cleanup(void); /* remove all this process still holds; also runs at exit */
MAYFLY_API int
mayfly_cleanup_on_signals(void); /* and on SIGINT, SIGTERM, SIGHUP, console close, where the action is the default */

#ifdef __cplusplus
}
#endif
#endif
