/* address.h - addresses as values: copy them, nothing to free. */
#ifndef MAYFLY_ADDRESS_H
#define MAYFLY_ADDRESS_H

#include <mayfly/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mayfly_family { MAYFLY_AF_UNSPEC, MAYFLY_AF_INET, MAYFLY_AF_UNIX, MAYFLY_AF_PIPE } mayfly_family;
typedef enum mayfly_scope { MAYFLY_SCOPE_USER, MAYFLY_SCOPE_SYSTEM } mayfly_scope;
typedef struct mayfly_address {
  mayfly_family family;
  uint16_t port;  /* AF_INET; 0: any */
  char name[256]; /* host ("": every interface), path, "@abstract", or \\.\pipe\name */
} mayfly_address;
#define MAYFLY_ADDRESS_TEXT_SIZE 272 /* enough for mayfly_address_format */

MAYFLY_API int mayfly_arbitrary_address(mayfly_family family, mayfly_address *address); /* arbitrary_address(family) */
MAYFLY_API int mayfly_service_address(const char *service, mayfly_scope scope,
                                      mayfly_address *address); /* one lasting name on every system */
MAYFLY_API mayfly_family mayfly_address_type(const char *text); /* address_type(address) */
MAYFLY_API mayfly_family mayfly_default_family(void);           /* default_family */
MAYFLY_API int mayfly_address_parse(const char *text, mayfly_address *address);
MAYFLY_API int mayfly_address_format(const mayfly_address *address, char *buffer,
                                     size_t size); /* parse(format(a)) is a */

#ifdef __cplusplus
}
#endif
#endif
