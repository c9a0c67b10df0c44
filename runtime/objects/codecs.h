/* Encodings beyond ou_str_encode/ou_str_decode: incremental decoding and what the codecs module registers.
 * May be included by objects/ and above. */
#ifndef OU_CODECS_H
#define OU_CODECS_H

#include "runtime/objects/str.h"

/* Decodes as much as is complete. final: the rest must be complete too. *consumed bytes were used. */
Value ou_str_decode_partial(VM *vm, const char *p, size_t n, const char *encoding, const char *errors, bool final, size_t *consumed);
/* The official name of a built-in encoding ("utf-8", "iso8859-1", ...); NULL: not built in, nothing raised. */
const char *ou_codec_name(const char *encoding);
bool ou_codec_errors_known(VM *vm, const char *errors); /* a handler of that name exists */

#endif
