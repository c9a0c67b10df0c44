/* Exception groups: the constructor, derive, split and subgroup, and what except* needs of them.
 * Entry points: ou_exc_group_make, ou_exc_split_star, ou_exc_prep_reraise_star. The one thing to know: every part of a split
 * group is made by calling the (possibly overridden) derive(), and then gets the metadata of the group it came from. */
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/errors_impl.h"
#include "runtime/objects/func.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

static ExcGroup *as_group(Value v) { return (ExcGroup *)v_obj(v); }
static bool is_group(VM *vm, Value v) { return ou_is_a(vm, v, E_BASE_EXCEPTION_GROUP); }

Value ou_exc_group_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kwnames && kwnames->n)
        return ou_raise(vm, E_TYPE, "BaseExceptionGroup.__new__() takes no keyword arguments");
    if (n != 2)
        return ou_raise(vm, E_TYPE, "BaseExceptionGroup.__new__() takes exactly 2 arguments (%d given)", n);
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "BaseExceptionGroup.__new__() argument 1 must be str, not %K", args[0]);
    Type *seq = ou_type_of(vm, args[1]);
    if (!seq->slots.getitem || ou_is_a(vm, args[1], T_DICT) || ou_is_a(vm, args[1], T_SET))
        return ou_raise(vm, E_TYPE, "second argument (exceptions) must be a sequence");
    Value excs = ou_tuple_from(vm, args[1]);
    if (excs == V_NULL)
        return V_NULL;
    Tuple *t = as_tuple(excs);
    bool nested_base = false;
    if (t->n == 0) {
        ou_raise(vm, E_VALUE, "second argument (exceptions) must be a non-empty sequence");
        goto fail;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        if (!ou_is_exception(vm, t->items[i])) {
            ou_raise(vm, E_VALUE, "Item %d of second argument (exceptions) is not an exception", (int)i);
            goto fail;
        }
        if (!ou_is_a(vm, t->items[i], E_EXCEPTION))
            nested_base = true;
    }
    if (cls->id == E_BASE_EXCEPTION_GROUP) {
        if (!nested_base)
            cls = ou_builtin(vm, E_EXCEPTION_GROUP);
    } else if (nested_base && cls->id == E_EXCEPTION_GROUP) {
        ou_raise(vm, E_TYPE, "Cannot nest BaseExceptions in an ExceptionGroup");
        goto fail;
    } else if (nested_base && ou_is_subtype(cls, ou_builtin(vm, E_EXCEPTION))) {
        ou_raise(vm, E_TYPE, "Cannot nest BaseExceptions in '%N'", cls);
        goto fail;
    }
    Value self = ou_exc_alloc(vm, cls, args, n);
    if (self == V_NULL)
        goto fail;
    as_group(self)->message = retain(args[0]);
    as_group(self)->excs = excs;
    return self;
fail:
    release(vm, excs);
    return V_NULL;
}

Value ou_exc_group_str(VM *vm, Value self)
{
    uint32_t n = as_tuple(as_group(self)->excs)->n;
    return ou_str_format(vm, "%S (%d sub-exception%s)", as_group(self)->message, (int)n, n > 1 ? "s" : "");
}

static Value get_message(VM *vm, Value self)
{
    (void)vm;
    return retain(as_group(self)->message);
}

static Value get_exceptions(VM *vm, Value self)
{
    (void)vm;
    return retain(as_group(self)->excs);
}

static bool set_readonly(VM *vm, Value self, Value v)
{
    (void)self;
    (void)v;
    ou_raise(vm, E_ATTRIBUTE, "readonly attribute");
    return false;
}

const GetSetDef ou_exc_group_getset[] = {
    {"message", get_message, set_readonly, "exception message"},
    {"exceptions", get_exceptions, set_readonly, "nested exceptions"},
    {0},
};

static Value group_derive(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a[2] = {as_group(args[0])->message, args[1]};
    return ou_exc_new(vm, ou_builtin(vm, E_BASE_EXCEPTION_GROUP), a, 2);
}

