/* `_json`: the usual case of json.loads() and json.dumps(), without options. loads(text) raises a plain ValueError at the
 * first mistake, and the script decoder then finds it again and says where it is; dumps(value) returns None when it meets
 * something that is not a plain str, number, constant, list, tuple or dict, and the script encoder takes over. No script code runs in here, so borrowed values stay alive. */
#include "runtime/base/numtext.h"
#include "stdlib/stdlib.h"

enum { MEMO = 64, MEMO_KEY = 24 };

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

typedef struct Reader {
    VM *vm;
    const char *p, *end;
    Value memo[MEMO]; /* short keys seen, by a hash of their bytes: objects of one kind repeat theirs. Owned. */
} Reader;

static Value bad(Reader *r) { return ou_raise(r->vm, E_VALUE, "invalid JSON"); }

static void skip(Reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

static char *put_code_point(char *out, uint32_t c) /* WTF-8: lone surrogates as three bytes */
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    }
    return out;
}

/* Decodes the escapes of [p, end) into out, which is as long as the source at least; the new end, or NULL at a mistake. */
static char *unescape(const char *p, const char *end, char *out)
{
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *known = p[1] ? strchr(from, p[1]) : NULL;
        if (known) {
            *out++ = to[known - from];
            p += 2;
            continue;
        }
        int c = p[1] == 'u' ? hex4(p + 2, end) : -1;
        if (c < 0)
            return NULL;
        p += 6;
        if (c >= 0xD800 && c <= 0xDBFF && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            int low = hex4(p + 2, end);
            if (low < 0)
                return NULL;
            if (low >= 0xDC00 && low <= 0xDFFF) {
                c = 0x10000 + ((c - 0xD800) << 10 | (low - 0xDC00));
                p += 6;
            }
        }
        out = put_code_point(out, (uint32_t)c);
    }
    return out;
}

/* The string whose opening quote has just been read. */
static Value read_string(Reader *r, bool is_key)
{
    const char *start = r->p, *p = start, *end = r->end;
    bool escaped = false;
    while (p < end && *p != '"') {
        if ((unsigned char)*p < 0x20)
            return bad(r);
        if (*p == '\\') {
            escaped = true;
            if (++p == end)
                return bad(r);
        }
        p++;
    }
    if (p == end)
        return bad(r);
    r->p = p + 1;
    size_t n = (size_t)(p - start);
    if (escaped) {
        char *text = ou_alloc(&r->vm->heap, n);
        if (!text)
            return ou_raise_memory(r->vm);
        char *stop = unescape(start, p, text);
        Value v = stop ? ou_str_new(r->vm, text, (size_t)(stop - text)) : bad(r);
        ou_free(&r->vm->heap, text, n);
        return v;
    }
    if (!is_key || n > MEMO_KEY)
        return ou_str_new(r->vm, start, n);
    uint32_t hash = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        hash = hash * 31 + (unsigned char)start[i];
    Value *known = &r->memo[hash % MEMO];
    if (*known != V_NULL && as_str(*known)->size == n && !memcmp(as_str(*known)->data, start, n))
        return retain(*known);
    Value v = ou_str_new(r->vm, start, n);
    if (v != V_NULL) {
        xrelease(r->vm, *known);
        *known = retain(v);
    }
    return v;
}

static bool is_digit(const Reader *r) { return r->p < r->end && *r->p >= '0' && *r->p <= '9'; }

