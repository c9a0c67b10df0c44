/* match. Subjects and parts of subjects are hidden locals, so that a failed pattern has nothing to clean up: it jumps to the
 * next case. Captured names are bound when the whole pattern has matched; before the body the hidden locals are emptied. */
#include "vm/compile.h"

enum { UNPACK_MAX = 30 };

typedef struct Capture {
    Str *name;
    int reg;
} Capture;

typedef struct Match {
    Compiler *c;
    Capture *captures;
    uint32_t ncaptures, captures_cap;
    int *used; /* every hidden local that was written */
    uint32_t nused, used_cap;
    int *mine; /* those that the current case holds */
    uint32_t nmine, mine_cap;
    bool irrefutable_ok;
} Match;

static void pattern(Match *m, const Pattern *p, int subject, int fail);

static int note_hidden(Match *m, int r)
{
    if (m->nmine < m->mine_cap || (m->mine = ou_c_grow(m->c, m->mine, &m->mine_cap, sizeof(int))))
        m->mine[m->nmine++] = r;
    for (uint32_t i = 0; i < m->nused; i++)
        if (m->used[i] == r)
            return r;
    if (m->nused < m->used_cap || (m->used = ou_c_grow(m->c, m->used, &m->used_cap, sizeof(int))))
        m->used[m->nused++] = r;
    return r;
}

static int hidden(Match *m) { return note_hidden(m, ou_hidden(m->c)); }

/* For what is only kept until the whole pattern has matched. */
static int hidden_capture(Match *m) { return note_hidden(m, ou_hidden_any(m->c)); }

static void move_to(Compiler *c, int dst, int src)
{
    if (!is_far(dst) && !is_far(src)) {
        ou_move(c, dst, src);
        return;
    }
    int t = src;
    if (is_far(src)) {
        t = ou_push(c);
        ou_emit(c, OP_GETFAR, t, FAR_REG, 0, src - FAR0);
    }
    if (is_far(dst))
        ou_emit(c, OP_SETFAR, t, FAR_REG, 0, dst - FAR0);
    else
        ou_move(c, dst, t);
    if (t != src)
        c->unit->top--;
}

static void capture(Match *m, const AstStr *id, int reg, AstPos pos)
{
    Compiler *c = m->c;
    Str *name = cname(c, id);
    if (ou_forbidden(c, name, pos, CTX_Store))
        return;
    for (uint32_t i = 0; i < m->ncaptures; i++) {
        if (m->captures[i].name == name) {
            ou_c_error(c, pos, "multiple assignments to name '%Q' in pattern", name);
            return;
        }
    }
    if (m->ncaptures < m->captures_cap || (m->captures = ou_c_grow(c, m->captures, &m->captures_cap, sizeof(Capture))))
        m->captures[m->ncaptures++] = (Capture){name, reg};
}

static bool is_wildcard(const Pattern *p) { return p->kind == PATTERN_MatchAs && !p->MatchAs.name && !p->MatchAs.pattern; }
static bool is_star_wildcard(const Pattern *p) { return p->kind == PATTERN_MatchStar && !p->MatchStar.name; }
static bool only_captures(const Pattern *p) { return p->kind == PATTERN_MatchStar || (p->kind == PATTERN_MatchAs && !p->MatchAs.pattern); }

/* The part of a subject that stands in the temporary t meets its pattern. */
static void part(Match *m, const Pattern *p, int t, int *to)
{
    if (is_wildcard(p) || is_star_wildcard(p)) {
        ou_drop(m->c, t);
        *to = NONE;
        return;
    }
    *to = only_captures(p) ? hidden_capture(m) : hidden(m);
    move_to(m->c, *to, t);
}

static void sub_pattern(Match *m, const Pattern *p, int reg, int fail)
{
    if (reg == NONE)
        return;
    bool old = m->irrefutable_ok;
    m->irrefutable_ok = true;
    if (p->kind == PATTERN_MatchStar)
        capture(m, p->MatchStar.name, reg, p->pos);
    else
        pattern(m, p, reg, fail);
    m->irrefutable_ok = old;
}