/* self.derive(excs) with traceback, context, cause and notes of self; takes the list. */
static Value derive(VM *vm, Value self, Value excs)
{
    if (excs == V_NULL)
        return V_NULL;
    Value g = ou_call_method_c(vm, self, "derive", &excs, 1);
    release(vm, excs);
    if (g == V_NULL)
        return V_NULL;
    if (!is_group(vm, g)) {
        ou_raise(vm, E_TYPE, "derive must return an instance of BaseExceptionGroup");
        release(vm, g);
        return V_NULL;
    }
    Exc *from = as_exc(self), *to = as_exc(g);
    set_owned(vm, &to->traceback, retain(from->traceback));
    set_owned(vm, &to->context, retain(from->context));
    set_owned(vm, &to->cause, retain(from->cause));
    to->suppress_context = true; /* CPython sets the cause, if there is none as well, and that does it */
    bool missing = false;
    Value notes = ou_getattr_opt(vm, self, name_of(vm, N_DU_notes), &missing);
    if (notes == V_NULL) {
        if (missing)
            return g;
        release(vm, g);
        return V_NULL;
    }
    bool ok = true;
    if (ou_type_of(vm, notes)->slots.getitem && !ou_is_a(vm, notes, T_DICT)) {
        Value copy = ou_list_from(vm, notes); /* each part may get notes of its own later */
        ok = copy != V_NULL && ou_setattr(vm, g, name_of(vm, N_DU_notes), copy);
        xrelease(vm, copy);
    }
    release(vm, notes);
    if (!ok) {
        release(vm, g);
        return V_NULL;
    }
    return g;
}

/* ---- splitting ------------------------------------------------------------------------------------------------------- */

typedef enum MatchKind { MATCH_TYPE, MATCH_CALL, MATCH_IDENTITY } MatchKind;
typedef struct Matcher {
    MatchKind kind;
    Value v; /* class or tuple of classes; callable; tuple of the leaves to keep */
} Matcher;

static int matches(VM *vm, const Matcher *m, Value exc)
{
    if (m->kind == MATCH_TYPE)
        return ou_exc_match(vm, exc, m->v);
    if (m->kind == MATCH_CALL) {
        Value r = ou_call1(vm, m->v, exc);
        if (r == V_NULL)
            return -1;
        int truth = ou_truth(vm, r);
        release(vm, r);
        return truth;
    }
    if (is_group(vm, exc))
        return 0;
    Tuple *keep = as_tuple(m->v);
    for (uint32_t i = 0; i < keep->n; i++) {
        if (keep->items[i] == exc)
            return 1;
    }
    return 0;
}

/* Splits exc. *match and *rest are owned or V_NONE; rest NULL: not wanted. */
static bool split(VM *vm, Value exc, const Matcher *m, Value *match, Value *rest)
{
    *match = V_NONE;
    if (rest)
        *rest = V_NONE;
    int whole = matches(vm, m, exc);
    if (whole < 0)
        return false;
    if (whole) {
        *match = retain(exc);
        return true;
    }
    if (!is_group(vm, exc)) {
        if (rest)
            *rest = retain(exc);
        return true;
    }
    if (ou_c_deep(vm)) {
        ou_raise_recursion(vm, " in exceptiongroup_split_recursive");
        return false;
    }
    vm->c_depth++;
    Value yes = ou_list_new(vm, 0), no = rest ? ou_list_new(vm, 0) : V_NONE;
    bool ok = yes != V_NULL && no != V_NULL;
    Tuple *excs = as_tuple(as_group(exc)->excs);
    for (uint32_t i = 0; ok && i < excs->n; i++) {
        Value a = V_NONE, b = V_NONE;
        ok = split(vm, excs->items[i], m, &a, rest ? &b : NULL);
        if (ok && a != V_NONE)
            ok = ou_list_append(vm, as_list(yes), a);
        if (ok && b != V_NONE)
            ok = ou_list_append(vm, as_list(no), b);
        release(vm, a);
        release(vm, b);
    }
    vm->c_depth--;
    if (ok && as_list(yes)->n) {
        *match = derive(vm, exc, retain(yes));
        ok = *match != V_NULL;
    }
    if (ok && rest && as_list(no)->n) {
        *rest = derive(vm, exc, retain(no));
        ok = *rest != V_NULL;
    }
    xrelease(vm, yes);
    xrelease(vm, no);
    if (!ok) {
        xrelease(vm, *match);
        *match = V_NONE;
        if (rest) {
            xrelease(vm, *rest);
            *rest = V_NONE;
        }
    }
    return ok;
}

