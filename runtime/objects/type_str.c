/* The type str: construction, operators, iteration and the table of methods.
 * Entry points: ou_type_str, ou_type_str_iter. The methods themselves are in type_str_search.c, type_str_case.c and
 * str_format.c. The one thing to know: self may be an instance of a subclass; results are exact strings. */
#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/strimpl.h"

typedef struct StrIter {
    Obj h;
    Str *s; /* owned; NULL once exhausted */
    size_t at;
} StrIter;

/* ---- construction ------------------------------------------------------------------------------------------------------------ */

static bool text_arg(VM *vm, const char *fname, const char *arg, Value v, const char **out)
{
    *out = NULL;
    if (v == V_NULL)
        return true;
    if (!str_like(vm, v)) {
        ou_raise(vm, E_TYPE, "%s() argument '%s' must be str, not %s", fname, arg,
                 fname[0] == 's' ? ou_type_name(vm, v) : arg_type_name(vm, v)); /* str() has words of its own */
        return false;
    }
    *out = as_str(v)->data;
    if (strlen(*out) != as_str(v)->size) {
        ou_raise(vm, E_VALUE, "embedded null character");
        return false;
    }
    return true;
}

/* str(object, encoding, errors) with at least one of the latter two. */
static Value decode_object(VM *vm, Value o, Value encoding, Value errors)
{
    const char *enc, *err;
    if (!text_arg(vm, "str", "encoding", encoding, &enc) || !text_arg(vm, "str", "errors", errors, &err))
        return V_NULL;
    if (str_like(vm, o))
        return ou_raise(vm, E_TYPE, "decoding str is not supported");
    Buffer b;
    if (!ou_type_of(vm, o)->slots.buffer)
        return ou_raise(vm, E_TYPE, "decoding to str: need a bytes-like object, %T found", o);
    if (!ou_buffer_get(vm, o, &b, false))
        return V_NULL;
    Value r = ou_str_decode(vm, (const char *)b.p, (size_t)b.n, enc ? enc : "utf-8", err);
    ou_buffer_release(vm, &b);
    return r;
}

static Value str_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[3] = {V_NULL, V_NULL, V_NULL}, v;
    if (n == 1 && !kwnames) {
        a[0] = args[0];
    } else {
        if (n > 3)
            return ou_raise(vm, E_TYPE, "str expected at most 3 arguments, got %d", n);
        if ((n || kwnames) && !ou_bind(vm, "str(object='', encoding='utf-8', errors='strict')", args, n, kwnames, a))
            return V_NULL;
    }
    if (a[0] == V_NULL)
        v = ou_str_new(vm, "", 0);
    else if (a[1] != V_NULL || a[2] != V_NULL)
        v = decode_object(vm, a[0], a[1], a[2]);
    else
        v = ou_str(vm, a[0]);
    if (v == V_NULL || cls->id == T_STR)
        return v;
    Str *from = as_str(v), *s = ou_new(vm, cls, (size_t)from->size + 1);
    if (s) {
        s->size = from->size;
        s->length = from->length;
        memcpy(s->data, from->data, (size_t)from->size + 1);
    }
    release(vm, v);
    return s ? v_of(s) : V_NULL;
}

/* ---- slots ---------------------------------------------------------------------------------------------------------------------- */

static Value str_repr(VM *vm, Value self) { return ou_str_repr(vm, as_str(self)); }
static Value str_str(VM *vm, Value self) { return ou_str_exact(vm, self); }

static bool str_hash(VM *vm, Value self, int64_t *out)
{
    *out = ou_str_hash(vm, as_str(self));
    return true;
}

static Value str_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!str_like(vm, a) || !str_like(vm, b))
        return V_NOTIMPL;
    Str *x = as_str(a), *y = as_str(b);
    if (op == CMP_EQ || op == CMP_NE)
        return v_bool(ou_str_equal(x, y) == (op == CMP_EQ));
    int c = ou_str_order(x, y);
    return v_bool(op == CMP_LT ? c < 0 : op == CMP_LE ? c <= 0 : op == CMP_GT ? c > 0 : c >= 0);
}

static int str_truth(VM *vm, Value self)
{
    (void)vm;
    return as_str(self)->size != 0;
}

static int64_t str_len(VM *vm, Value self)
{
    (void)vm;
    return as_str(self)->length;
}

