/* From Python's regular expression syntax to PCRE2's. May be included by mod_re*.c and re_pattern*.c.
 * The translation checks everything that Python checks, so that what PCRE2 gets never is an error of the script's. */
#ifndef OU_RE_PATTERN_H
#define OU_RE_PATTERN_H

#include "runtime/objects/str.h"

enum { RE_I = 2, RE_L = 4, RE_M = 8, RE_S = 16, RE_U = 32, RE_X = 64, RE_DEBUG = 128, RE_A = 256 };

typedef struct RePattern {
    StrBuf out;         /* PCRE2's text */
    uint32_t flags;     /* with the inline ones and UNICODE where it is implied */
    uint32_t groups;    /* capturing groups */
    Value names;        /* dict name -> number, owned */
    uint32_t *closed;   /* closed[i]: the how-manieth group to close is group i + 1; `cap` of them */
    uint32_t cap;
} RePattern;

/* False: raised; msg/pos errors through `error`, a callable (msg, pattern, pos). */
bool ou_re_translate(VM *vm, Value pattern, const char *p, size_t n, bool is_bytes, uint32_t flags, Value error, RePattern *out);
void ou_re_translate_done(VM *vm, RePattern *r);
/* Raises error(msg, pattern, pos); pos -1: None. Always false. */
bool ou_re_raise(VM *vm, Value error, Value pattern, int64_t pos, Value msg);

#endif
