/* What the files of bytes, bytearray and memoryview share. May be included by runtime/objects/ and by binascii.
 * Everything named ou_bym_x is the native behind bytes.x and bytearray.x; the result has the kind of the receiver. */
#ifndef OU_BYTESIMPL_H
#define OU_BYTESIMPL_H

#include "runtime/objects/bytes.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/strimpl.h"

typedef struct View { /* the bytes of a bytes or bytearray: valid until script code runs */
    const char *p;
    size_t n;
} View;

bool ou_is_bytes(VM *vm, Value v);     /* bytes or a subclass */
bool ou_is_bytearray(VM *vm, Value v);
View ou_bytes_view(VM *vm, Value v);   /* v is one of the two */
Value ou_bytes_like(VM *vm, Value self, const void *p, size_t n); /* a new one of self's kind */
bool ou_byte_arg(VM *vm, Value v, uint8_t *out, const char *range_msg); /* an int from 0 to 255 */
Value ou_bytes_repr(VM *vm, View v, const char *before, const char *after);
Value ou_bytes_hex(VM *vm, const uint8_t *p, size_t n, Value sep, Value group);

/* The growing body of a bytearray. */
bool ou_bytearray_resize(VM *vm, ByteArray *b, size_t n);                     /* BufferError while exported */
bool ou_bytearray_splice(VM *vm, ByteArray *b, size_t at, size_t old, const void *p, size_t n);

/* Collects what bytes(x) and bytearray(x) take: makes a bytes object of any source. `kind` names the type in messages. */
Value ou_bytes_from_source(VM *vm, const char *kind, const Value *args, int n, Tuple *kwnames);
Value ou_bytes_from_iterable(VM *vm, Value o, const char *range_msg);

/* bytes_search.c: an argument of search methods, to be released with ou_buffer_release(vm, &s->b). */
typedef struct ByteSub {
    Buffer b;
    uint8_t one;
    const char *p;
    size_t n;
} ByteSub;
bool ou_by_sub_get(VM *vm, Value v, ByteSub *s);   /* bytes-like or one byte */
bool ou_by_plain_get(VM *vm, Value v, ByteSub *s); /* bytes-like */

static inline bool in_ascii(uint8_t c, char lo, char hi) { return c >= (uint8_t)lo && c <= (uint8_t)hi; }
static inline bool byte_is_digit(uint8_t c) { return in_ascii(c, '0', '9'); }
static inline bool byte_is_space(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13); }

/* The methods: bytes_search.c has find to rpartition and the prefixes, bytes_case.c lower to isascii, bytes_methods.c the rest. */
StrMethod ou_bym_find, ou_bym_rfind, ou_bym_index, ou_bym_rindex, ou_bym_count, ou_bym_startswith, ou_bym_endswith, ou_bym_split,
    ou_bym_rsplit, ou_bym_splitlines, ou_bym_strip, ou_bym_lstrip, ou_bym_rstrip, ou_bym_partition, ou_bym_rpartition,
    ou_bym_join, ou_bym_replace, ou_bym_translate, ou_bym_maketrans, ou_bym_removeprefix, ou_bym_removesuffix, ou_bym_center,
    ou_bym_ljust, ou_bym_rjust, ou_bym_zfill, ou_bym_expandtabs, ou_bym_lower, ou_bym_upper, ou_bym_swapcase,
    ou_bym_capitalize, ou_bym_title, ou_bym_isalpha, ou_bym_isdigit, ou_bym_isalnum, ou_bym_isspace, ou_bym_islower,
    ou_bym_isupper, ou_bym_istitle, ou_bym_isascii, ou_bym_decode, ou_bym_hex, ou_bym_fromhex;

/* Slots that both share (bytes_methods.c). */
Value ou_by_compare(VM *vm, Value a, Value b, CmpOp op);
int ou_by_contains(VM *vm, Value self, Value x);
Value ou_by_add(VM *vm, Value a, Value b);
Value ou_by_mul(VM *vm, Value a, Value b);
Value ou_by_mod(VM *vm, Value a, Value b);
int64_t ou_by_len(VM *vm, Value self);