static Value read_number(Reader *r)
{
    const char *start = r->p;
    bool neg = *r->p == '-', real = false;
    r->p += neg;
    const char *digits = r->p;
    if (!is_digit(r))
        return V_NULL; /* -Infinity, or a mistake: the caller looks */
    while (is_digit(r))
        r->p++;
    if (*digits == '0' && r->p > digits + 1)
        return bad(r);
    size_t n = (size_t)(r->p - digits);
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (!is_digit(r))
            return bad(r);
        while (is_digit(r))
            r->p++;
        real = true;
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (!is_digit(r))
            return bad(r);
        while (is_digit(r))
            r->p++;
        real = true;
    }
    if (real) {
        double d;
        return ou_double_parse(start, (size_t)(r->p - start), &d) ? v_float(d) : bad(r);
    }
    if (n <= 18) {
        int64_t i = 0;
        for (size_t k = 0; k < n; k++)
            i = i * 10 + (digits[k] - '0');
        return ou_int(r->vm, neg ? -i : i);
    }
    Value text = ou_str_new(r->vm, start, (size_t)(r->p - start));
    Value v = text == V_NULL ? V_NULL : ou_int_from_str(r->vm, text, 10);
    xrelease(r->vm, text);
    return v;
}

static bool word(Reader *r, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n))
        return false;
    r->p += n;
    return true;
}

static Value read_value(Reader *r);

static Value read_array(Reader *r)
{
    Value list = ou_list_new(r->vm, 0);
    if (list == V_NULL)
        return V_NULL;
    skip(r);
    if (word(r, "]"))
        return list;
    for (;;) {
        skip(r);
        Value v = read_value(r);
        if (v == V_NULL || !ou_list_append_take(r->vm, as_list(list), v))
            break;
        skip(r);
        if (word(r, "]"))
            return list;
        if (!word(r, ",")) {
            bad(r);
            break;
        }
    }
    release(r->vm, list);
    return V_NULL;
}

static Value read_object(Reader *r)
{
    Value dict = ou_dict_new(r->vm);
    if (dict == V_NULL)
        return V_NULL;
    skip(r);
    if (word(r, "}"))
        return dict;
    for (;;) {
        skip(r);
        if (!word(r, "\"")) {
            bad(r);
            break;
        }
        Value key = read_string(r, true);
        if (key == V_NULL)
            break;
        skip(r);
        bool colon = word(r, ":");
        skip(r);
        Value v = colon ? read_value(r) : bad(r);
        bool ok = v != V_NULL && ou_dict_set(r->vm, as_dict(dict), key, v);
        release(r->vm, key);
        xrelease(r->vm, v);
        if (!ok)
            break;
        skip(r);
        if (word(r, "}"))
            return dict;
        if (!word(r, ",")) {
            bad(r);
            break;
        }
    }
    release(r->vm, dict);
    return V_NULL;
}

static Value read_value(Reader *r)
{
    if (r->p == r->end)
        return bad(r);
    Value v;
    switch (*r->p) {
    case '"':
        r->p++;
        return read_string(r, false);
    case '[':
    case '{':
        if (ou_c_deep(r->vm))
            return ou_raise_recursion(r->vm, *r->p == '[' ? " while decoding a JSON array from a unicode string"
                                                          : " while decoding a JSON object from a unicode string");
        r->vm->c_depth += 2;
        v = *r->p++ == '[' ? read_array(r) : read_object(r);
        r->vm->c_depth -= 2;
        return v;
    case 'n':
        return word(r, "null") ? V_NONE : bad(r);
    case 't':
        return word(r, "true") ? V_TRUE : bad(r);
    case 'f':
        return word(r, "false") ? V_FALSE : bad(r);
    case 'N':
        return word(r, "NaN") ? v_float(__builtin_nan("")) : bad(r);
    case 'I':
        return word(r, "Infinity") ? v_float(__builtin_inf()) : bad(r);
    default:
        if (*r->p != '-' && !is_digit(r))
            return bad(r);
        v = read_number(r);
        if (v != V_NULL || r->vm->exc != V_NULL)
            return v;
        return word(r, "Infinity") ? v_float(-__builtin_inf()) : bad(r);
    }
}

