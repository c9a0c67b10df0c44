/* The text of doubles, both ways, independent of the process's locale: shortest round-trip repr, printf-like formats with any
 * precision, strict parsing. May be included by everybody. Pure functions; only a long result allocates, from the given heap. */
#ifndef OU_NUMTEXT_H
#define OU_NUMTEXT_H

#include "runtime/base/alloc.h"

enum {
    DBL_PLUS = 1,  /* '+' before numbers that are not negative */
    DBL_DOT_0 = 2, /* ".0" behind what would read as an int ('r' and 'g') */
    DBL_ALT = 4,   /* '#': keep the point and trailing zeros */
    DBL_Z = 8,     /* 'z': a negative zero after rounding becomes zero */
    DBL_SPACE = 16 /* ' ' before numbers that are not negative */
};

typedef struct NumText {
    char *p; /* NUL-terminated; points to fixed unless it is long */
    size_t n, cap;
    char fixed[64];
} NumText;

enum { DOUBLE_REPR_MAX = 32 };

size_t ou_double_repr(double d, char buf[DOUBLE_REPR_MAX]); /* as repr(float): "1.0", "1e+16", "nan", "-inf"; the length */

/* type is one of "eEfFgGr" ('r': repr's digits, precision ignored); precision < 0 means 6. inf and nan come as such, in upper
 * case for upper-case types. False: no memory. Release the text with ou_numtext_drop. */
bool ou_double_format(Heap *h, double d, char type, int precision, unsigned flags, NumText *out);
void ou_numtext_drop(Heap *h, NumText *t);

/* The longest prefix of s[0..n) that is a decimal literal, inf, infinity or nan (any case, with sign); 0: none. s need not be
 * NUL-terminated. Underscores and blanks are the caller's business. Overflow gives an infinity. */
size_t ou_double_scan(const char *s, size_t n, double *out);
bool ou_double_parse(const char *s, size_t n, double *out); /* all of s is such a literal */

#endif
