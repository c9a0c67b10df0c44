/* Parameters of script functions from the arguments of a call: positionals, defaults, *args, keywords, **kwargs.
 * Entry: ou_bind_function. The messages are CPython's, which scripts and tests read. */
#include <stdio.h>

#include "vm/eval.h"

static Value fail(VM *vm, Value *dest, unsigned total)
{
    for (unsigned k = 0; k < total; k++)
        xrelease(vm, dest[k]);
    return V_NULL;
}

/* 'a', 'b', and 'c' of the names listed in idx. */
static Value name_list(VM *vm, Tuple *names, const uint16_t *idx, unsigned n)
{
    StrBuf b;
    ou_sb_init(&b, vm);
    for (unsigned k = 0; k < n; k++) {
        if (k)
            ou_sb_puts(&b, n == 2 ? " and " : k + 1 == n ? ", and " : ", ");
        ou_sb_repr(&b, names->items[idx[k]]);
    }
    return ou_sb_finish(&b);
}

static void raise_missing(VM *vm, Function *fn, const uint16_t *idx, unsigned n, const char *kind)
{
    Value names = name_list(vm, fn->code->varnames, idx, n);
    if (names == V_NULL)
        return;
    ou_raise(vm, E_TYPE, "%Q() missing %d required %s argument%s: %U", fn->qualname, (int)n, kind, n == 1 ? "" : "s", names);
    release(vm, names);
}

static void raise_too_many(VM *vm, Function *fn, int given, unsigned kwonly_given)
{
    Code *c = fn->code;
    unsigned ndef = fn->defaults ? fn->defaults->n : 0;
    bool plural;
    char takes[64];
    if (ndef) {
        snprintf(takes, sizeof takes, "from %u to %u", (unsigned)(c->nargs - ndef), (unsigned)c->nargs);
        plural = true;
    } else {
        snprintf(takes, sizeof takes, "%u", (unsigned)c->nargs);
        plural = c->nargs != 1;
    }
    if (kwonly_given)
        ou_raise(vm, E_TYPE, "%Q() takes %s positional argument%s but %d positional argument%s (and %d keyword-only argument%s) were given",
                 fn->qualname, takes, plural ? "s" : "", given, given != 1 ? "s" : "", (int)kwonly_given, kwonly_given != 1 ? "s" : "");
    else
        ou_raise(vm, E_TYPE, "%Q() takes %s positional argument%s but %d %s given", fn->qualname, takes, plural ? "s" : "", given,
                 given == 1 ? "was" : "were");
}

static int find_param(VM *vm, Code *c, Value name)
{
    unsigned n = c->nargs + c->nkwonly;
    for (unsigned k = c->nposonly; k < n; k++)
        if (c->varnames->items[k] == name)
            return (int)k;
    for (unsigned k = c->nposonly; k < n; k++)
        if (ou_is_a(vm, name, T_STR) && ou_str_equal(as_str(c->varnames->items[k]), as_str(name)))
            return (int)k;
    return -1;
}

static void raise_unexpected(VM *vm, Function *fn, Tuple *kwnames)
{
    Code *c = fn->code;
    uint16_t idx[256];
    unsigned n = 0;
    for (unsigned k = 0; k < c->nposonly && n < 256; k++)
        for (unsigned j = 0; j < kwnames->n; j++)
            if (ou_str_equal(as_str(c->varnames->items[k]), as_str(kwnames->items[j])))
                idx[n++] = (uint16_t)k;
    if (n) {
        StrBuf b;
        ou_sb_init(&b, vm);
        for (unsigned k = 0; k < n; k++) {
            ou_sb_puts(&b, k ? ", " : "");
            ou_sb_str(&b, c->varnames->items[idx[k]]);
        }
        Value s = ou_sb_finish(&b);
        if (s != V_NULL)
            ou_raise(vm, E_TYPE, "%Q() got some positional-only arguments passed as keyword arguments: '%U'", fn->qualname, s);
        xrelease(vm, s);
        return;
    }
    for (unsigned j = 0; j < kwnames->n; j++)
        if (find_param(vm, c, kwnames->items[j]) < 0) {
            Str *best = ou_suggest_tuple(vm, as_str(kwnames->items[j]), c->varnames, c->nposonly, c->nargs + c->nkwonly);
            if (best)
                ou_raise(vm, E_TYPE, "%Q() got an unexpected keyword argument '%U'. Did you mean '%Q'?", fn->qualname,
                         kwnames->items[j], best);
            else
                ou_raise(vm, E_TYPE, "%Q() got an unexpected keyword argument '%U'", fn->qualname, kwnames->items[j]);
            return;
        }
}