static Value json_loads(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_str(args[0]))
        return ou_raise(vm, E_VALUE, "not a plain str");
    Str *s = as_str(args[0]);
    Reader r = {.vm = vm, .p = s->data, .end = s->data + s->size};
    skip(&r);
    Value v = read_value(&r);
    skip(&r);
    if (v != V_NULL && r.p != r.end) {
        release(vm, v);
        v = bad(&r);
    }
    for (int i = 0; i < MEMO; i++)
        xrelease(vm, r.memo[i]);
    return v;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

typedef struct Writer {
    VM *vm;
    char *data;
    size_t n, cap;
    uint32_t depth, marked_depth;
    Value marked; /* the container at that depth of those being written: one that meets it again is in a cycle (Brent's method) */
} Writer;

typedef enum Outcome { FAILED = -1, NOT_PLAIN = 0, DONE = 1 } Outcome;

static bool room(Writer *w, size_t more)
{
    if (w->cap - w->n >= more)
        return true;
    size_t cap = w->cap ? w->cap * 2 : 256;
    while (cap - w->n < more)
        cap *= 2;
    char *data = ou_realloc(&w->vm->heap, w->data, w->cap, cap);
    if (!data)
        return ou_raise_memory(w->vm), false;
    w->data = data;
    w->cap = cap;
    return true;
}

static Outcome put(Writer *w, const char *p, size_t n)
{
    if (!room(w, n))
        return FAILED;
    memcpy(w->data + w->n, p, n);
    w->n += n;
    return DONE;
}

static void put_u(Writer *w, uint32_t c) /* there is room */
{
    static const char hex[] = "0123456789abcdef";
    char *out = w->data + w->n;
    out[0] = '\\';
    out[1] = 'u';
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[c >> (12 - 4 * i) & 15];
    w->n += 6;
}

