/* Error handlers of codecs: the built-in ones and those that scripts registered (a dict in sys.__dict__ under "_codec_errors").
 * Entry points: ou_codec_decode_error, ou_codec_encode_error, ou_codec_errors_known. The one thing to know: a handler appends its
 * replacement to the output itself and says where in the input to go on; a registered one may say anywhere. */
#include "runtime/objects/codecs_impl.h"

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"

typedef enum Handler {
    STRICT, IGNORE, REPLACE, BACKSLASH, SURROGATE_ESCAPE, SURROGATE_PASS, XML, NAME, REGISTERED
} Handler;

static Handler handler_of(const char *errors)
{
    static const char *const names[] = {"strict", "ignore", "replace", "backslashreplace", "surrogateescape", "surrogatepass",
                                        "xmlcharrefreplace", "namereplace"};
    if (!errors)
        return STRICT;
    for (int i = 0; i < REGISTERED; i++)
        if (strcmp(errors, names[i]) == 0)
            return (Handler)i;
    return REGISTERED;
}

static Value registered(VM *vm, const char *errors) /* borrowed */
{
    Value d = ou_dict_get_c(vm, vm->sysdict, "_codec_errors");
    return d == V_NULL || !is_exact(d, T_DICT) ? V_NULL : ou_dict_get_c(vm, as_dict(d), errors);
}

bool ou_codec_errors_known(VM *vm, const char *errors)
{
    return handler_of(errors) != REGISTERED || registered(vm, errors) != V_NULL;
}

bool ou_codec_raise(Coding *c, size_t start, size_t end, const char *reason)
{
    VM *vm = c->vm;
    Value args[5] = {ou_str_c(vm, c->codec.name), V_NULL, v_smallint((int64_t)start), v_smallint((int64_t)end),
                     ou_str_c(vm, reason)};
    args[1] = c->text ? ou_str_exact(vm, v_of(c->text)) : ou_bytes_new(vm, c->p, c->n);
    if (args[0] != V_NULL && args[1] != V_NULL && args[4] != V_NULL)
        ou_raise_args(vm, c->text ? E_UNICODE_ENCODE : E_UNICODE_DECODE, args, 5);
    xrelease(vm, args[0]);
    xrelease(vm, args[1]);
    xrelease(vm, args[4]);
    return false;
}

/* Calls a registered handler. *pos gets where to go on; the replacement (str or bytes) is returned, owned. */
static Value call_handler(Coding *c, size_t start, size_t end, const char *reason, size_t len, size_t *pos)
{
    VM *vm = c->vm;
    Value f = registered(vm, c->errors);
    if (f == V_NULL)
        return ou_raise(vm, E_LOOKUP, "unknown error handler name '%s'", c->errors);
    ou_codec_raise(c, start, end, reason);
    Value exc = ou_exc_take(vm);
    f = retain(f);
    Value r = ou_call1(vm, f, exc);
    release(vm, f);
    release(vm, exc);
    if (r == V_NULL)
        return V_NULL;
    Value text = is_exact(r, T_TUPLE) && as_tuple(r)->n == 2 ? as_tuple(r)->items[0] : V_NULL;
    int64_t at = 0;
    bool is_text = text != V_NULL && (ou_is_a(vm, text, T_STR) || (c->text && ou_is_a(vm, text, T_BYTES)));
    if (!is_text || !ou_is_intlike(vm, as_tuple(r)->items[1]) || !ou_int_i64(vm, as_tuple(r)->items[1], &at)) {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, c->text ? "encoding error handler must return (str/bytes, int) tuple"
                                         : "decoding error handler must return (str, int) tuple");
        release(vm, r);
        return V_NULL;
    }
    if (at < 0)
        at += (int64_t)len;
    if (at < 0 || at > (int64_t)len) {
        release(vm, r);
        return ou_raise(vm, E_INDEX, "position %ld from error handler out of bounds", at);
    }
    *pos = (size_t)at;
    retain(text);
    release(vm, r);
    return text;
}

