/* What the files of `_re` share: compiled patterns, matches, and what is being searched. May be included by stdlib/mod_re*.c only.
 * Offsets are bytes in here and code points outside. Pattern.data holds the offsets of the last match of this pattern; whatever may
 * run script code may change them, so they are copied (into a Match or locals) before. */
#ifndef OU_STDLIB_RE_IMPL_H
#define OU_STDLIB_RE_IMPL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "runtime/objects/bytes.h"
#include "stdlib/re_pattern.h"
#include "stdlib/stdlib.h"

enum { MATCH_LIMIT = 100000000 /* some seconds */ };

typedef struct ReState {
    Value keep;   /* list: the cache, the error class, the types */
    Type *pattern_type, *match_type, *iter_type, *scanner_type;
    Value cache, error; /* borrowed from keep */
} ReState;

typedef struct Pattern {
    Obj h;
    Value pattern;      /* str or bytes */
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    uint32_t flags, groups, ncap;
    uint32_t scanned;   /* bytes so far, roughly; once machine code was made (mod_re_find.c) it stays at JIT_AFTER */
    bool is_bytes;
    uint32_t *closed;   /* see RePattern; ncap of them */
    Value names;        /* dict */
} Pattern;

typedef struct Match {
    Obj h;
    Value string;
    Pattern *re;
    int64_t pos, endpos;
    uint32_t n;         /* groups with the whole match */
    size_t *ov;         /* 2 * n byte offsets, SIZE_MAX: the group took no part */
} Match;

typedef struct Subject { /* what is searched, pinned */
    Value obj;
    const char *p;
    size_t n;           /* bytes up to endpos */
    size_t at;          /* where the next search begins */
    Str *s;             /* a str, or NULL */
    Buffer b;
    int64_t pos, endpos;
} Subject;

typedef struct Finder { /* iterator of finditer, and scanner objects */
    Obj h;
    Pattern *re;
    Subject s;
    bool after_empty, done;
} Finder;

static inline ReState *state_of(VM *vm) { return ou_module_record(vm, MOD__re, sizeof(ReState)); }
static inline Pattern *as_re(Value v) { return (Pattern *)v_obj(v); }
static inline Match *as_match(Value v) { return (Match *)v_obj(v); }

typedef Value ReMethod(VM *vm, const Value *args, int n); /* the native behind Pattern.x is ou_re_x */

/* mod_re_find.c */
bool ou_re_subject_open(VM *vm, Pattern *re, Value string, Value pos, Value endpos, Subject *s); /* pos, endpos may be V_NULL */
void ou_re_subject_close(VM *vm, Subject *s);
Value ou_re_subject_slice(VM *vm, const Subject *s, size_t from, size_t to);
int ou_re_find_next(VM *vm, Pattern *re, Subject *s, bool *after_empty); /* 1 found (offsets in re->data), 0 not, -1 raised */
ReMethod ou_re_search, ou_re_match, ou_re_fullmatch, ou_re_findall, ou_re_finditer, ou_re_scanner, ou_re_split;
extern const TypeDef ou_re_iter_def, ou_re_scanner_def;

/* mod_re_sub.c */
typedef bool (*PutGroupFn)(void *ud, uint32_t group);
/* Walks over the template: text goes to out, groups to put_group. */
bool ou_re_expand(VM *vm, Pattern *re, Value tmpl, const char *p, size_t n, StrBuf *out, PutGroupFn put_group, void *ud);
/* Text of a replacement: str for str patterns, bytes-like else. *b is to be released. `item` is for the message. */
bool ou_re_repl_text(VM *vm, Pattern *re, Value v, uint64_t item, const char **p, size_t *n, Buffer *b);
ReMethod ou_re_sub, ou_re_subn;

/* mod_re_match.c */
Value ou_re_match_new(VM *vm, Pattern *re, const Subject *s); /* of what was just found */
extern const TypeDef ou_re_match_def;

ReMethod ou_re_copy; /* mod_re.c: of what never changes */

#endif