static Outcome put_string(Writer *w, const Str *s)
{
    if (!room(w, (size_t)s->size * 6 + 2)) /* six bytes for each at most: a UTF-8 byte pair becomes one \uXXXX */
        return FAILED;
    w->data[w->n++] = '"';
    const unsigned char *p = (const unsigned char *)s->data, *end = p + s->size;
    while (p < end) {
        unsigned char c = *p++;
        if (c >= ' ' && c < 0x7F && c != '"' && c != '\\') {
            w->data[w->n++] = (char)c;
            continue;
        }
        static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
        const char *known = c && c < 0x7F ? strchr(from, c) : NULL;
        if (known) {
            w->data[w->n++] = '\\';
            w->data[w->n++] = to[known - from];
        } else if (c < 0x80) {
            put_u(w, c);
        } else if (c < 0xE0) {
            put_u(w, (uint32_t)(c & 0x1F) << 6 | (p[0] & 0x3F));
            p++;
        } else if (c < 0xF0) {
            put_u(w, (uint32_t)(c & 0x0F) << 12 | (uint32_t)(p[0] & 0x3F) << 6 | (p[1] & 0x3F));
            p += 2;
        } else {
            uint32_t cp = (uint32_t)(c & 0x07) << 18 | (uint32_t)(p[0] & 0x3F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
            put_u(w, 0xD800 | (cp - 0x10000) >> 10);
            put_u(w, 0xDC00 | (cp & 0x3FF));
            p += 3;
        }
    }
    w->data[w->n++] = '"';
    return DONE;
}

static Outcome put_double(Writer *w, double d)
{
    char text[DOUBLE_REPR_MAX];
    if (d != d)
        return put(w, "NaN", 3);
    if (d - d != 0)
        return d > 0 ? put(w, "Infinity", 8) : put(w, "-Infinity", 9);
    size_t n = ou_double_repr(d, text);
    return put(w, text, n);
}

static Outcome put_int(Writer *w, Value v)
{
    if (is_small(v)) {
        char text[24];
        int n = snprintf(text, sizeof text, "%lld", (long long)v_small(v));
        return put(w, text, (size_t)n);
    }
    Value text = ou_repr(w->vm, v);
    if (text == V_NULL)
        return FAILED;
    Outcome o = put(w, as_str(text)->data, as_str(text)->size);
    release(w->vm, text);
    return o;
}

/* None, booleans and plain numbers. */
static Outcome put_atom(Writer *w, Value v)
{
    if (v == V_NONE)
        return put(w, "null", 4);
    if (v == V_TRUE)
        return put(w, "true", 4);
    if (v == V_FALSE)
        return put(w, "false", 5);
    if (is_float(v))
        return put_double(w, v_double(v));
    if (is_small(v) || is_exact(v, T_INT))
        return put_int(w, v);
    return NOT_PLAIN;
}

static Outcome put_value(Writer *w, Value v);

static Outcome put_items(Writer *w, const Value *items, size_t n)
{
    Outcome o = put(w, "[", 1);
    for (size_t i = 0; i < n && o == DONE; i++) {
        if (i)
            o = put(w, ", ", 2);
        if (o == DONE)
            o = put_value(w, items[i]);
    }
    return o == DONE ? put(w, "]", 1) : o;
}

static Outcome put_dict(Writer *w, const Dict *d)
{
    Outcome o = put(w, "{", 1);
    Value key, value;
    bool first = true;
    for (uint32_t pos = 0; o == DONE && ou_dict_next(d, &pos, &key, &value); first = false) {
        if (!first)
            o = put(w, ", ", 2);
        if (o != DONE)
            return o;
        if (is_str(key)) {
            o = put_string(w, as_str(key));
        } else {
            o = put(w, "\"", 1);
            if (o == DONE)
                o = put_atom(w, key);
            if (o == DONE)
                o = put(w, "\"", 1);
        }
        if (o == DONE)
            o = put(w, ": ", 2);
        if (o == DONE)
            o = put_value(w, value);
    }
    return o == DONE ? put(w, "}", 1) : o;
}

static Outcome put_container(Writer *w, Value v)
{
    if (v == w->marked && w->depth > w->marked_depth) {
        ou_raise(w->vm, E_VALUE, "Circular reference detected");
        return FAILED;
    }
    if (ou_c_deep(w->vm)) {
        ou_raise_recursion(w->vm, " while encoding a JSON object");
        return FAILED;
    }
    if ((w->depth & (w->depth - 1)) == 0) {
        w->marked = v;
        w->marked_depth = w->depth;
    }
    w->depth++;
    w->vm->c_depth += 2;
    Outcome o = is_exact(v, T_LIST)    ? put_items(w, as_list(v)->items, as_list(v)->n)
                : is_exact(v, T_TUPLE) ? put_items(w, as_tuple(v)->items, as_tuple(v)->n)
                                       : put_dict(w, as_dict(v));
    w->vm->c_depth -= 2;
    w->depth--;
    if (w->marked_depth >= w->depth) /* it is no ancestor of what comes next */
        w->marked = V_NULL;
    return o;
}

static Outcome put_value(Writer *w, Value v)
{
    if (is_str(v))
        return put_string(w, as_str(v));
    Outcome o = put_atom(w, v);
    if (o != NOT_PLAIN)
        return o;
    if (!is_exact(v, T_LIST) && !is_exact(v, T_TUPLE) && !is_exact(v, T_DICT))
        return NOT_PLAIN;
    return put_container(w, v);
}

static Value json_dumps(VM *vm, const Value *args, int n)
{
    (void)n;
    Writer w = {.vm = vm};
    Outcome o = put_value(&w, args[0]);
    Value v = o == DONE ? ou_str_new(vm, w.data, w.n) : o == NOT_PLAIN ? V_NONE : V_NULL;
    ou_free(&vm->heap, w.data, w.cap);
    return v;
}

static const NativeDef functions[] = {
    {"loads(s, /)", json_loads, "The value of a JSON text; ValueError if it is none.", 0},
    {"dumps(obj, /)", json_dumps, "The JSON text of a plain value, or None.", 0},
    {0}};

bool ou_mod__json(VM *vm, Module *m) { return ou_module_add(vm, m, functions); }