static Value str_getitem(VM *vm, Value self, Value key)
{
    Str *s = as_str(self);
    int64_t i;
    if (is_small(key)) {
        i = v_small(key);
    } else if (is_exact(key, T_SLICE)) {
        int64_t start, stop, step, count;
        if (!ou_slice_unpack(vm, key, s->length, &start, &stop, &step, &count))
            return V_NULL;
        return ou_str_slice(vm, s, start, stop, step, count);
    } else if (is_bool(key) || ou_type_of(vm, key)->slots.to_index) {
        Value index = ou_index(vm, key);
        if (index == V_NULL)
            return V_NULL;
        bool fits = ou_int_fits_i64(vm, index, &i);
        release(vm, index);
        if (!fits)
            return ou_raise(vm, E_INDEX, "cannot fit '%T' into an index-sized integer", key);
    } else {
        return ou_raise(vm, E_TYPE, "string indices must be integers, not '%T'", key);
    }
    if (i < 0)
        i += s->length;
    if (i < 0 || i >= s->length)
        return ou_raise(vm, E_INDEX, "string index out of range");
    if (str_is_ascii(s)) {
        Str *c = vm->latin1[(uint8_t)s->data[i]];
        return v_of(obj_retain(c));
    }
    return ou_str_char(vm, ou_str_at(vm, s, i));
}

static int str_contains(VM *vm, Value self, Value x)
{
    if (!str_like(vm, x)) {
        ou_raise(vm, E_TYPE, "'in <string>' requires string as left operand, not %T", x);
        return -1;
    }
    Str *s = as_str(self), *sub = as_str(x);
    return ou_mem_find(s->data, s->size, sub->data, sub->size) != NULL;
}

static Value str_add(VM *vm, Value a, Value b)
{
    if (!str_like(vm, a))
        return V_NOTIMPL;
    if (!str_like(vm, b))
        return ou_seq_concat_other(vm, a, b, "str");
    return ou_str_concat(vm, a, b);
}

static Value str_mul(VM *vm, Value a, Value b)
{
    bool swapped = !str_like(vm, a);
    Value seq = swapped ? b : a, count = swapped ? a : b;
    int64_t n;
    Value other;
    int kind = ou_seq_repeat_count(vm, seq, count, a, b, &n, &other);
    if (kind != 1)
        return kind ? other : V_NULL;
    Str *s = as_str(seq);
    if (n <= 0 || s->size == 0)
        return ou_str_new(vm, "", 0);
    if (n == 1)
        return ou_str_exact(vm, seq);
    if ((uint64_t)n > UINT32_MAX / s->size)
        return ou_raise_memory(vm);
    size_t size = s->size * (size_t)n;
    Str *r = ou_str_alloc(vm, size, s->length * (size_t)n);
    if (!r)
        return V_NULL;
    if (s->size == 1) {
        memset(r->data, s->data[0], size);
        return v_of(r);
    }
    memcpy(r->data, s->data, s->size);
    for (size_t done = s->size; done < size;) { /* doubling */
        size_t k = done < size - done ? done : size - done;
        memcpy(r->data + done, r->data, k);
        done += k;
    }
    return v_of(r);
}

static Value str_mod(VM *vm, Value a, Value b)
{
    if (!str_like(vm, a))
        return V_NOTIMPL;
    return ou_str_percent(vm, a, b);
}

/* ---- iteration --------------------------------------------------------------------------------------------------------------------- */

static Value str_iter(VM *vm, Value self)
{
    StrIter *it = ou_new(vm, vm->types[T_STR_ITER], 0);
    if (!it)
        return V_NULL;
    it->s = obj_retain(as_str(self));
    it->at = 0;
    return v_of(it);
}

static void str_iter_dealloc(VM *vm, Obj *o)
{
    StrIter *it = (StrIter *)o;
    if (it->s)
        obj_release(vm, it->s);
    ou_finish_dealloc(vm, o, 0);
}

static Value str_iter_next(VM *vm, Value self)
{
    StrIter *it = (StrIter *)v_obj(self);
    Str *s = it->s;
    if (!s)
        return V_NULL;
    if (it->at >= s->size) {
        it->s = NULL;
        obj_release(vm, s);
        return V_NULL;
    }
    const char *p = s->data + it->at;
    if ((uint8_t)*p < 0x80) {
        it->at++;
        return v_of(obj_retain(vm->latin1[(uint8_t)*p]));
    }
    uint32_t c = utf8_next(&p);
    it->at = (size_t)(p - s->data);
    return ou_str_char(vm, c);
}

static Value str_iter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    StrIter *it = (StrIter *)v_obj(args[0]);
    return v_smallint(it->s ? (int64_t)ou_utf8_count(it->s->data + it->at, it->s->size - it->at) : 0);
}

