/* What the parser of regular expressions shares among re_pattern.c, re_pattern_atom.c and re_pattern_group.c.
 * May be included by these only. A parse function that fails has raised and returns false; r->p then stands anywhere. */
#ifndef OU_RE_PATTERN_IMPL_H
#define OU_RE_PATTERN_IMPL_H

#include "runtime/base/utf8.h"
#include "stdlib/re_pattern.h"

enum { REFS_MAX = 64 };
#define WIDTH_MAX ((uint64_t)1 << 32)
#define OPEN UINT64_MAX /* a group's width while it is open */

typedef struct Width {
    uint64_t lo, hi;
} Width;

typedef struct Group {
    Width w;
    uint32_t lookbehind; /* number of the look-behind assertion it stands in, 0: none */
} Group;

typedef struct Parser {
    VM *vm;
    RePattern *re;
    StrBuf *out;
    Value pattern, error;
    const char *begin, *p, *end;
    bool is_bytes;
    uint32_t flags;       /* in force here */
    Group *groups;        /* [0] unused */
    uint32_t ngroups, cap, nclosed;
    uint32_t lookbehind, lookbehinds; /* the one being parsed (0: none), how many there were */
    bool bad_lookbehind;
    int depth;
    struct { uint32_t group; int64_t pos; } refs[REFS_MAX]; /* conditions on groups that may come later */
    int nrefs;
} Parser;

enum { K_NONE, K_ITEM, K_AT, K_REPEAT }; /* what the last thing in a branch was */

static inline uint32_t next_char(Parser *r) /* not at the end */
{
    return r->is_bytes ? (uint8_t)*r->p++ : utf8_next(&r->p);
}
static inline int peek(Parser *r) { return r->p < r->end ? (uint8_t)*r->p : -1; }
static inline void put(Parser *r, const char *s) { ou_sb_puts(r->out, s); }

static inline Width width(uint64_t lo, uint64_t hi) { return (Width){lo > WIDTH_MAX ? WIDTH_MAX : lo, hi > WIDTH_MAX ? WIDTH_MAX : hi}; }
static inline Width both(Width a, Width b) { return width(a.lo + b.lo, a.hi + b.hi); }

/* re_pattern.c: errors at a place in the pattern, always false. */
int64_t ou_re_position(Parser *r, const char *at); /* as error.pos has it */
bool ou_re_fail(Parser *r, const char *at, const char *msg); /* at NULL: nowhere */
bool ou_re_fail_text(Parser *r, const char *at, const char *msg, const char *from, const char *to); /* message, text from..to */
bool ou_re_fail_repr(Parser *r, const char *at, const char *msg, const char *from, const char *to); /* message, repr of the text */
/* Items up to '|', ')' or the end, and branches between '|'; first: at the start of the pattern, where global flags may stand. */
bool ou_re_parse_branch(Parser *r, bool first, Width *w);
bool ou_re_parse_branches(Parser *r, bool first, Width *w);

/* re_pattern_atom.c */
void ou_re_put_literal(Parser *r, uint32_t c, bool in_class);
bool ou_re_check_ref(Parser *r, uint32_t g, const char *at); /* may group g be referred to here? */
bool ou_re_parse_escape(Parser *r, int *kind, Width *w);     /* outside of a class; r->p is at the backslash */
bool ou_re_parse_class(Parser *r);                           /* r->p is at the '[' */

/* re_pattern_group.c: anything that begins with '('. *kind stays K_NONE when it was no item (a comment, global flags). */
bool ou_re_parse_group(Parser *r, bool first, int *kind, Width *w);

#endif
