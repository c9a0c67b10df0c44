/* Arguments of native functions: parses signature strings, binds positional and keyword arguments to them.
 * Entry points: ou_bind, ou_native_invoke. The messages are those of CPython's C functions, which differ from
 * script functions'. A signature is parsed once: a Native keeps its own (Native.sig), ou_bind's are kept per
 * VM under the address of the text, which must therefore be a string literal. */
#include "runtime/objects/bind.h"

#include "runtime/objects/errors.h"

enum { PARAMS_MAX = 40 };

struct Sig {
    const char *text;
    Sig *next;  /* in the VM's table */
    uint16_t n; /* entries of a bound argument list */
    uint16_t npos, nposonly;
    uint16_t nreq;          /* positional ones without a default */
    int16_t star, starstar; /* entry of *args, **kw; -1 */
    uint16_t named;         /* without *args and **kw */
    bool simple;            /* positional-only parameters alone */
    bool no_kw;             /* nothing can be given by name */
    bool required[PARAMS_MAX];
    Str *names[PARAMS_MAX]; /* interned, owned; of *args and **kw too */
};

enum { TABLE = 256 };
struct SigTable {
    Sig *chains[TABLE];
};

size_t ou_sig_name_len(const char *sig) {
    const char *p = strchr(sig, '(');
    return p ? (size_t)(p - sig) : strlen(sig);
}

static void sig_drop(VM *vm, Sig *s) {
    for (int i = 0; i < s->n; i++)
        if (s->names[i]) obj_release(vm, s->names[i]);
    ou_free(&vm->heap, s, sizeof *s);
}

void ou_sig_free(VM *vm, Sig *s) {
    if (s) sig_drop(vm, s);
}

