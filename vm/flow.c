/* Data flow over the instructions of a unit, in one pass in their order: which are reached, which temporaries hold a value
 * where (the `live` table), and, in further passes, which locals are surely bound (their CHECKs go). Every label's state is
 * known before its code: loops are entered at the top, handlers stand behind what they cover. A state that does not fit is
 * a fault of the compiler and reported as SystemError. */
#include "vm/code.h"

#include "vm/compile.h"

typedef struct Flow {
    Compiler *c;
    Unit *u;
    int32_t *head, *next;    /* labels by the instruction they stand before */
    uint32_t **state;        /* per label: an id per temporary, 0 = dead; NULL: not reached yet */
    uint32_t *cur;
    uint32_t *open;          /* per temporary: where its current run of instructions begins */
    uint32_t *parent;        /* union-find over ids */
    uint32_t nids, ids_cap;
    FlowLive *live;
    uint32_t nlive, live_cap;
    bool *spilled;           /* per far entry: a temporary has been put away there */
    bool reached;
} Flow;

static void fault(Flow *f, uint32_t i, const char *what, int reg)
{
    if (f->c->failed)
        return;
    f->c->failed = true;
    ou_raise(f->c->vm, E_SYSTEM, "compiler: %s (%s, register %d, instruction %d of %Q, line %d)", what,
             ou_op_info[f->u->ir[i < f->u->nir ? i : f->u->nir - 1].op].name, reg, (int)i, f->u->qualname,
             (int)f->u->ir[i < f->u->nir ? i : f->u->nir - 1].loc.line);
}

static uint32_t root_of(Flow *f, uint32_t id)
{
    while (f->parent[id] != id)
        id = f->parent[id] = f->parent[f->parent[id]];
    return id;
}

static uint32_t new_id(Flow *f)
{
    if (f->nids == f->ids_cap && !(f->parent = ou_c_grow(f->c, f->parent, &f->ids_cap, sizeof(uint32_t))))
        return 0;
    f->parent[f->nids] = f->nids;
    return f->nids++;
}

static void close_run(Flow *f, int k, uint32_t end)
{
    if (f->open[k] >= end)
        return;
    if (f->nlive == f->live_cap && !(f->live = ou_c_grow(f->c, f->live, &f->live_cap, sizeof(FlowLive))))
        return;
    f->live[f->nlive++] = (FlowLive){f->open[k], end, f->cur[k], (int16_t)k};
}

static void save(Flow *f, uint32_t i, int label, int below, int extra)
{
    if (f->c->failed)
        return;
    int n = f->u->max_top;
    uint32_t *s = f->state[label];
    if (!s) {
        s = ou_c_alloc(f->c, sizeof(uint32_t) * (size_t)(n + 1));
        if (!s)
            return;
        memcpy(s, f->cur, sizeof(uint32_t) * (size_t)below);
        if (extra >= 0)
            s[extra] = new_id(f);
        f->state[label] = s;
        return;
    }
    for (int k = 0; k < n; k++) {
        if (k == extra)
            continue;
        uint32_t mine = k < below ? f->cur[k] : 0;
        if (!mine != !s[k]) {
            fault(f, i, mine ? "a temporary lives on one of two ways only" : "a temporary is missing on one of two ways", k);
            return;
        }
        if (mine)
            f->parent[root_of(f, mine)] = root_of(f, s[k]);
    }
}

static void define(Flow *f, uint32_t i, int r)
{
    if (!is_temp(r) || f->c->failed)
        return;
    int k = r - TEMP0;
    if (f->cur[k]) {
        fault(f, i, "a live temporary is overwritten", k);
        return;
    }
    f->cur[k] = new_id(f);
    f->open[k] = i + 1;
}

static void spend(Flow *f, uint32_t i, int r, bool check_only)
{
    if (!is_temp(r) || f->c->failed)
        return;
    int k = r - TEMP0;
    if (!f->cur[k]) {
        fault(f, i, "a temporary is read that holds nothing", k);
        return;
    }
    if (check_only)
        return;
    close_run(f, k, i);
    f->cur[k] = 0;
}

static void enter_labels(Flow *f, uint32_t i)
{
    for (int32_t l = f->head[i]; l >= 0; l = f->next[l]) {
        if (f->reached) {
            save(f, i, l, f->u->max_top, -1);
        } else if (f->state[l]) {
            memcpy(f->cur, f->state[l], sizeof(uint32_t) * (size_t)f->u->max_top);
            for (int k = 0; k < f->u->max_top; k++)
                f->open[k] = i;
            f->reached = true;
        }
    }
    for (int32_t l = f->head[i]; l >= 0 && f->reached; l = f->next[l])
        if (!f->state[l])
            save(f, i, l, f->u->max_top, -1);
}

