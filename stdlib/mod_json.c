/* `_json`: reading JSON. loads(text) raises a plain ValueError at the first mistake, and the script decoder then finds it again and
 * says where it is. With hooks script code runs in here: only for texts that have been read without them, so that nothing is called
 * for a text with a mistake. Writing is in mod_json_write.c. */
#include "runtime/base/numtext.h"
#include "stdlib/json_impl.h"
#include "vm/call.h"

enum { MEMO = 64, MEMO_KEY = 24 };

typedef struct Reader {
    VM *vm;
    const char *p, *end;
    Value hook, pairs_hook, to_float, to_int, to_constant; /* V_NULL: none */
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

/* What a hook makes of a piece of the text. */
static Value converted(Reader *r, Value hook, const char *p, size_t n)
{
    Value text = ou_str_new(r->vm, p, n);
    Value v = text == V_NULL ? V_NULL : ou_call1(r->vm, hook, text);
    xrelease(r->vm, text);
    return v;
}
/* And of an object, which it takes over. */
static Value hooked(Reader *r, Value hook, Value object)
{
    if (hook == V_NULL)
        return object;
    Value v = ou_call1(r->vm, hook, object);
    release(r->vm, object);
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
    Value convert = real ? r->to_float : r->to_int;
    if (convert != V_NULL)
        return converted(r, convert, start, (size_t)(r->p - start));
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

/* Adds a member to a dict, or with object_pairs_hook to a list of pairs. */
static bool add_member(Reader *r, Value object, Value key, Value v)
{
    if (r->pairs_hook == V_NULL)
        return ou_dict_set(r->vm, as_dict(object), key, v);
    Value two[2] = {key, v}, pair = ou_tuple_of(r->vm, two, 2);
    return pair != V_NULL && ou_list_append_take(r->vm, as_list(object), pair);
}

static Value read_object(Reader *r)
{
    Value object = r->pairs_hook != V_NULL ? ou_list_new(r->vm, 0) : ou_dict_new(r->vm);
    Value hook = r->pairs_hook != V_NULL ? r->pairs_hook : r->hook;
    if (object == V_NULL)
        return V_NULL;
    skip(r);
    if (word(r, "}"))
        return hooked(r, hook, object);
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
        bool ok = v != V_NULL && add_member(r, object, key, v);
        release(r->vm, key);
        xrelease(r->vm, v);
        if (!ok)
            break;
        skip(r);
        if (word(r, "}"))
            return hooked(r, hook, object);
        if (!word(r, ",")) {
            bad(r);
            break;
        }
    }
    release(r->vm, object);
    return V_NULL;
}

static Value read_constant(Reader *r, const char *name, double d)
{
    if (!word(r, name))
        return bad(r);
    return r->to_constant == V_NULL ? v_float(d) : converted(r, r->to_constant, name, strlen(name));
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
        return read_constant(r, "NaN", __builtin_nan(""));
    case 'I':
        return read_constant(r, "Infinity", __builtin_inf());
    default:
        if (*r->p != '-' && !is_digit(r))
            return bad(r);
        v = read_number(r);
        if (v != V_NULL || r->vm->exc != V_NULL)
            return v;
        r->p--; /* the sign */
        return read_constant(r, "-Infinity", -__builtin_inf());
    }
}

/* args: the text, then perhaps object_hook, object_pairs_hook, parse_float, parse_int, parse_constant (None: none) */
static Value json_loads(VM *vm, const Value *args, int n)
{
    if (!is_str(args[0]))
        return ou_raise(vm, E_VALUE, "not a plain str");
    Str *s = as_str(args[0]);
    Reader r = {.vm = vm, .p = s->data, .end = s->data + s->size};
    Value *hooks[] = {&r.hook, &r.pairs_hook, &r.to_float, &r.to_int, &r.to_constant};
    for (int i = 0; i < 5; i++)
        *hooks[i] = n > i + 1 && args[i + 1] != V_NONE ? args[i + 1] : V_NULL;
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

static const NativeDef functions[] = {
    {"loads(s, object_hook=None, object_pairs_hook=None, parse_float=None, parse_int=None, parse_constant=None, /)", json_loads,
     "The value of a JSON text; ValueError if it is none.", 0},
    {"dumps(obj, indent, item_separator, key_separator, ensure_ascii, sort_keys, allow_nan, default, /)", ou_json_dumps,
     "The JSON text of a plain value, or None.", 0},
    {0}};

bool ou_mod__json(VM *vm, Module *m) { return ou_module_add(vm, m, functions); }