/* The rows of both method tables; `RECEIVER` methods of one type follow in its own file. */
#define BYTES_METHODS                                                                                                         \
    {"find(sub, start=None, end=None, /)", ou_bym_find, "Return the lowest index where sub is found, or -1.", 0},              \
    {"rfind(sub, start=None, end=None, /)", ou_bym_rfind, "Return the highest index where sub is found, or -1.", 0},           \
    {"index(sub, start=None, end=None, /)", ou_bym_index, "Like find, but raise ValueError if sub is not found.", 0},          \
    {"rindex(sub, start=None, end=None, /)", ou_bym_rindex, "Like rfind, but raise ValueError if sub is not found.", 0},       \
    {"count(sub, start=None, end=None, /)", ou_bym_count, "Return the number of non-overlapping occurrences of sub.", 0},      \
    {"startswith(prefix, start=None, end=None, /)", ou_bym_startswith, "Return True if it starts with the prefix.", 0},        \
    {"endswith(suffix, start=None, end=None, /)", ou_bym_endswith, "Return True if it ends with the suffix.", 0},              \
    {"split(sep=None, maxsplit=-1)", ou_bym_split, "Return a list of the sections, using sep as the delimiter.", 0},           \
    {"rsplit(sep=None, maxsplit=-1)", ou_bym_rsplit, "Return a list of the sections, splitting from the end.", 0},             \
    {"splitlines(keepends=False)", ou_bym_splitlines, "Return a list of the lines, breaking at line boundaries.", 0},          \
    {"strip(bytes=None, /)", ou_bym_strip, "Strip leading and trailing bytes contained in the argument.", 0},                  \
    {"lstrip(bytes=None, /)", ou_bym_lstrip, "Strip leading bytes contained in the argument.", 0},                             \
    {"rstrip(bytes=None, /)", ou_bym_rstrip, "Strip trailing bytes contained in the argument.", 0},                            \
    {"partition(sep, /)", ou_bym_partition, "Partition into three parts using the given separator.", 0},                       \
    {"rpartition(sep, /)", ou_bym_rpartition, "Partition into three parts, searching from the end.", 0},                       \
    {"join(iterable_of_bytes, /)", ou_bym_join, "Concatenate any number of bytes objects.", 0},                                \
    {"replace(old, new, count=-1, /)", ou_bym_replace, "Return a copy with all occurrences of old replaced by new.", 0},       \
    {"translate(table, /, delete=b'')", ou_bym_translate, "Return a copy with each byte mapped by the table.", 0},             \
    {"maketrans(frm, to, /)", ou_bym_maketrans, "Return a translation table for the translate method.", ND_STATIC},            \
    {"removeprefix(prefix, /)", ou_bym_removeprefix, "Return a copy without the given prefix.", 0},                            \
    {"removesuffix(suffix, /)", ou_bym_removesuffix, "Return a copy without the given suffix.", 0},                            \
    {"center(width, fillchar=b' ', /)", ou_bym_center, "Return a centered copy of length width.", 0},                          \
    {"ljust(width, fillchar=b' ', /)", ou_bym_ljust, "Return a left-justified copy of length width.", 0},                      \
    {"rjust(width, fillchar=b' ', /)", ou_bym_rjust, "Return a right-justified copy of length width.", 0},                     \
    {"zfill(width, /)", ou_bym_zfill, "Pad a numeric string with zeros on the left.", 0},                                      \
    {"expandtabs(tabsize=8)", ou_bym_expandtabs, "Return a copy where all tabs are expanded using spaces.", 0},                \
    {"lower()", ou_bym_lower, "Return a copy with all ASCII letters in lower case.", 0},                                       \
    {"upper()", ou_bym_upper, "Return a copy with all ASCII letters in upper case.", 0},                                       \
    {"swapcase()", ou_bym_swapcase, "Return a copy with the case of the ASCII letters swapped.", 0},                           \
    {"capitalize()", ou_bym_capitalize, "Return a copy with the first letter capitalized, the rest in lower case.", 0},        \
    {"title()", ou_bym_title, "Return a copy where the ASCII words are titlecased.", 0},                                       \
    {"isalpha()", ou_bym_isalpha, "Return True if all bytes are ASCII letters, and there is one.", 0},                         \
    {"isdigit()", ou_bym_isdigit, "Return True if all bytes are ASCII digits, and there is one.", 0},                          \
    {"isalnum()", ou_bym_isalnum, "Return True if all bytes are ASCII letters or digits, and there is one.", 0},               \
    {"isspace()", ou_bym_isspace, "Return True if all bytes are ASCII whitespace, and there is one.", 0},                      \
    {"islower()", ou_bym_islower, "Return True if all cased bytes are in lower case, and there is one.", 0},                   \
    {"isupper()", ou_bym_isupper, "Return True if all cased bytes are in upper case, and there is one.", 0},                   \
    {"istitle()", ou_bym_istitle, "Return True if the ASCII words are titlecased.", 0},                                        \
    {"isascii()", ou_bym_isascii, "Return True if all bytes are ASCII.", 0},                                                   \
    {"decode(encoding='utf-8', errors='strict')", ou_bym_decode, "Decode using the codec registered for encoding.", 0},         \
    {"hex(sep=None, bytes_per_sep=1)", ou_bym_hex, "Return the bytes as hexadecimal numbers.", 0},                             \
    {"fromhex(string, /)", ou_bym_fromhex, "Create an object from a string of hexadecimal numbers.", ND_CLASS}

#endif