static void step(Flow *f, uint32_t i)
{
    Unit *u = f->u;
    Ir *x = &u->ir[i];
    if (x->handler >= 0) {
        IrHandler *h = &u->handlers[x->handler];
        int k = h->reg - TEMP0;
        save(f, i, h->label, k, k);
    }
    if (x->dead) /* the first instruction: there are no far locals */
        return;
    if (x->op == OP_SETFAR && x->c == SPILL)
        f->spilled[x->d] = f->cur[x->a - TEMP0] != 0;
    if ((x->op == OP_SETFAR || x->op == OP_TAKEFAR) && x->c == SPILL && !f->spilled[x->d]) {
        x->dead = true;
        return;
    }
    Effect e;
    ou_effect(x->op, x->a, x->b, x->c, x->d, &e);
    for (int k = 0; k < e.nkeep; k++)
        spend(f, i, e.keep[k], true);
    for (int k = 0; k < e.nuse; k++)
        spend(f, i, e.use[k], false);
    for (int k = 0; k < e.run_n; k++)
        spend(f, i, e.run_from + k, false);
    for (int k = 0; k < e.ndef; k++)
        define(f, i, e.def[k]);
    for (int k = 0; k < e.def_n; k++)
        define(f, i, e.def_from + k);
    if (e.jumps) {
        int k = e.jump_use >= 0 && is_temp(e.jump_use) ? e.jump_use - TEMP0 : -1;
        uint32_t old = k >= 0 ? f->cur[k] : 0;
        if (k >= 0)
            f->cur[k] = 0;
        int32_t at = u->labels[x->d];
        if (at >= 0 && (uint32_t)at <= i && !f->state[x->d])
            fault(f, i, "a jump back to code that is not reached", 0);
        else
            save(f, i, x->d, u->max_top, -1);
        if (k >= 0)
            f->cur[k] = old;
    }
    if (e.fall_use >= 0)
        spend(f, i, e.fall_use, false);
    if (e.fall_def >= 0)
        define(f, i, e.fall_def);
    if (e.ends) {
        for (int k = 0; k < u->max_top; k++) {
            if (!f->cur[k])
                continue;
            if (x->op == OP_RETURN || x->op == OP_RETURNP)
                fault(f, i, "a temporary is left behind at a return", k);
            close_run(f, k, i + 1);
            f->cur[k] = 0;
        }
        f->reached = false;
    }
}

/* ---- locals that are bound for sure ---------------------------------------------------------------------------------- */

typedef struct Bits {
    uint64_t w[4];
} Bits;

static bool meet(Bits *into, const Bits *b)
{
    bool changed = false;
    for (int i = 0; i < 4; i++) {
        uint64_t n = into->w[i] & b->w[i];
        changed |= n != into->w[i];
        into->w[i] = n;
    }
    return changed;
}

static void set_bit(Bits *b, int r, bool on)
{
    if (r < 0 || r >= 256)
        return;
    if (on)
        b->w[r >> 6] |= UINT64_C(1) << (r & 63);
    else
        b->w[r >> 6] &= ~(UINT64_C(1) << (r & 63));
}

