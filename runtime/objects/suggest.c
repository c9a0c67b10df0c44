/* "Did you mean": the near miss for NameError, AttributeError and ImportError. Entry point: ou_suggest.
 * The cost of an edit is CPython's: two for an insertion, a deletion or another character, one for a change of case; a candidate
 * must cost at most a third of the two lengths. */
#include "runtime/objects/containers.h"
#include "runtime/objects/errors_impl.h"
#include "runtime/objects/func.h"
#include "runtime/objects/import.h"
#include "runtime/objects/frozen.h"
#include "runtime/objects/state.h"
#include "vm/call.h"

enum { CANDIDATES_MAX = 750, LENGTH_MAX = 40, MOVE = 2, CASE = 1 };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static size_t substitution(char a, char b) { return a == b ? 0 : lower(a) == lower(b) ? CASE : MOVE; }

/* The edit distance, or max + 1 as soon as it must exceed max. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb, size_t max)
{
    while (na && nb && *a == *b) {
        a++, b++;
        na--, nb--;
    }
    while (na && nb && a[na - 1] == b[nb - 1])
        na--, nb--;
    if (na == 0 || nb == 0)
        return (na + nb) * MOVE;
    if (na > LENGTH_MAX || nb > LENGTH_MAX)
        return max + 1;
    if (nb < na) {
        const char *t = a;
        a = b;
        b = t;
        size_t n = na;
        na = nb;
        nb = n;
    }
    if ((nb - na) * MOVE > max)
        return max + 1;
    size_t row[LENGTH_MAX];
    for (size_t i = 0; i < na; i++)
        row[i] = (i + 1) * MOVE;
    size_t result = 0;
    for (size_t j = 0; j < nb; j++) {
        size_t diagonal = j * MOVE, least = SIZE_MAX;
        result = j * MOVE;
        for (size_t i = 0; i < na; i++) {
            size_t substitute = diagonal + substitution(a[i], b[j]);
            diagonal = row[i];
            size_t move = (result < row[i] ? result : row[i]) + MOVE;
            result = substitute < move ? substitute : move;
            row[i] = result;
            if (result < least)
                least = result;
        }
        if (least > max)
            return max + 1;
    }
    return result;
}

/* The best of the names; borrowed from the list, or V_NONE. */
static Value best_match(VM *vm, List *names, Str *wrong)
{
    if (names->n >= CANDIDATES_MAX || wrong->size > LENGTH_MAX)
        return V_NONE;
    Value best = V_NONE;
    size_t best_cost = SIZE_MAX;
    for (uint32_t i = 0; i < names->n; i++) {
        if (!ou_is_a(vm, names->items[i], T_STR))
            continue;
        Str *s = as_str(names->items[i]);
        if (ou_str_equal(s, wrong))
            continue;
        size_t max = (wrong->size + s->size + 3) * MOVE / 6;
        if (best_cost != SIZE_MAX && max > best_cost - 1)
            max = best_cost - 1;
        size_t cost = distance(wrong->data, wrong->size, s->data, s->size, max);
        if (cost <= max && cost < best_cost) {
            best = v_of(s);
            best_cost = cost;
            if (cost == 0)
                break;
        }
    }
    return best;
}

Str *ou_suggest_tuple(VM *vm, Str *wrong, Tuple *names, unsigned from, unsigned to)
{
    Value list = to > from ? ou_list_of(vm, names->items + from, to - from) : V_NULL;
    if (list == V_NULL) {
        ou_exc_clear(vm);
        return NULL;
    }
    Value best = best_match(vm, as_list(list), wrong);
    release(vm, list); /* names keeps the string */
    return best == V_NONE ? NULL : as_str(best);
}

void ou_unexpected_keyword(VM *vm, const char *who, int len, Value key, const Value *names, size_t n)
{
    Value known = ou_list_of(vm, names, n);
    Value best = known == V_NULL ? V_NONE : best_match(vm, as_list(known), as_str(key));
    ou_exc_clear(vm);
    if (best != V_NONE)
        ou_raise(vm, E_TYPE, "%.*s() got an unexpected keyword argument '%U'. Did you mean '%U'?", len, who, key, best);
    else
        ou_raise(vm, E_TYPE, "%.*s() got an unexpected keyword argument '%U'", len, who, key);
    xrelease(vm, known);
}