static bool is_captured(const Match *m, uint32_t ncaptures, int reg)
{
    for (uint32_t k = ncaptures; k < m->ncaptures; k++)
        if (m->captures[k].reg == reg)
            return true;
    return false;
}

/* What a sub-pattern has hidden since `from` may be used again, but for what names are to be bound to. */
static void give_back(Match *m, uint32_t from, uint32_t ncaptures)
{
    for (uint32_t k = ncaptures; k < m->ncaptures && ou_hidden_crowded(m->c); k++) {
        if (is_far(m->captures[k].reg))
            continue;
        int r = hidden_capture(m);
        move_to(m->c, r, m->captures[k].reg);
        m->captures[k].reg = r;
    }
    uint32_t n = from;
    for (uint32_t k = from; k < m->nmine; k++) {
        if (is_captured(m, ncaptures, m->mine[k]))
            m->mine[n++] = m->mine[k];
        else
            ou_hidden_done(m->c, m->mine[k]);
    }
    m->nmine = n;
}

/* The same with the items in an object of their own, for more of them than there are registers. */
static void unpack_far(Match *m, const Pattern *const *ps, uint32_t n, int star, int from, int fail)
{
    Compiler *c = m->c;
    int far = hidden(m), t = ou_push(c);
    ou_emit(c, OP_MOVE_T, t, from, 0, 0);
    ou_emit(c, OP_UNPACKFAR, t, star < 0 ? 0 : star, star >= 0, (int32_t)n - (star < 0 ? 0 : star + 1));
    ou_move(c, far, t);
    c->unit->top--;
    for (uint32_t i = 0; i < n && !c->failed; i++) {
        if (is_wildcard(ps[i]) || is_star_wildcard(ps[i]))
            continue;
        uint32_t mine = m->nmine, ncaptures = m->ncaptures;
        int reg;
        t = ou_push(c);
        ou_emit(c, OP_TAKEFAR, t, far, 0, (int32_t)i);
        part(m, ps[i], t, &reg);
        c->unit->top--;
        sub_pattern(m, ps[i], reg, fail);
        give_back(m, mine, ncaptures);
    }
}

/* UNPACK of a copy of `from` (a tuple or the subject) and the patterns of its items. */
static void unpack_parts(Match *m, const Pattern *const *ps, uint32_t n, int star, int from, int fail)
{
    Compiler *c = m->c;
    if (n > UNPACK_MAX) {
        unpack_far(m, ps, n, star, from, fail);
        return;
    }
    int *regs = ou_c_alloc(c, sizeof(int) * (n + 1));
    if (!regs)
        return;
    int base = c->unit->top, t = ou_push(c);
    ou_emit(c, OP_MOVE_T, t, from, 0, 0);
    if (star < 0)
        ou_emit(c, OP_UNPACK, t, 0, (int)n, 0);
    else
        ou_emit(c, OP_UNPACKEX, t, star, (int)n - star - 1, 0);
    for (uint32_t i = 1; i < n; i++)
        ou_push(c);
    for (uint32_t i = 0; i < n; i++)
        part(m, ps[i], t + (int)i, &regs[i]);
    c->unit->top = base;
    for (uint32_t i = 0; i < n && !c->failed; i++) {
        uint32_t mine = m->nmine, ncaptures = m->ncaptures;
        sub_pattern(m, ps[i], regs[i], fail);
        give_back(m, mine, ncaptures);
    }
}

static void jump_unless_len(Compiler *c, int subject, uint32_t n, bool exact, int fail)
{
    int t = ou_push(c);
    ou_emit(c, OP_MATCHLEN, t, subject, 0, 0);
    ou_emit(c, exact ? OP_JNEQI : OP_JNGEI, t, (int)(n & 0xFF), (int)(n >> 8), fail);
    c->unit->top--;
}

static void jump_unless(Compiler *c, OpCode test, int subject, int fail)
{
    int t = ou_push(c);
    ou_emit(c, test, t, subject, 0, 0);
    ou_emit(c, OP_JUMPF, t, 0, 0, fail);
    c->unit->top--;
}

