/* What the files of str, bytes and formatting share: the methods of str by file, spans of arguments.
 * May be included by runtime/objects/ only. Everything named ou_strm_x is the native behind str.x. */
#ifndef OU_STRIMPL_H
#define OU_STRIMPL_H

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/object.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

static inline bool str_like(VM *vm, Value v) { return is_str(v) || (v != V_NULL && ou_is_a(vm, v, T_STR)); }

/* The type's name in "f() argument 1 must be str, not ..." */
static inline const char *arg_type_name(VM *vm, Value v) { return v == V_NONE ? "None" : ou_type_name(vm, v); }

/* Optional start and stop arguments of find and its kin, clipped to 0..len as slices are; V_NULL and None are the ends. */
bool ou_arg_span(VM *vm, Value start, Value stop, int64_t len, int64_t *from, int64_t *to);
bool ou_arg_int(VM *vm, Value v, int64_t dflt, int64_t *out); /* a C int; V_NULL: dflt */
bool ou_arg_ssize(VM *vm, Value v, int64_t dflt, int64_t *out); /* V_NULL: dflt */

typedef Value StrMethod(VM *vm, const Value *args, int n);
/* type_str_search.c */
StrMethod ou_strm_find, ou_strm_rfind, ou_strm_index, ou_strm_rindex, ou_strm_count, ou_strm_startswith, ou_strm_endswith,
    ou_strm_replace, ou_strm_split, ou_strm_rsplit, ou_strm_splitlines, ou_strm_partition, ou_strm_rpartition, ou_strm_strip,
    ou_strm_lstrip, ou_strm_rstrip, ou_strm_removeprefix, ou_strm_removesuffix, ou_strm_join, ou_strm_expandtabs,
    ou_strm_center, ou_strm_ljust, ou_strm_rjust, ou_strm_zfill;
/* type_str_case.c */
StrMethod ou_strm_lower, ou_strm_upper, ou_strm_casefold, ou_strm_capitalize, ou_strm_title, ou_strm_swapcase,
    ou_strm_isalpha, ou_strm_isdecimal, ou_strm_isdigit, ou_strm_isnumeric, ou_strm_isalnum, ou_strm_isspace,
    ou_strm_isprintable, ou_strm_islower, ou_strm_isupper, ou_strm_istitle, ou_strm_isidentifier, ou_strm_isascii,
    ou_strm_translate, ou_strm_maketrans;
/* str_format.c */
StrMethod ou_strm_format, ou_strm_format_map;
Value ou_str_format_args(VM *vm, Str *fmt, Tuple *args, Value kwargs); /* kwargs V_NULL: none; args NULL: format_map */

/* str_percent.c: appends fmt % args; with `bytes` the rules of bytes apply and out holds raw bytes. */
bool ou_percent(StrBuf *out, const char *fmt, size_t n, Value args, bool bytes);

#endif