static Value str_iter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    StrIter *it = (StrIter *)v_obj(args[0]);
    Value iter = ou_dict_get_c(vm, vm->builtins, "iter");
    if (iter == V_NULL)
        return V_NULL;
    Value rest = it->s ? ou_str_sub(vm, it->s, it->at, it->s->size) : ou_str_new(vm, "", 0);
    if (rest == V_NULL)
        return V_NULL;
    Value inner = ou_tuple_take(vm, &rest, 1);
    if (inner == V_NULL)
        return V_NULL;
    Value parts[2] = {retain(iter), inner};
    return ou_tuple_take(vm, parts, 2);
}

static const NativeDef str_iter_methods[] = {
    {"__length_hint__()", str_iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    {"__reduce__()", str_iter_reduce, "Return state information for pickling.", 0},
    {0}};

const TypeDef ou_type_str_iter = {
    .name = "str_iterator",
    .size = sizeof(StrIter),
    .flags = TF_NO_NEW,
    .slots = {.dealloc = str_iter_dealloc, .iter = ou_iter_self, .next = str_iter_next},
    .methods = str_iter_methods,
};

/* ---- the other methods -------------------------------------------------------------------------------------------------------------- */

static Value str_encode(VM *vm, const Value *args, int n)
{
    (void)n;
    const char *enc, *err;
    if (!text_arg(vm, "encode", "encoding", args[1], &enc) || !text_arg(vm, "encode", "errors", args[2], &err))
        return V_NULL;
    return ou_str_encode(vm, args[0], enc ? enc : "utf-8", err);
}

static Value str_dunder_format(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!str_like(vm, args[1]))
        return ou_raise(vm, E_TYPE, "__format__() argument must be str, not %s", arg_type_name(vm, args[1]));
    return ou_format_str(vm, args[0], args[1]);
}

static Value str_getnewargs(VM *vm, const Value *args, int n)
{
    (void)n;
    Value s = ou_str_exact(vm, args[0]);
    return s == V_NULL ? V_NULL : ou_tuple_take(vm, &s, 1);
}

static Value str_sizeof(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return v_smallint((int64_t)sizeof(Str) + as_str(args[0])->size + 1);
}