static void sequence(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    const PatternSeq *s = &p->MatchSequence.patterns;
    int star = -1;
    bool only_wild = true, star_wild = false;
    for (uint32_t i = 0; i < s->n; i++) {
        const Pattern *x = s->items[i];
        if (x->kind == PATTERN_MatchStar) {
            if (star >= 0) {
                ou_c_error(c, p->pos, "multiple starred names in sequence pattern");
                return;
            }
            star = (int)i;
            star_wild = is_star_wildcard(x);
            only_wild &= star_wild;
        } else {
            only_wild &= is_wildcard(x);
        }
    }
    if (star > 255) {
        ou_c_error(c, p->pos, "too many expressions in star-unpacking sequence pattern");
        return;
    }
    jump_unless(c, OP_MATCHSEQ, subject, fail);
    if (star < 0)
        jump_unless_len(c, subject, s->n, true, fail);
    else if (s->n > 1)
        jump_unless_len(c, subject, s->n - 1, false, fail);
    const Pattern *const *ps = (const Pattern *const *)s->items;
    if (only_wild)
        return;
    if (!star_wild) {
        unpack_parts(m, ps, s->n, star, subject, fail);
        return;
    }
    for (uint32_t i = 0; i < s->n && !c->failed; i++) { /* the items by index: the middle is never looked at */
        if ((int)i == star || is_wildcard(ps[i]))
            continue;
        uint32_t mine = m->nmine, ncaptures = m->ncaptures;
        int reg, t = ou_push(c);
        if ((int)i < star) {
            ou_load_const(c, v_smallint(i), t);
        } else {
            ou_emit(c, OP_MATCHLEN, t, subject, 0, 0);
            ou_emit(c, OP_SUBI, t, t, 0, (int32_t)(s->n - i));
        }
        ou_emit(c, OP_GETITEM, t, subject, t, 0);
        part(m, ps[i], t, &reg);
        c->unit->top--;
        sub_pattern(m, ps[i], reg, fail);
        give_back(m, mine, ncaptures);
    }
}

static bool check_keys(Compiler *c, const Pattern *p, const ExprSeq *keys)
{
    VM *vm = c->vm;
    Value seen = ou_dict_new(vm);
    c->failed |= seen == V_NULL;
    for (uint32_t i = 0; i < keys->n && !c->failed; i++) {
        Value v = ou_fold(c, keys->items[i]);
        if (v == V_NULL) {
            if (keys->items[i]->kind != EXPR_Attribute)
                ou_c_error(c, p->pos, "mapping pattern keys may only match literals and attribute lookups");
        } else if (ou_dict_get(vm, as_dict(seen), v) != V_NULL) {
            ou_c_error(c, p->pos, "mapping pattern checks duplicate key (%R)", v);
        } else {
            c->failed |= vm->exc != V_NULL || !ou_dict_set(vm, as_dict(seen), v, V_NONE);
        }
        xrelease(vm, v);
    }
    xrelease(vm, seen);
    return !c->failed;
}

static void mapping(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    const ExprSeq *keys = &p->MatchMapping.keys;
    if (!check_keys(c, p, keys))
        return;
    jump_unless(c, OP_MATCHMAP, subject, fail);
    if (!keys->n && !p->MatchMapping.rest)
        return;
    if (keys->n)
        jump_unless_len(c, subject, keys->n, false, fail);
    int base = c->unit->top, names = hidden(m), values = NONE;
    ou_build(c, keys, OP_MKTUPLE, names);
    c->unit->top = base;
    if (keys->n) {
        values = hidden(m);
        ou_emit(c, OP_MATCHKEYS, values, subject, names, 0);
        ou_emit(c, OP_JNONE, values, 0, 1, fail);
    }
    if (p->MatchMapping.rest) {
        int rest = hidden(m);
        ou_emit(c, OP_MATCHREST, rest, subject, names, 0);
        if (keys->n)
            unpack_parts(m, (const Pattern *const *)p->MatchMapping.patterns.items, keys->n, -1, values, fail);
        capture(m, p->MatchMapping.rest, rest, p->pos);
    } else {
        unpack_parts(m, (const Pattern *const *)p->MatchMapping.patterns.items, keys->n, -1, values, fail);
    }
}