static bool add_tuple(VM *vm, List *l, Tuple *t)
{
    for (uint32_t i = 0; t && i < t->n; i++) {
        if (!ou_list_append(vm, l, t->items[i]))
            return false;
    }
    return true;
}

static bool add_keys(VM *vm, List *l, Dict *d)
{
    uint32_t pos = 0;
    Value key, v;
    while (d && ou_dict_next(d, &pos, &key, &v)) {
        if (!ou_list_append(vm, l, key))
            return false;
    }
    return true;
}

/* The innermost function that the exception passed. */
static Function *raiser(Value exc)
{
    Value v = as_exc(exc)->traceback;
    Function *f = NULL;
    for (; v != V_NONE && v != V_NULL; v = ((Traceback *)v_obj(v))->next)
        f = as_function(((Traceback *)v_obj(v))->func);
    return f;
}

/* The class whose method f is, found by f's qualified name; V_NULL: none. Frames are gone by now, so `self` itself is not at hand. */
static Value class_of_method(VM *vm, Function *f)
{
    if (f->code->nargs == 0 || !ou_str_eq_c(as_str(f->code->varnames->items[0]), "self"))
        return V_NULL;
    const char *p = f->qualname->data, *dot = strchr(p, '.');
    if (!dot || strrchr(p, '.') != dot)
        return V_NULL;
    Value name = ou_str_new(vm, p, (size_t)(dot - p));
    Value cls = name == V_NULL ? V_NULL : ou_dict_get(vm, f->globals, name);
    xrelease(vm, name);
    return cls != V_NULL && ou_is_a(vm, cls, T_TYPE) ? cls : V_NULL;
}

/* Does an instance have it, as far as the class tells: class attributes, and what its methods assign to self. */
static bool class_has(VM *vm, Value cls, Str *name)
{
    Str *s = ou_intern_str(vm, name);
    if (!s)
        return false;
    bool has = ou_type_lookup(vm, (Type *)v_obj(cls), s) != V_NULL;
    if (!has) {
        Dict *own = ((Type *)v_obj(cls))->ns; /* a lazy type has no such attribute */
        Value attrs = own ? ou_dict_get_str(vm, own, name_of(vm, N_DU_static_attributes)) : V_NULL;
        has = attrs != V_NULL && ou_contains(vm, attrs, v_of(s)) == 1;
    }
    obj_release(vm, s);
    return has;
}

/* What `self` is in the innermost frame, when the traceback entry has kept it; borrowed, V_NULL: not known. */
static Value raiser_self(Value exc)
{
    Value v = as_exc(exc)->traceback;
    Traceback *t = NULL;
    for (; v != V_NONE && v != V_NULL; v = t->next)
        t = (Traceback *)v_obj(v);
    const Frame *f = t && t->frame != V_NULL ? (Frame *)v_obj(t->frame) : NULL; /* then the frame has them */
    const Value *locals = f ? f->R : t ? t->locals : NULL;
    Code *c = locals ? as_function(t->func)->code : NULL;
    if (!c || c->nargs == 0 || !ou_str_eq_c(as_str(c->varnames->items[0]), "self"))
        return V_NULL;
    v = locals[0];
    if (is_exact(v, T_CELL))
        v = ((Cell *)v_obj(v))->v;
    return v == V_UNBOUND ? V_NULL : v;
}

static bool instance_has(VM *vm, Value self, Str *name)
{
    bool missing;
    retain(self);
    Value v = ou_getattr_opt(vm, self, name, &missing);
    release(vm, self);
    xrelease(vm, v);
    ou_exc_clear(vm);
    return v != V_NULL;
}