static const NativeDef str_methods[] = {
    {"encode(encoding='utf-8', errors='strict')", str_encode, "Encode the string using the codec registered for encoding.", 0},
    {"replace(old, new, /, count=-1)", ou_strm_replace, "Return a copy with all occurrences of substring old replaced by new.", 0},
    {"split(sep=None, maxsplit=-1)", ou_strm_split, "Return a list of the substrings in the string, using sep as the separator string.", 0},
    {"rsplit(sep=None, maxsplit=-1)", ou_strm_rsplit, "Return a list of the substrings in the string, splitting from its end.", 0},
    {"join(iterable, /)", ou_strm_join, "Concatenate any number of strings.", 0},
    {"capitalize()", ou_strm_capitalize, "Return a capitalized version of the string.", 0},
    {"casefold()", ou_strm_casefold, "Return a version of the string suitable for caseless comparisons.", 0},
    {"title()", ou_strm_title, "Return a version of the string where each word is titlecased.", 0},
    {"center(width, fillchar=' ', /)", ou_strm_center, "Return a centered string of length width.", 0},
    {"count(sub, start=None, end=None, /)", ou_strm_count, "Return the number of non-overlapping occurrences of substring sub.", 0},
    {"expandtabs(tabsize=8)", ou_strm_expandtabs, "Return a copy where all tab characters are expanded using spaces.", 0},
    {"find(sub, start=None, end=None, /)", ou_strm_find, "Return the lowest index where substring sub is found, or -1.", 0},
    {"partition(sep, /)", ou_strm_partition, "Partition the string into three parts using the given separator.", 0},
    {"index(sub, start=None, end=None, /)", ou_strm_index, "Like find, but raise ValueError when the substring is not found.", 0},
    {"ljust(width, fillchar=' ', /)", ou_strm_ljust, "Return a left-justified string of length width.", 0},
    {"lower()", ou_strm_lower, "Return a copy of the string converted to lowercase.", 0},
    {"lstrip(chars=None, /)", ou_strm_lstrip, "Return a copy of the string with leading whitespace removed.", 0},
    {"rfind(sub, start=None, end=None, /)", ou_strm_rfind, "Return the highest index where substring sub is found, or -1.", 0},
    {"rindex(sub, start=None, end=None, /)", ou_strm_rindex, "Like rfind, but raise ValueError when the substring is not found.", 0},
    {"rjust(width, fillchar=' ', /)", ou_strm_rjust, "Return a right-justified string of length width.", 0},
    {"rstrip(chars=None, /)", ou_strm_rstrip, "Return a copy of the string with trailing whitespace removed.", 0},
    {"rpartition(sep, /)", ou_strm_rpartition, "Partition the string into three parts, searching from its end.", 0},
    {"splitlines(keepends=False)", ou_strm_splitlines, "Return a list of the lines in the string, breaking at line boundaries.", 0},
    {"strip(chars=None, /)", ou_strm_strip, "Return a copy of the string with leading and trailing whitespace removed.", 0},
    {"swapcase()", ou_strm_swapcase, "Convert uppercase characters to lowercase and lowercase characters to uppercase.", 0},
    {"translate(table, /)", ou_strm_translate, "Replace each character in the string using the given translation table.", 0},
    {"upper()", ou_strm_upper, "Return a copy of the string converted to uppercase.", 0},
    {"startswith(prefix, start=None, end=None, /)", ou_strm_startswith, "Return True if the string starts with the specified prefix.", 0},
    {"endswith(suffix, start=None, end=None, /)", ou_strm_endswith, "Return True if the string ends with the specified suffix.", 0},
    {"removeprefix(prefix, /)", ou_strm_removeprefix, "Return a str with the given prefix string removed if present.", 0},
    {"removesuffix(suffix, /)", ou_strm_removesuffix, "Return a str with the given suffix string removed if present.", 0},
    {"isascii()", ou_strm_isascii, "Return True if all characters in the string are ASCII, False otherwise.", 0},
    {"islower()", ou_strm_islower, "Return True if the string is a lowercase string, False otherwise.", 0},
    {"isupper()", ou_strm_isupper, "Return True if the string is an uppercase string, False otherwise.", 0},
    {"istitle()", ou_strm_istitle, "Return True if the string is a title-cased string, False otherwise.", 0},
    {"isspace()", ou_strm_isspace, "Return True if the string is a whitespace string, False otherwise.", 0},
    {"isdecimal()", ou_strm_isdecimal, "Return True if the string is a decimal string, False otherwise.", 0},
    {"isdigit()", ou_strm_isdigit, "Return True if the string is a digit string, False otherwise.", 0},
    {"isnumeric()", ou_strm_isnumeric, "Return True if the string is a numeric string, False otherwise.", 0},
    {"isalpha()", ou_strm_isalpha, "Return True if the string is an alphabetic string, False otherwise.", 0},
    {"isalnum()", ou_strm_isalnum, "Return True if the string is an alpha-numeric string, False otherwise.", 0},
    {"isidentifier()", ou_strm_isidentifier, "Return True if the string is a valid Python identifier, False otherwise.", 0},
    {"isprintable()", ou_strm_isprintable, "Return True if all characters in the string are printable, False otherwise.", 0},
    {"zfill(width, /)", ou_strm_zfill, "Pad a numeric string with zeros on the left, to fill a field of the given width.", 0},
    {"format(*args, **kwargs)", ou_strm_format, "Return a formatted version of the string, using substitutions from args and kwargs.", 0},
    {"format_map(mapping, /)", ou_strm_format_map, "Return a formatted version of the string, using substitutions from mapping.", 0},
    {"__format__(format_spec, /)", str_dunder_format, "Return a formatted version of the string as described by format_spec.", 0},
    {"maketrans(x, y=None, z=None, /)", ou_strm_maketrans, "Return a translation table usable for str.translate().", ND_STATIC},
    {"__getnewargs__()", str_getnewargs, NULL, 0},
    {"__sizeof__()", str_sizeof, "Return the size of the string in memory, in bytes.", 0},
    {0}};

const TypeDef ou_type_str = {
    .name = "str",
    .size = sizeof(Str),
    .flags = TF_BASE | TF_VAR | TF_MATCH_SELF,
    .slots = {.make = str_make,
              .dealloc = ou_str_dealloc,
              .repr = str_repr,
              .str = str_str,
              .hash = str_hash,
              .compare = str_compare,
              .truth = str_truth,
              .iter = str_iter,
              .len = str_len,
              .getitem = str_getitem,
              .contains = str_contains,
              .binary = {[BIN_ADD] = str_add, [BIN_MUL] = str_mul, [BIN_MOD] = str_mod}},
    .methods = str_methods,
    .doc = "str(object='') -> str\nstr(bytes_or_buffer[, encoding[, errors]]) -> str\n\n"
           "Create a new string object from the given object.",
    .new_sig = "(object='', encoding='utf-8', errors='strict')",
};