static void class_pattern(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    const IdSeq *attrs = &p->MatchClass.kwd_attrs;
    uint32_t npos = p->MatchClass.patterns.n, n = npos + attrs->n;
    for (uint32_t i = 0; i < attrs->n; i++) {
        const Pattern *at = p->MatchClass.kwd_patterns.items[i];
        if (ou_forbidden(c, ou_c_name(c, attrs->items[i]), at->pos, CTX_Store))
            return;
        for (uint32_t k = i + 1; k < attrs->n; k++) {
            if (attrs->items[k] == attrs->items[i]) {
                ou_c_error(c, p->MatchClass.kwd_patterns.items[k]->pos, "attribute name repeated in class pattern: %Q",
                           ou_c_name(c, attrs->items[i]));
                return;
            }
        }
    }
    Value names = ou_tuple_new(c->vm, attrs->n);
    for (uint32_t i = 0; i < attrs->n && names != V_NULL; i++)
        as_tuple(names)->items[i] = retain(v_of(ou_c_name(c, attrs->items[i]))); /* not mangled */
    int base = c->unit->top, t = ou_temp(c, p->MatchClass.cls), values = hidden(m);
    ou_load_const(c, names, NONE);
    c->loc = p->pos;
    ou_emit(c, OP_MATCHCLASS, values, subject, t, (int32_t)npos);
    c->unit->top = base;
    ou_emit(c, OP_JNONE, values, 0, 1, fail);
    const Pattern **ps = ou_c_alloc(c, sizeof(Pattern *) * (n + 1));
    if (!ps || !n)
        return;
    for (uint32_t i = 0; i < n; i++)
        ps[i] = i < npos ? p->MatchClass.patterns.items[i] : p->MatchClass.kwd_patterns.items[i - npos];
    unpack_parts(m, (const Pattern *const *)ps, n, -1, values, fail);
}

static void value_pattern(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    int64_t imm;
    int base = c->unit->top;
    if (ou_fold_small(c, p->MatchValue.value, INT16_MIN, INT16_MAX, &imm)) {
        ou_emit(c, OP_JNEQI, subject, (int)(imm & 0xFF), (int)(imm >> 8 & 0xFF), fail);
        return;
    }
    int kind = p->MatchValue.value->kind;
    if (kind == EXPR_JoinedStr || kind == EXPR_FormattedValue)
        ou_c_error(c, p->pos, "patterns may only match literals and attribute lookups");
    int r = ou_operand(c, p->MatchValue.value);
    c->loc = p->pos;
    ou_emit(c, OP_JEQ, subject, r, 0, fail);
    c->unit->top = base;
}

static void singleton(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    if (p->MatchSingleton.value.kind == CONST_NONE) {
        ou_emit(c, OP_JNONE, subject, 0, 0, fail);
        return;
    }
    int t = ou_load_imm(c, p->MatchSingleton.value.kind == CONST_TRUE ? V_TRUE : V_FALSE, NONE);
    ou_emit(c, OP_JIS, subject, t, 0, fail);
    c->unit->top--;
}