static bool matcher_of(VM *vm, Value v, Matcher *out)
{
    out->v = v;
    out->kind = MATCH_TYPE;
    if (ou_is_exception_class(vm, v))
        return true;
    if (ou_is_a(vm, v, T_TUPLE)) {
        Tuple *t = as_tuple(v);
        uint32_t i = 0;
        while (i < t->n && ou_is_exception_class(vm, t->items[i]))
            i++;
        if (i == t->n)
            return true;
    } else if (!ou_is_a(vm, v, T_TYPE) && ou_type_of(vm, v)->slots.call) {
        out->kind = MATCH_CALL;
        return true;
    }
    ou_raise(vm, E_TYPE, "expected an exception type, a tuple of exception types, or a callable (other than a class)");
    return false;
}

static Value group_split(VM *vm, const Value *args, int n)
{
    (void)n;
    Matcher m;
    Value parts[2];
    if (!matcher_of(vm, args[1], &m) || !split(vm, args[0], &m, &parts[0], &parts[1]))
        return V_NULL;
    return ou_tuple_take(vm, parts, 2);
}

static Value group_subgroup(VM *vm, const Value *args, int n)
{
    (void)n;
    Matcher m;
    Value match;
    if (!matcher_of(vm, args[1], &m) || !split(vm, args[0], &m, &match, NULL))
        return V_NULL;
    return match;
}

static Value group_class_getitem(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a[2] = {args[0], args[1]};
    return ou_call(vm, v_of(ou_builtin(vm, T_GENERIC_ALIAS)), a, 2, NULL);
}

const NativeDef ou_exc_group_methods[] = {
    {"derive(object, /)", group_derive, NULL, 0},
    {"split(object, /)", group_split, NULL, 0},
    {"subgroup(object, /)", group_subgroup, NULL, 0},
    {"__class_getitem__(object, /)", group_class_getitem, "See PEP 585", ND_CLASS},
    {0},
};

/* ---- except* ------------------------------------------------------------------------------------------------------------ */

static int catches_group(VM *vm, Value cls)
{
    if (!ou_is_exception_class(vm, cls)) {
        ou_raise(vm, E_TYPE, "catching classes that do not inherit from BaseException is not allowed");
        return -1;
    }
    if (ou_is_subtype((Type *)v_obj(cls), ou_builtin(vm, E_BASE_EXCEPTION_GROUP))) {
        ou_raise(vm, E_TYPE, "catching ExceptionGroup with except* is not allowed. Use except instead.");
        return -1;
    }
    return 0;
}

bool ou_exc_split_star(VM *vm, Value exc, Value cls, Value *match, Value *rest)
{
    *match = *rest = V_NONE;
    if (ou_is_a(vm, cls, T_TUPLE)) {
        for (uint32_t i = 0; i < as_tuple(cls)->n; i++) {
            if (catches_group(vm, as_tuple(cls)->items[i]) < 0)
                return false;
        }
    } else if (catches_group(vm, cls) < 0) {
        return false;
    }
    if (exc == V_NONE)
        return true;
    int whole = ou_exc_match(vm, exc, cls);
    if (whole < 0)
        return false;
    if (whole) {
        if (is_group(vm, exc)) {
            *match = retain(exc);
            return true;
        }
        Value list = ou_tuple_of(vm, &exc, 1);
        if (list == V_NULL)
            return false;
        Value a[2] = {vm->empty_str, list};
        Value g = ou_exc_new(vm, ou_builtin(vm, E_BASE_EXCEPTION_GROUP), a, 2);
        release(vm, list);
        if (g == V_NULL)
            return false;
        set_owned(vm, &as_exc(g)->traceback, retain(as_exc(exc)->traceback));
        *match = g;
        return true;
    }
    if (!is_group(vm, exc)) {
        *rest = retain(exc);
        return true;
    }
    Value pair = ou_call_method_c(vm, exc, "split", &cls, 1);
    if (pair == V_NULL)
        return false;
    bool ok = false;
    if (!ou_is_a(vm, pair, T_TUPLE)) {
        ou_raise(vm, E_TYPE, "%T.split must return a tuple, not %T", exc, pair);
    } else if (as_tuple(pair)->n < 2) {
        ou_raise(vm, E_TYPE, "%T.split must return a 2-tuple, got tuple of size %d", exc, (int)as_tuple(pair)->n);
    } else {
        *match = retain(as_tuple(pair)->items[0]);
        *rest = retain(as_tuple(pair)->items[1]);
        ok = true;
    }
    release(vm, pair);
    return ok;
}