static bool bound_pass(Flow *f, Bits *at_label, bool *known, bool final)
{
    Unit *u = f->u;
    Bits cur = {{0}};
    int nparams = u->nargs + u->nkwonly + (u->flags & CO_VARARGS ? 1 : 0) + (u->flags & CO_VARKEYWORDS ? 1 : 0);
    for (int r = 0; r < nparams - u->nfarparams; r++)
        set_bit(&cur, r, true);
    bool changed = false, reached = true;
    for (uint32_t i = 0; i < u->nir; i++) {
        Ir *x = &u->ir[i];
        for (int32_t l = f->head[i]; l >= 0; l = f->next[l]) {
            if (reached) {
                changed |= meet(&at_label[l], &cur) || !known[l];
                known[l] = true;
            } else if (known[l]) {
                cur = at_label[l];
                reached = true;
            }
        }
        for (int32_t l = f->head[i]; l >= 0; l = f->next[l]) /* all labels of one place are one label */
            if (reached && known[l])
                meet(&cur, &at_label[l]);
        if (x->dead || !reached)
            continue;
        if (x->handler >= 0) {
            int l = u->handlers[x->handler].label;
            changed |= meet(&at_label[l], &cur) || !known[l];
            known[l] = true;
        }
        if (x->op == OP_CHECK) {
            if (final && x->a < 256 && (cur.w[x->a >> 6] >> (x->a & 63) & 1))
                x->dead = true;
            set_bit(&cur, x->a, true);
            continue;
        }
        Effect e;
        ou_effect(x->op, x->a, x->b, x->c, x->d, &e);
        if (e.jumps) {
            changed |= meet(&at_label[x->d], &cur) || !known[x->d];
            known[x->d] = true;
        }
        for (int k = 0; k < e.ndef; k++)
            set_bit(&cur, e.def[k], true);
        if (e.fall_def >= 0)
            set_bit(&cur, e.fall_def, true);
        if (x->op == OP_DELLOCAL || (x->op == OP_LOADP && (uint64_t)(uint32_t)x->d == V_UNBOUND))
            set_bit(&cur, x->a, false);
        if (x->op == OP_MKCELL)
            set_bit(&cur, x->a, true);
        if (e.ends)
            reached = false;
    }
    return changed;
}

static void drop_checks(Flow *f)
{
    Unit *u = f->u;
    bool any = false;
    for (uint32_t i = 0; i < u->nir && !any; i++)
        any = u->ir[i].op == OP_CHECK && !u->ir[i].dead;
    if (!any)
        return;
    Bits *at = ou_c_alloc(f->c, sizeof(Bits) * (u->nlabels + 1));
    bool *known = ou_c_alloc(f->c, u->nlabels + 1);
    if (!at || !known)
        return;
    memset(at, 0xFF, sizeof(Bits) * (u->nlabels + 1));
    while (bound_pass(f, at, known, false))
        ;
    bound_pass(f, at, known, true);
}

/* A jump to an unconditional jump goes where that one goes. */
static void thread_jumps(Unit *u)
{
    for (uint32_t i = 0; i < u->nir; i++) {
        Ir *x = &u->ir[i];
        if (ou_op_info[x->op].operands[3] != 'j' || x->op == OP_LOOP)
            continue;
        for (int n = 0; n < 8; n++) {
            int32_t t = u->labels[x->d];
            if (t < 0 || (uint32_t)t >= u->nir)
                break;
            if (u->ir[t].op == OP_JUMP) {
                x->d = u->ir[t].d;
            } else if (u->ir[t].op == OP_LOOP && x->op == OP_JUMP) {
                x->d = u->ir[t].d;
                if (u->labels[x->d] <= (int32_t)i) /* else the loop is ahead, one of a single instruction */
                    x->op = OP_LOOP;
                break;
            } else {
                break;
            }
        }
    }
}

bool ou_flow(Compiler *c, Unit *u, FlowLive **live, uint32_t *nlive)
{
    Flow f = {.c = c, .u = u, .reached = true};
    thread_jumps(u);
    f.head = ou_c_alloc(c, sizeof(int32_t) * (u->nir + 1));
    f.next = ou_c_alloc(c, sizeof(int32_t) * (u->nlabels + 1));
    f.state = ou_c_alloc(c, sizeof(uint32_t *) * (u->nlabels + 1));
    f.cur = ou_c_alloc(c, sizeof(uint32_t) * (size_t)(u->max_top + 1));
    f.open = ou_c_alloc(c, sizeof(uint32_t) * (size_t)(u->max_top + 1));
    f.spilled = ou_c_alloc(c, (size_t)u->nfar + 1);
    if (c->failed)
        return false;
    new_id(&f); /* 0 means dead */
    for (uint32_t i = 0; i <= u->nir; i++)
        f.head[i] = -1;
    for (uint32_t l = 0; l < u->nlabels; l++) {
        int32_t at = u->labels[l];
        if (at < 0)
            continue;
        f.next[l] = f.head[at];
        f.head[at] = (int32_t)l;
    }
    for (uint32_t i = 0; i < u->nir && !c->failed; i++) {
        enter_labels(&f, i);
        if (!f.reached)
            u->ir[i].dead = true;
        else
            step(&f, i);
    }
    if (!c->failed && f.reached)
        fault(&f, u->nir, "control runs off the end", 0);
    if (!c->failed)
        drop_checks(&f);
    for (uint32_t i = 0; i < f.nlive && !c->failed; i++)
        f.live[i].id = root_of(&f, f.live[i].id);
    *live = f.live;
    *nlive = f.nlive;
    return !c->failed;
}