/* All alternatives bind the same names, each in registers of its own: they are moved to common ones. */
static void alternatives(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    const PatternSeq *s = &p->MatchOr.patterns;
    int done = ou_label(c);
    bool ok = m->irrefutable_ok;
    Capture *outer = m->captures, *common = NULL;
    uint32_t nouter = m->ncaptures, outer_cap = m->captures_cap, ncommon = 0;
    for (uint32_t i = 0; i < s->n && !c->failed; i++) {
        bool last = i + 1 == s->n;
        int next = last ? fail : ou_label(c);
        m->captures = NULL;
        m->ncaptures = m->captures_cap = 0;
        m->irrefutable_ok = last && ok;
        pattern(m, s->items[i], subject, next);
        if (i == 0) {
            ncommon = m->ncaptures;
            common = ou_c_alloc(c, sizeof(Capture) * (ncommon + 1));
            for (uint32_t k = 0; common && k < ncommon; k++)
                common[k] = (Capture){m->captures[k].name, hidden_capture(m)};
        } else if (m->ncaptures != ncommon) {
            ou_c_error(c, p->pos, "alternative patterns bind different names");
        }
        for (uint32_t k = 0; k < ncommon && !c->failed; k++) {
            uint32_t j = 0;
            while (j < m->ncaptures && m->captures[j].name != common[k].name)
                j++;
            if (j == m->ncaptures)
                ou_c_error(c, p->pos, "alternative patterns bind different names");
            else
                move_to(c, common[k].reg, m->captures[j].reg);
        }
        if (!last) {
            ou_jump(c, done);
            ou_place(c, next);
        }
    }
    ou_place(c, done);
    m->irrefutable_ok = ok;
    m->captures = outer;
    m->ncaptures = nouter;
    m->captures_cap = outer_cap;
    for (uint32_t k = 0; k < ncommon && !c->failed; k++) {
        for (uint32_t j = 0; j < m->ncaptures; j++)
            if (m->captures[j].name == common[k].name)
                ou_c_error(c, p->pos, "multiple assignments to name '%Q' in pattern", common[k].name);
        if (m->ncaptures < m->captures_cap || (m->captures = ou_c_grow(c, m->captures, &m->captures_cap, sizeof(Capture))))
            m->captures[m->ncaptures++] = common[k];
    }
}

static void as_pattern(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    if (!p->MatchAs.pattern && !m->irrefutable_ok) {
        if (p->MatchAs.name)
            ou_c_error(c, p->pos, "name capture '%Q' makes remaining patterns unreachable", ou_c_name(c, p->MatchAs.name));
        else
            ou_c_error(c, p->pos, "wildcard makes remaining patterns unreachable");
        return;
    }
    if (p->MatchAs.pattern)
        pattern(m, p->MatchAs.pattern, subject, fail);
    if (p->MatchAs.name)
        capture(m, p->MatchAs.name, subject, p->pos);
}

static void pattern(Match *m, const Pattern *p, int subject, int fail)
{
    Compiler *c = m->c;
    if (c->failed || !ou_c_enter(c))
        return;
    c->loc = p->pos;
    switch (p->kind) {
    case PATTERN_MatchValue: value_pattern(m, p, subject, fail); break;
    case PATTERN_MatchSingleton: singleton(m, p, subject, fail); break;
    case PATTERN_MatchSequence: sequence(m, p, subject, fail); break;
    case PATTERN_MatchMapping: mapping(m, p, subject, fail); break;
    case PATTERN_MatchClass: class_pattern(m, p, subject, fail); break;
    case PATTERN_MatchAs: as_pattern(m, p, subject, fail); break;
    case PATTERN_MatchOr: alternatives(m, p, subject, fail); break;
    default: break;
    }
    c->depth--;
}

static void empty_hidden(Match *m)
{
    for (uint32_t i = 0; i < m->nused; i++)
        ou_empty(m->c, m->used[i]);
}

void ou_match(Compiler *c, const Stmt *s)
{
    Match m = {.c = c};
    int end = ou_label(c), subject = hidden(&m);
    m.nmine = 0;
    ou_expr(c, s->Match.subject, subject);
    for (uint32_t i = 0; i < s->Match.cases.n && !c->failed; i++) {
        const MatchCase *k = s->Match.cases.items[i];
        int next = ou_label(c);
        m.ncaptures = 0;
        m.irrefutable_ok = k->guard || i + 1 == s->Match.cases.n;
        pattern(&m, k->pattern, subject, next);
        c->loc = k->pattern->pos;
        for (uint32_t n = 0; n < m.ncaptures; n++)
            ou_store_name(c, m.captures[n].name, m.captures[n].reg);
        if (k->guard)
            ou_cond(c, k->guard, next, false);
        empty_hidden(&m);
        for (uint32_t n = m.nmine; n-- > 0;) /* only the subject is needed by the next case */
            ou_hidden_done(c, m.mine[n]);
        m.nmine = 0;
        ou_stmts(c, &k->body);
        c->loc = k->pattern->pos;
        ou_jump(c, end);
        ou_place(c, next);
    }
    empty_hidden(&m);
    ou_place(c, end);
    ou_hidden_done(c, subject);
}
