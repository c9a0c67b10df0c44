/* str: UTF-8 (lone surrogates as three-byte WTF-8) with an ASCII flag, a code point count and a lazy index, so that
 * s[i] of a non-ASCII string is not linear. May be included by objects/ and above. Immutable; always NUL-terminated.
 * Interned strings are unique per VM: names compare by pointer. Positions and lengths in the script's view are code points. */
#ifndef OU_STR_H
#define OU_STR_H

#include <stdarg.h>

#include "runtime/objects/object.h"

enum { STR_INTERNED = 1, STR_CACHED_NAME = 2 /* an inline cache used it: see ou_type_setattr */, STR_HASHED = 4 };

struct Str {
    Obj h;
    uint32_t size;    /* bytes, without the NUL */
    uint32_t length;  /* code points; == size means ASCII */
    int64_t hash;     /* valid with STR_HASHED */
    uint32_t flags;
    uint32_t nindex;  /* entries of index */
    uint32_t *index;  /* byte offset of every 64th code point; NULL until asked for */
    char data[];
};

static inline bool str_is_ascii(const Str *s) { return s->size == s->length; }
static inline Str *as_str(Value v) { return (Str *)v_obj(v); }
static inline bool is_str(Value v) { return is_exact(v, T_STR); } /* exact; ou_is_a(vm, v, T_STR) for subclasses */

Value ou_str_new(VM *vm, const char *utf8, size_t n);   /* valid UTF-8/WTF-8 */
Value ou_str_c(VM *vm, const char *s);
Value ou_str_ascii(VM *vm, size_t n, char **data);      /* an ASCII string to be filled in place */
Value ou_str_from_bytes(VM *vm, const char *p, size_t n, bool *valid); /* checks; *valid false: nothing raised */
Value ou_str_char(VM *vm, uint32_t cp);                 /* one code point; cached for Latin-1 */
Value ou_str_format(VM *vm, const char *fmt, ...);      /* as ou_raise */
Value ou_str_vformat(VM *vm, const char *fmt, va_list ap);
Str *ou_intern(VM *vm, const char *s, size_t n);        /* owned */
Str *ou_intern_c(VM *vm, const char *s);                /* owned */
Str *ou_intern_str(VM *vm, Str *s);                     /* owned result; s borrowed */
bool ou_str_equal(const Str *a, const Str *b);
bool ou_str_eq_c(const Str *a, const char *b);
int ou_str_order(const Str *a, const Str *b);           /* -1 0 1 by code points */
int64_t ou_str_hash(VM *vm, Str *s);
uint32_t ou_str_at(VM *vm, Str *s, int64_t i);          /* code point; 0 <= i < length */
size_t ou_str_offset(VM *vm, Str *s, int64_t i);        /* byte offset of code point i, 0 <= i <= length */
Value ou_str_slice(VM *vm, Str *s, int64_t start, int64_t stop, int64_t step, int64_t count);
Value ou_str_sub(VM *vm, Str *s, size_t byte_from, size_t byte_to); /* by byte offsets */
Value ou_str_concat(VM *vm, Value a, Value b);          /* both str */
Value ou_str_join(VM *vm, Value sep, const Value *items, size_t n);
Value ou_str_percent(VM *vm, Value fmt, Value args);    /* fmt % args */
Value ou_str_repr(VM *vm, Str *s);
Value ou_str_encode(VM *vm, Value s, const char *encoding, const char *errors); /* bytes */
Value ou_str_decode(VM *vm, const char *p, size_t n, const char *encoding, const char *errors);
Value ou_str_mangle(VM *vm, Str *cls, Str *name);
Str *ou_str_alloc(VM *vm, size_t size, size_t length);  /* an exact str whose text the caller fills in; NULL raised */
Value ou_str_counted(VM *vm, const char *utf8, size_t n, size_t length); /* ou_str_new with the length known */
Value ou_str_append(VM *vm, Value a, Value b);          /* a + b; takes a over and grows it in place when it was the only reference */
Value ou_str_exact(VM *vm, Value v);                    /* v itself, or the text of a subclass instance as an exact str */
Value ou_str_to_ascii(VM *vm, Value repr);              /* what ascii() makes of a repr: escapes all that is not ASCII */
int64_t ou_str_pos(VM *vm, Str *s, size_t offset);      /* code point at a byte offset: the inverse of ou_str_offset */
void ou_str_dealloc(VM *vm, Obj *o);
bool ou_strings_boot(VM *vm);                           /* the shared strings; needs the heap and the seed only */
void ou_strings_fini(VM *vm);                           /* the very last, with ou_intern_fini */
void ou_intern_forget(VM *vm, Str *s);                  /* a dying interned string */
void ou_intern_fini(VM *vm);

/* A growing buffer of UTF-8 for building strings. */
typedef struct StrBuf {
    VM *vm;
    char *p;
    size_t n, cap;
    bool failed; /* MemoryError is pending */
    char fixed[256];
} StrBuf;
void ou_sb_init(StrBuf *b, VM *vm);
void ou_sb_put(StrBuf *b, const char *p, size_t n);
void ou_sb_puts(StrBuf *b, const char *s);
void ou_sb_putc(StrBuf *b, char c);
void ou_sb_cp(StrBuf *b, uint32_t cp);
void ou_sb_str(StrBuf *b, Value s);               /* a str's text */
bool ou_sb_repr(StrBuf *b, Value v);
bool ou_sb_value(StrBuf *b, Value v);             /* str(v) */
void ou_sb_printf(StrBuf *b, const char *fmt, ...); /* the C library's formats */
Value ou_sb_finish(StrBuf *b);                    /* the str; frees the buffer; V_NULL if failed */
void ou_sb_drop(StrBuf *b);
void ou_sb_fill(StrBuf *b, uint32_t cp, size_t count); /* the same code point count times */
char *ou_sb_room(StrBuf *b, size_t n);            /* room for n bytes behind b->n, which the caller moves; NULL: failed */
bool ou_sb_format(StrBuf *b, const char *fmt, ...); /* ou_raise's formats */
bool ou_sb_vformat(StrBuf *b, const char *fmt, va_list ap);

#endif