/* The parameters that have no registers go into the object with the far locals. */
static bool move_far_params(VM *vm, const Code *c, unsigned nparams, Value *dest)
{
    Value far = ou_far_new(vm, c->nfar);
    if (far == V_NULL)
        return fail(vm, dest, nparams) != V_NULL;
    memcpy(((Far *)v_obj(far))->v, dest + nparams - c->nfarparams, c->nfarparams * sizeof(Value));
    dest[c->farreg] = far;
    return true;
}

bool ou_bind_function(VM *vm, Function *fn, Value *src, int n, Tuple *kwnames, Value *dest)
{
    Code *c = fn->code;
    unsigned nargs = c->nargs, nkw = kwnames ? kwnames->n : 0, nkwonly = c->nkwonly;
    unsigned total = nargs + nkwonly;
    bool varargs = (c->flags & CO_VARARGS) != 0, varkw = (c->flags & CO_VARKEYWORDS) != 0;
    unsigned nparams = total + varargs + varkw;
    Value fixed[32], *in = fixed;
    unsigned nsrc = (unsigned)n + nkw;
    Value rest = V_NULL, kwdict = V_NULL;
    bool ok = false;

    unsigned have_defaults = fn->defaults ? fn->defaults->n : 0;
    if (!nkw && !varargs && !varkw && !nkwonly && (unsigned)n <= nargs && (unsigned)n + have_defaults >= nargs) {
        if (dest != src)
            memcpy(dest, src, (size_t)n * sizeof(Value));
        for (unsigned k = (unsigned)n; k < nargs; k++)
            dest[k] = retain(fn->defaults->items[k - (nargs - have_defaults)]);
        goto locals;
    }
    if (nsrc > 32) {
        in = ou_alloc(&vm->heap, nsrc * sizeof(Value));
        if (!in) {
            for (unsigned k = 0; k < nsrc; k++)
                release(vm, src[k]);
            return ou_raise_memory(vm) != V_NULL;
        }
    }
    memcpy(in, src, nsrc * sizeof(Value));
    /* From here on in[] owns the arguments; dest[] owns what was bound (V_NULL: nothing). */
    for (unsigned k = 0; k < nparams; k++)
        dest[k] = V_NULL;
    unsigned npos = (unsigned)n < nargs ? (unsigned)n : nargs;
    for (unsigned k = 0; k < npos; k++)
        dest[k] = in[k];
    if (varargs) {
        rest = (unsigned)n > nargs ? ou_tuple_take(vm, &in[nargs], (unsigned)n - nargs) : retain(vm->empty_tuple);
        if (rest == V_NULL) {
            for (unsigned k = (unsigned)n; k < nsrc; k++)
                release(vm, in[k]);
            goto out;
        }
    } else if ((unsigned)n > nargs) {
        for (unsigned k = nargs; k < (unsigned)n; k++) /* told when the keywords are known to be good */
            release(vm, in[k]);
    }
    if (varkw) {
        kwdict = ou_dict_new(vm);
        if (kwdict == V_NULL) {
            for (unsigned k = (unsigned)n; k < nsrc; k++)
                release(vm, in[k]);
            goto out;
        }
    }
    for (unsigned j = 0; j < nkw; j++) {
        Value v = in[(unsigned)n + j], name = kwnames->items[j];
        if (!ou_is_a(vm, name, T_STR)) {
            ou_raise(vm, E_TYPE, "%Q() keywords must be strings", fn->qualname);
        } else {
            int k = find_param(vm, c, name);
            if (k >= 0 && dest[k] == V_NULL) {
                dest[k] = v;
                continue;
            }
            if (k >= 0)
                ou_raise(vm, E_TYPE, "%Q() got multiple values for argument '%U'", fn->qualname, name);
            else if (!varkw)
                raise_unexpected(vm, fn, kwnames);
            else {
                bool set = ou_dict_set(vm, as_dict(kwdict), name, v);
                release(vm, v);
                if (set)
                    continue;
                j++;
            }
        }
        for (unsigned k = (unsigned)n + j; k < nsrc; k++)
            release(vm, in[k]);
        goto out;
    }
    if (!varargs && (unsigned)n > nargs) {
        unsigned given = 0;
        for (unsigned k = nargs; k < total; k++)
            given += dest[k] != V_NULL;
        raise_too_many(vm, fn, n, given);
        goto out;
    }
    uint16_t missing[256];
    unsigned nmissing = 0, ndef = fn->defaults ? fn->defaults->n : 0;
    for (unsigned k = 0; k < nargs; k++) {
        if (dest[k] != V_NULL)
            continue;
        if (k + ndef >= nargs)
            dest[k] = retain(fn->defaults->items[k - (nargs - ndef)]);
        else if (nmissing < 256)
            missing[nmissing++] = (uint16_t)k;
    }
    if (nmissing) {
        raise_missing(vm, fn, missing, nmissing, "positional");
        goto out;
    }
    for (unsigned k = nargs; k < total; k++) {
        if (dest[k] != V_NULL)
            continue;
        Value d = fn->kwdefaults ? ou_dict_get(vm, fn->kwdefaults, c->varnames->items[k]) : V_NULL;
        if (d != V_NULL)
            dest[k] = retain(d);
        else if (vm->exc != V_NULL)
            goto out;
        else if (nmissing < 256)
            missing[nmissing++] = (uint16_t)k;
    }
    if (nmissing) {
        raise_missing(vm, fn, missing, nmissing, "keyword-only");
        goto out;
    }
    ok = true;
out:
    if (in != fixed)
        ou_free(&vm->heap, in, nsrc * sizeof(Value));
    if (!ok) {
        xrelease(vm, rest);
        xrelease(vm, kwdict);
        return fail(vm, dest, total) != V_NULL;
    }
    unsigned at = total;
    if (varargs)
        dest[at++] = rest;
    if (varkw)
        dest[at++] = kwdict;
locals:
    if (c->nfarparams && !move_far_params(vm, c, nparams, dest))
        return false;
    for (unsigned k = nparams - c->nfarparams; k < c->nlocals; k++)
        if (k != c->farreg || !c->nfarparams)
            dest[k] = V_UNBOUND;
    return true;
}

bool ou_code_prepare(VM *vm, Code *c)
{
    if (!ou_code_ready(vm, c))
        return false;
    bool heap = (c->flags & CO_HEAP_FRAME) != 0;
    bool plain = c->nplain != 0xFFFF && c->nplain < 0xFF00;
    c->callkey = plain && !heap ? (uint16_t)(c->nplain + 1) : 0xFFFF;
    c->genkey = plain && heap ? (uint16_t)(c->nplain + 1) : 0xFFFF;
    c->returns_none = true;
    for (uint32_t k = 0; k < c->ncode;) {
        uint8_t op = INS_OP(c->code[k]);
        if (op == OP_RETURN || op == OP_RETURN_S || op == OP_RETURN_G || (op == OP_RETURNP && (uint32_t)INS_D(c->code[k]) != V_NONE))
            c->returns_none = false;
        k += ou_op_words[op];
    }
    return true;
}

const uint8_t ou_op_words[OP_COUNT] = {
#define OP(name, words, operands, doc) [OP_##name] = words,
#include "vm/opcodes.def"
#include "vm/special.def"
#undef OP
};