static Value notes_of(VM *vm, Value exc)
{
    bool missing = false;
    Value v = ou_getattr_opt(vm, exc, name_of(vm, N_DU_notes), &missing);
    if (v == V_NULL) {
        ou_exc_clear(vm);
        return V_NONE;
    }
    return v;
}

/* Was e made by splitting orig (then it is what nobody handled), or raised by a handler? */
static bool same_metadata(VM *vm, Value e, Value orig)
{
    if (!is_group(vm, e) || !is_group(vm, orig))
        return false;
    Exc *a = as_exc(e), *b = as_exc(orig);
    if (a->traceback != b->traceback || a->cause != b->cause || a->context != b->context)
        return false;
    Value x = notes_of(vm, e), y = notes_of(vm, orig);
    int eq = x == y ? 1 : ou_eq(vm, x, y); /* a split group has a copy of the list */
    if (eq < 0)
        ou_exc_clear(vm);
    release(vm, x);
    release(vm, y);
    return eq == 1;
}

static bool collect_leaves(VM *vm, Value exc, List *out)
{
    if (!is_group(vm, exc))
        return ou_list_append(vm, out, exc);
    Tuple *excs = as_tuple(as_group(exc)->excs);
    for (uint32_t i = 0; i < excs->n; i++) {
        if (!collect_leaves(vm, excs->items[i], out))
            return false;
    }
    return true;
}

/* The part of orig whose leaves are those of the groups in `keep`: the parts come together again in orig's structure. */
static Value project(VM *vm, Value orig, Value keep)
{
    Value leaves = ou_list_new(vm, 0), result = V_NULL;
    if (leaves == V_NULL)
        return V_NULL;
    bool ok = true;
    for (uint32_t i = 0; ok && i < as_list(keep)->n; i++)
        ok = collect_leaves(vm, as_list(keep)->items[i], as_list(leaves));
    if (ok) {
        Value tuple = ou_tuple_of(vm, as_list(leaves)->items, as_list(leaves)->n);
        if (tuple != V_NULL) {
            Matcher m = {MATCH_IDENTITY, tuple};
            if (!split(vm, orig, &m, &result, NULL))
                result = V_NULL;
            release(vm, tuple);
        }
    }
    release(vm, leaves);
    return result;
}

Value ou_exc_prep_reraise_star(VM *vm, Value orig, Value list)
{
    List *l = as_list(list);
    if (l->n == 0)
        return V_NONE;
    if (!is_group(vm, orig)) {
        /* A naked exception: at most one clause ran, so there is at most one thing to raise. */
        return retain(l->items[0]);
    }
    Value raised = ou_list_new(vm, 0), unhandled = ou_list_new(vm, 0), result = V_NULL;
    bool ok = raised != V_NULL && unhandled != V_NULL;
    for (uint32_t i = 0; ok && i < l->n; i++) {
        Value e = l->items[i];
        if (e != V_NONE)
            ok = ou_list_append(vm, as_list(same_metadata(vm, e, orig) ? unhandled : raised), e);
    }
    if (ok) {
        Value rest = as_list(unhandled)->n ? project(vm, orig, unhandled) : V_NONE;
        if (rest == V_NULL || as_list(raised)->n == 0) {
            result = rest;
        } else {
            ok = rest == V_NONE || ou_list_append(vm, as_list(raised), rest);
            release(vm, rest);
            if (ok && as_list(raised)->n == 1) {
                result = retain(as_list(raised)->items[0]);
            } else if (ok) {
                Value a[2] = {vm->empty_str, raised};
                result = ou_exc_new(vm, ou_builtin(vm, E_BASE_EXCEPTION_GROUP), a, 2);
            }
        }
    }
    xrelease(vm, raised);
    xrelease(vm, unhandled);
    return result;
}