static Value suggest_name(VM *vm, Value exc, Str *wrong, bool frames)
{
    Function *f = frames ? raiser(exc) : NULL;
    if (!f)
        return V_NONE;
    Value self = raiser_self(exc), cls = self == V_NULL ? class_of_method(vm, f) : V_NULL;
    if (self != V_NULL ? instance_has(vm, self, wrong) : cls != V_NULL && class_has(vm, cls, wrong))
        return ou_str_format(vm, "self.%U", v_of(wrong));
    Value list = ou_list_new(vm, 64), best = V_NONE;
    if (list == V_NULL)
        return V_NONE;
    List *l = as_list(list);
    bool function = f->code->module_kind == CODE_FUNCTION;
    if ((!function || (add_tuple(vm, l, f->code->varnames) && add_tuple(vm, l, f->code->cellnames) &&
                       add_tuple(vm, l, f->code->freenames))) &&
        add_keys(vm, l, f->globals) && add_keys(vm, l, f->builtins))
        best = retain(best_match(vm, l, wrong));
    release(vm, list);
    return best;
}

/* dir(o) without the names that begin with an underscore, unless such a one was asked for. */
static Value suggest_from_dir(VM *vm, Value o, Str *wrong, bool hide)
{
    Value f = ou_lookup_special(vm, o, name_of(vm, N_DU_dir)), names = V_NULL, list = V_NULL, best = V_NONE;
    if (f != V_NULL) {
        names = ou_call0(vm, f);
        release(vm, f);
    }
    if (names != V_NULL)
        list = ou_list_from(vm, names);
    xrelease(vm, names);
    if (list == V_NULL)
        return V_NONE;
    List *l = as_list(list);
    if (ou_list_sort(vm, l, V_NONE, false)) {
        for (uint32_t i = l->n; hide && i > 0; i--) {
            if (ou_is_a(vm, l->items[i - 1], T_STR) && as_str(l->items[i - 1])->data[0] == '_')
                ou_list_remove_at(vm, l, i - 1);
        }
        best = retain(best_match(vm, l, wrong));
    }
    release(vm, list);
    return best;
}

static Value suggest(VM *vm, Value exc, bool frames)
{
    if (ou_is_a(vm, exc, E_NAME)) {
        Value name = ((ExcName *)v_obj(exc))->name;
        return name != V_NULL && is_str(name) ? suggest_name(vm, exc, as_str(name), frames) : V_NONE;
    }
    if (ou_is_a(vm, exc, E_ATTRIBUTE)) {
        ExcAttr *e = (ExcAttr *)v_obj(exc);
        if (e->name == V_NULL || e->obj == V_NULL || !is_str(e->name))
            return V_NONE;
        Function *f = frames ? raiser(exc) : NULL;
        Value self = f ? raiser_self(exc) : V_NULL, cls = f && self == V_NULL ? class_of_method(vm, f) : V_NULL;
        bool own = self != V_NULL ? self == e->obj : cls != V_NULL && ou_is_subtype(ou_type_of(vm, e->obj), (Type *)v_obj(cls));
        return suggest_from_dir(vm, e->obj, as_str(e->name), as_str(e->name)->data[0] != '_' && !own);
    }
    if (ou_is_a(vm, exc, E_IMPORT)) {
        ExcImport *e = (ExcImport *)v_obj(exc);
        if (e->name_from == V_NULL || !is_str(e->name_from) || e->name == V_NULL || !is_str(e->name))
            return V_NONE;
        Value m = ou_dict_get(vm, vm->modules, e->name);
        return m == V_NULL || m == V_NONE ? V_NONE : suggest_from_dir(vm, m, as_str(e->name_from), as_str(e->name_from)->data[0] != '_');
    }
    return V_NONE;
}

Value ou_suggest(VM *vm, Value exc, bool frames)
{
    Value s = suggest(vm, exc, frames);
    if (vm->exc != V_NULL)
        ou_exc_clear(vm);
    if (s == V_NULL || !(s == V_NONE || is_str(s))) {
        xrelease(vm, s);
        return V_NONE;
    }
    return s;
}

bool ou_suggest_is_module(VM *vm, Str *name)
{
    (void)vm;
    size_t len;
    return ou_native_module_find(name) >= 0 || (!strchr(name->data, '.') && ou_frozen_source(name->data, name->size, &len));
}