/* Behind a default value: the next comma or the closing parenthesis outside of brackets and quotes. */
static const char *skip_default(const char *p) {
    int depth = 0;
    char quote = 0;
    for (; *p; p++) {
        if (quote) {
            if (*p == '\\' && p[1])
                p++;
            else if (*p == quote)
                quote = 0;
        } else if (*p == '\'' || *p == '"') {
            quote = *p;
        } else if (*p == '(' || *p == '[' || *p == '{') {
            depth++;
        } else if (*p == ')' || *p == ']' || *p == '}') {
            if (depth-- == 0) return p;
        } else if (*p == ',' && depth == 0) {
            return p;
        }
    }
    return p;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

Sig *ou_sig_parse(VM *vm, const char *text) {
    Sig *s = ou_alloc0(&vm->heap, sizeof *s);
    if (!s) {
        ou_raise_memory(vm);
        return NULL;
    }
    s->text = text;
    s->star = s->starstar = -1;
    bool kwonly = false;
    const char *p = strchr(text, '(');
    p = p ? p + 1 : text + strlen(text);
    while (*p && *p != ')' && s->n < PARAMS_MAX) {
        while (*p == ' ' || *p == ',') p++;
        if (*p == ')' || !*p) break;
        int stars = 0;
        while (*p == '*') {
            stars++;
            p++;
        }
        if (*p == '/') {
            s->nposonly = s->npos;
            p++;
            continue;
        }
        const char *name = p;
        while (is_word(*p)) p++;
        size_t len = (size_t)(p - name);
        if (len == 0) {
            kwonly = kwonly || stars == 1;
            if (!stars) p = skip_default(p + 1);
            continue;
        }
        if (*p == ':') p = p + strcspn(p, "=,)");
        while (*p == ' ') p++;
        bool has_default = *p == '=';
        if (has_default) p = skip_default(p + 1);
        int i = s->n;
        if (!(s->names[i] = ou_intern(vm, name, len))) {
            sig_drop(vm, s);
            return NULL;
        }
        s->n++;
        if (stars == 1) {
            s->star = (int16_t)i;
            kwonly = true;
        } else if (stars == 2) {
            s->starstar = (int16_t)i;
        } else {
            s->required[i] = !has_default;
            if (!kwonly) {
                s->npos++;
                if (!has_default) s->nreq = s->npos;
            }
        }
    }
    s->named = (uint16_t)(s->n - (s->star >= 0) - (s->starstar >= 0));
    s->simple = s->n == s->npos && s->npos == s->nposonly;
    s->no_kw = s->starstar < 0 && s->named == s->nposonly;
    return s;
}

/* How many arguments by position suffice, and what such a call passes. Runs for every native at boot: it allocates
 * nothing. */
void ou_sig_scan(Native *nat) {
    const char *p = strchr(nat->def->sig, '(');
    int n = 0, npos = -1, req = 0, slash = -1;
    nat->pass = PASS_GIVEN;
    if (!p) return;
    for (p++; *p && *p != ')';) {
        if (*p == ' ' || *p == ',') {
            p++;
        } else if (*p == '*' && p[1] == ',') {
            npos = n;
            p++;
        } else if (*p == '*') {
            nat->pass = nat->def->flags & ND_RAW ? PASS_RAW : PASS_BOUND;
            nat->max = UINT8_MAX;
            return;
        } else if (*p == '/') {
            slash = n;
            p++;
        } else {
            while (is_word(*p)) p++;
            p += strcspn(p, "=,)");
            n++;
            if (*p == '=')
                p = skip_default(p + 1);
            else
                req = n;
        }
    }
    if (npos < 0) npos = n;
    nat->min = (uint8_t)req;
    nat->max = (uint8_t)npos;
    nat->total = (uint8_t)n;
    nat->pass = n == 0 || slash == n ? PASS_GIVEN : req <= npos ? PASS_PADDED : PASS_BOUND;
}

/* ---- messages ---------------------------------------------------------------------------------------- */

static const char *plural(int n) {
    return n == 1 ? "" : "s";
}

/* Name in messages: what stands before the parenthesis. `who` (may be NULL) is the qualified form, an owned
 * str otherwise. */
static bool count_error(VM *vm, const char *name, int name_len, Value who, int n, int min, int max) {
    bool one = max <= 1 && min == max;
    if (one && who != V_NULL)
        ou_raise(vm, E_TYPE,
                 max == 0 ? "%U() takes no arguments (%d given)"
                          : "%U() takes exactly one argument (%d given)",
                 who, n);
    else if (one)
        ou_raise(vm, E_TYPE,
                 max == 0 ? "%.*s() takes no arguments (%d given)"
                          : "%.*s() takes exactly one argument (%d given)",
                 name_len, name, n);
    else {
        int want = n < min ? min : max;
        ou_raise(vm, E_TYPE, "%.*s expected %s%d argument%s, got %d", name_len, name,
                 min == max ? ""
                 : n < min  ? "at least "
                            : "at most ",
                 want, plural(want), n);
    }
    return false;
}

bool ou_arg_count(VM *vm, const char *fname, int n, int min, int max) {
    if (n >= min && (n <= max || max < 0)) return true;
    int want = n < min ? min : max;
    ou_raise(vm, E_TYPE, "%.*s expected %s%d argument%s, got %d", (int)ou_sig_name_len(fname), fname,
             min == max ? ""
             : n < min  ? "at least "
                        : "at most ",
             want, plural(want), n);
    return false;
}

bool ou_no_kw(VM *vm, const char *fname, Tuple *kwnames) {
    if (!kwnames || kwnames->n == 0) return true;
    ou_raise(vm, E_TYPE, "%.*s() takes no keyword arguments", (int)ou_sig_name_len(fname), fname);
    return false;
}

/* ---- binding ----------------------------------------------------------------------------------------- */

static bool too_many(VM *vm, const Sig *s, int n, int nkw) {
    int len = (int)ou_sig_name_len(s->text);
    if (s->npos == s->named && s->npos == s->nposonly)
        return count_error(vm, s->text, len, V_NULL, n, s->nreq, s->npos);
    if (n + nkw > s->named && s->starstar < 0)
        ou_raise(vm, E_TYPE, "%.*s() takes at most %d %sargument%s (%d given)", len, s->text, s->named,
                 n == 0 ? "keyword " : "", plural(s->named), n + nkw);
    else if (s->npos == 0)
        ou_raise(vm, E_TYPE, "%.*s() takes no positional arguments", len, s->text);
    else
        ou_raise(vm, E_TYPE, "%.*s() takes %s %d positional argument%s (%d given)", len, s->text,
                 s->nreq < s->npos ? "at most" : "exactly", s->npos, plural(s->npos), n);
    return false;
}

static int find_name(VM *vm, const Sig *s, Value key) {
    Str *k = as_str(key);
    (void)vm;
    for (int i = s->nposonly; i < s->n; i++)
        if (i != s->star && i != s->starstar && (s->names[i] == k || ou_str_equal(s->names[i], k))) return i;
    return -1;
}

static bool missing_error(VM *vm, const Sig *s, int i, int n) {
    int len = (int)ou_sig_name_len(s->text);
    if (i < s->nposonly) {
        if (s->nposonly == s->n || s->npos == s->nposonly)
            return s->star >= 0 || s->starstar >= 0 || s->n > s->npos
                       ? (ou_raise(vm, E_TYPE, "%.*s() takes at least %d positional argument%s (%d given)",
                                   len, s->text, s->nreq, plural(s->nreq), n),
                          false)
                       : count_error(vm, s->text, len, V_NULL, n, s->nreq, s->npos);
        ou_raise(vm, E_TYPE, "%.*s() takes %s %d positional argument%s (%d given)", len, s->text,
                 s->nreq < s->npos ? "at least" : "exactly", s->nreq, plural(s->nreq), n);
        return false;
    }
    ou_raise(vm, E_TYPE, "%.*s() missing required argument '%Q' (pos %d)", len, s->text, s->names[i], i + 1);
    return false;
}

void ou_sig_done(VM *vm, const Sig *s, Value *out) {
    if (s->star >= 0) xrelease(vm, out[s->star]);
    if (s->starstar >= 0) xrelease(vm, out[s->starstar]);
}

int ou_sig_params(const Sig *s) {
    return s->n;
}

/* A keyword that fits no parameter, or one that has its argument already. Raised once it is clear that nothing is
 * missing, as CPython does. */
static bool keyword_error(VM *vm, const Sig *s, Value key, int n) {
    int i = find_name(vm, s, key);
    int len = (int)ou_sig_name_len(s->text);
    if (i >= 0 && i < n)
        ou_raise(vm, E_TYPE, "argument for %.*s() given by name ('%Q') and position (%d)", len, s->text,
                 s->names[i], i + 1);
    else if (i >= 0)
        ou_raise(vm, E_TYPE, "%.*s() got multiple values for argument '%Q'", len, s->text, s->names[i]);
    else if (s->no_kw)
        ou_raise(vm, E_TYPE, "%.*s() takes no keyword arguments", len, s->text);
    else {
        Value names[PARAMS_MAX];
        size_t known = 0;
        for (i = s->nposonly; i < s->n; i++)
            if (i != s->star && i != s->starstar) names[known++] = v_of(s->names[i]);
        ou_unexpected_keyword(vm, s->text, len, key, names, known);
    }
    return false;
}

bool ou_sig_bind(VM *vm, const Sig *s, const Value *args, int n, Tuple *kwnames, Value *out) {
    int nkw = kwnames ? (int)kwnames->n : 0;
    Value bad = V_NULL;
    for (int i = 0; i < s->n; i++) out[i] = V_NULL;
    if (nkw && s->no_kw) return keyword_error(vm, s, kwnames->items[0], n);
    if (s->star < 0 && (n > s->npos || (s->starstar < 0 && n + nkw > s->named))) return too_many(vm, s, n, nkw);
    if (s->star >= 0 &&
        (out[s->star] = ou_tuple_of(vm, args + s->npos, n > s->npos ? (size_t)(n - s->npos) : 0)) == V_NULL)
        return false;
    if (s->starstar >= 0 && (out[s->starstar] = ou_dict_new(vm)) == V_NULL) goto fail;
    for (int i = 0; i < n && i < s->npos; i++) out[i] = args[i];
    for (int k = 0; k < nkw; k++) {
        Value key = kwnames->items[k], v = args[n + k];
        int i = find_name(vm, s, key);
        if (i >= 0 && out[i] == V_NULL)
            out[i] = v;
        else if (i < 0 && s->starstar >= 0) {
            if (!ou_dict_set(vm, as_dict(out[s->starstar]), key, v)) goto fail;
        } else if (bad == V_NULL)
            bad = key;
    }
    for (int i = 0; i < s->n; i++)
        if (out[i] == V_NULL && s->required[i]) {
            missing_error(vm, s, i, n);
            goto fail;
        }
    if (bad == V_NULL || keyword_error(vm, s, bad, n)) return true;
fail:
    ou_sig_done(vm, s, out);
    return false;
}

static const Sig *table_sig(VM *vm, const char *text) {
    if (!vm->sigs && !(vm->sigs = ou_alloc0(&vm->heap, sizeof *vm->sigs))) {
        ou_raise_memory(vm);
        return NULL;
    }
    Sig **chain = &vm->sigs->chains[((uintptr_t)text >> 3) % TABLE];
    for (Sig *s = *chain; s; s = s->next)
        if (s->text == text) return s;
    Sig *s = ou_sig_parse(vm, text);
    if (s) {
        s->next = *chain;
        *chain = s;
    }
    return s;
}

bool ou_bind(VM *vm, const char *sig, const Value *args, int n, Tuple *kwnames, Value *out) {
    const Sig *s = table_sig(vm, sig);
    return s && ou_sig_bind(vm, s, args, n, kwnames, out);
}

void ou_bind_done(VM *vm, const char *sig, Value *out) {
    const Sig *s = table_sig(vm, sig);
    if (s) ou_sig_done(vm, s, out);
}

void ou_sigs_fini(VM *vm) {
    if (!vm->sigs) return;
    for (int i = 0; i < TABLE; i++)
        while (vm->sigs->chains[i]) {
            Sig *s = vm->sigs->chains[i];
            vm->sigs->chains[i] = s->next;
            sig_drop(vm, s);
        }
    ou_free(&vm->heap, vm->sigs, sizeof *vm->sigs);
    vm->sigs = NULL;
}

/* ---- calling natives --------------------------------------------------------------------------------- */

/* "list.append", "math.sin", "len": how CPython names a built-in function in messages. */
static Value who_is(VM *vm, const Native *nat, Value self) {
    int len = nat->name_len;
    if (nat->owner && nat->self != V_NULL && !ou_is_a(vm, self, T_TYPE))
        return ou_str_format(vm, "%U.%.*s", v_of(ou_type_of(vm, nat->self)->qualname), len, nat->def->sig);
    if (nat->owner && self != V_NULL && ou_is_a(vm, self, T_TYPE))
        return ou_str_format(vm, "%U.%.*s", v_of(((Type *)v_obj(self))->qualname), len, nat->def->sig);
    if (nat->owner) return ou_str_format(vm, "%U.%.*s", v_of(nat->owner->qualname), len, nat->def->sig);
    if (nat->module != V_NULL && is_exact(nat->module, T_STR) &&
        !ou_str_eq_c(as_str(nat->module), "builtins"))
        return ou_str_format(vm, "%U.%.*s", nat->module, len, nat->def->sig);
    return ou_str_new(vm, nat->def->sig, (size_t)len);
}

static Value simple_error(VM *vm, const Native *nat, Value self, int n, bool keywords) {
    Value who = who_is(vm, nat, self);
    if (who == V_NULL) return V_NULL;
    if (keywords)
        ou_raise(vm, E_TYPE, "%U() takes no keyword arguments", who);
    else
        count_error(vm, nat->def->sig, nat->name_len, who, n, nat->min, nat->max);
    release(vm, who);
    return V_NULL;
}

Value ou_native_invoke(VM *vm, Native *nat, Value self, const Value *args, int n, Tuple *kwnames) {
    Value buf[PARAMS_MAX + 1];
    int shift = self != V_NULL;
    buf[0] = self;
    if (nat->pass == PASS_GIVEN) {
        if (kwnames && kwnames->n) return simple_error(vm, nat, self, n, true);
        if (n < nat->min || n > nat->max) return simple_error(vm, nat, self, n, false);
        if (!shift) return nat->def->fn(vm, args, n);
        for (int i = 0; i < n; i++) buf[i + 1] = args[i];
        return nat->def->fn(vm, buf, n + 1);
    }
    if (nat->pass == PASS_PADDED && n >= nat->min && n <= nat->max && !(kwnames && kwnames->n)) {
        int i = 0;
        for (; i < n; i++) buf[shift + i] = args[i];
        for (; i < nat->total; i++) buf[shift + i] = V_NULL;
        return nat->def->fn(vm, buf, nat->total + shift);
    }
    if (nat->pass == PASS_RAW && !(kwnames && kwnames->n)) return nat->def->fn(vm, args, ~n);
    if (!nat->sig && !(nat->sig = ou_sig_parse(vm, nat->def->sig))) return V_NULL;
    const Sig *s = nat->sig;
    if (kwnames && kwnames->n && s->no_kw) return simple_error(vm, nat, self, n, true);
    if (!ou_sig_bind(vm, s, args, n, kwnames, buf + shift)) return V_NULL;
    Value r = nat->def->fn(vm, buf, s->n + shift);
    ou_sig_done(vm, s, buf + shift);
    return r;
}

Value ou_native_pass(VM *vm, const Native *nat, const Value *args, int n, int shift) {
    if (nat->pass == PASS_RAW) return nat->def->fn(vm, args, ~n);
    Value buf[PARAMS_MAX + 1];
    buf[0] = args[-shift]; /* overwritten when there is no receiver */
    int i = 0;
    for (; i < n; i++) buf[shift + i] = args[i];
    for (; i < nat->total; i++) buf[shift + i] = V_NULL;
    return nat->def->fn(vm, buf, nat->total + shift);
}