/* The input bytes start..*end cannot be decoded. Appends what the handler says; *end becomes where to go on. */
bool ou_codec_decode_error(Coding *c, size_t start, size_t *end, const char *reason)
{
    const uint8_t *p = (const uint8_t *)c->p;
    switch (handler_of(c->errors)) {
    case STRICT:
        return ou_codec_raise(c, start, *end, reason);
    case IGNORE:
        return true;
    case REPLACE:
        ou_sb_cp(&c->out, 0xFFFD);
        return true;
    case BACKSLASH:
        for (size_t i = start; i < *end; i++)
            ou_sb_printf(&c->out, "\\x%02x", p[i]);
        return true;
    case SURROGATE_ESCAPE: {
        size_t i = start;
        for (; i < *end && i < start + 4 && p[i] >= 0x80; i++)
            ou_sb_cp(&c->out, 0xDC00u + p[i]);
        if (i == start)
            return ou_codec_raise(c, start, *end, reason);
        *end = i;
        return true;
    }
    case SURROGATE_PASS: {
        uint32_t cp = 0;
        size_t k = 0;
        if (c->codec.kind <= UTF8_SIG && start + 3 <= c->n && p[start] == 0xED && p[start + 1] >= 0xA0 && p[start + 1] < 0xC0 &&
            (p[start + 2] & 0xC0) == 0x80) {
            cp = 0xD000u | (p[start + 1] & 0x3Fu) << 6 | (p[start + 2] & 0x3Fu);
            k = 3;
        } else if (c->codec.kind >= UTF16 && c->codec.kind <= UTF16_BE && start + 2 <= c->n) {
            cp = c->codec.kind == UTF16_BE ? (uint32_t)p[start] << 8 | p[start + 1] : (uint32_t)p[start + 1] << 8 | p[start];
            k = 2;
        } else if (c->codec.kind >= UTF32 && c->codec.kind <= UTF32_BE && start + 4 <= c->n) {
            cp = c->codec.kind == UTF32_BE ? (uint32_t)p[start + 2] << 8 | p[start + 3] : (uint32_t)p[start + 1] << 8 | p[start];
            k = 4;
        }
        if (cp < 0xD800 || cp > 0xDFFF)
            return ou_codec_raise(c, start, *end, reason);
        ou_sb_cp(&c->out, cp);
        *end = start + k;
        return true;
    }
    case REGISTERED: {
        Value v = call_handler(c, start, *end, reason, c->n, end);
        if (v == V_NULL)
            return false;
        ou_sb_str(&c->out, v);
        release(c->vm, v);
        return !c->out.failed;
    }
    default:
        ou_raise(c->vm, E_TYPE, "don't know how to handle UnicodeDecodeError in error callback");
        return false;
    }
}

static void put_encoded_text(Coding *c, const char *s)
{
    while (*s)
        ou_codec_put(c, (uint8_t)*s++);
}

/* The code points start..*end (text positions) cannot be encoded; as ou_codec_decode_error. */
bool ou_codec_encode_error(Coding *c, size_t start, size_t *end, const char *reason)
{
    Handler h = handler_of(c->errors);
    VM *vm = c->vm;
    char b[48];
    if (h == STRICT)
        return ou_codec_raise(c, start, *end, reason);
    if (h == IGNORE)
        return true;
    if (h == REGISTERED) {
        Value v = call_handler(c, start, *end, reason, c->text->length, end);
        if (v == V_NULL)
            return false;
        bool ok = true;
        if (ou_is_a(vm, v, T_BYTES))
            ou_sb_put(&c->out, (const char *)as_bytes(v)->data, as_bytes(v)->n);
        else
            for (const char *p = as_str(v)->data, *e = p + as_str(v)->size; ok && p < e;)
                if (!ou_codec_put(c, utf8_next(&p)))
                    ok = ou_codec_raise(c, start, *end, reason);
        release(vm, v);
        return ok;
    }
    const char *p = c->text->data + ou_str_offset(vm, c->text, (int64_t)start);
    for (size_t i = start; i < *end; i++) {
        uint32_t cp = utf8_next(&p);
        switch (h) {
        case REPLACE:
            put_encoded_text(c, "?");
            break;
        case XML:
            snprintf(b, sizeof b, "&#%u;", (unsigned)cp);
            put_encoded_text(c, b);
            break;
        case SURROGATE_ESCAPE:
            if (cp < 0xDC80 || cp > 0xDCFF)
                return ou_codec_raise(c, start, *end, reason);
            ou_sb_putc(&c->out, (char)(cp - 0xDC00));
            break;
        case SURROGATE_PASS:
            if (cp < 0xD800 || cp > 0xDFFF || c->codec.kind > UTF32_BE)
                return ou_codec_raise(c, start, *end, reason);
            if (c->codec.kind <= UTF8_SIG) {
                ou_sb_cp(&c->out, cp);
            } else {
                bool big = c->codec.kind == UTF16_BE || c->codec.kind == UTF32_BE;
                char lo = (char)cp, hi = (char)(cp >> 8);
                if (c->codec.kind > UTF16_BE && big)
                    ou_sb_put(&c->out, "\0", 2);
                ou_sb_putc(&c->out, big ? hi : lo);
                ou_sb_putc(&c->out, big ? lo : hi);
                if (c->codec.kind > UTF16_BE && !big)
                    ou_sb_put(&c->out, "\0", 2);
            }
            break;
        default: {
            char name[120];
            if (h == NAME && ou_uni_name(cp, name, sizeof name)) {
                put_encoded_text(c, "\\N{");
                put_encoded_text(c, name);
                put_encoded_text(c, "}");
                break;
            }
            snprintf(b, sizeof b, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
            put_encoded_text(c, b);
        }
        }
    }
    return !c->out.failed;
}
