/* A Code as bytes and back, for bytecode that is frozen into the library: ou_code_dump, ou_code_load.
 * The bodies of functions are read when they are needed (ou_code_thaw): most of a module's are not.
 * Good within one build only (opcodes and layouts may differ in the next), so the text begins with a number that changes with
 * opcodes.def; a mismatch is no error, the loader says V_NULL without an exception and the caller compiles the source.
 * Numbers are varints of seven bits a byte; source spans are stored as differences, because most instructions share them. */
#include "runtime/objects/bytes.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"
#include "vm/code.h"

enum { TAG_NONE, TAG_TRUE, TAG_FALSE, TAG_ELLIPSIS, TAG_INT, TAG_BIGINT, TAG_FLOAT, TAG_COMPLEX, TAG_STR, TAG_NAME, TAG_BYTES,
       TAG_TUPLE, TAG_FROZENSET, TAG_CODE };

/* Changes when an instruction is added, removed, renamed or reordered. */
static uint32_t format_id(void)
{
    uint32_t h = 2166136261u ^ (uint32_t)sizeof(Code);
    for (int op = 0; op < OP_COMPILER_END; op++) {
        for (const char *p = ou_op_info[op].name; *p; p++)
            h = (h ^ (uint8_t)*p) * 16777619u;
        h = (h ^ ou_op_info[op].words) * 16777619u;
    }
    return h;
}

/* ---- out ------------------------------------------------------------------------------------------------------------- */

static void put_u(StrBuf *b, uint64_t u)
{
    while (u >= 0x80) {
        ou_sb_putc(b, (char)(u | 0x80));
        u >>= 7;
    }
    ou_sb_putc(b, (char)u);
}

static void put_i(StrBuf *b, int64_t i) { put_u(b, (uint64_t)i << 1 ^ (uint64_t)(i >> 63)); }

static void put_text(StrBuf *b, const void *p, size_t n)
{
    put_u(b, n);
    ou_sb_put(b, p, n);
}

static bool dump_code(VM *vm, StrBuf *b, Code *k);

static bool dump_items(VM *vm, StrBuf *b, const Value *items, size_t n);

static bool dump_value(VM *vm, StrBuf *b, Value v)
{
    if (v == V_NONE || v == V_TRUE || v == V_FALSE || v == V_ELLIPSIS) {
        ou_sb_putc(b, v == V_NONE ? TAG_NONE : v == V_TRUE ? TAG_TRUE : v == V_FALSE ? TAG_FALSE : TAG_ELLIPSIS);
    } else if (is_small(v)) {
        ou_sb_putc(b, TAG_INT);
        put_i(b, v_small(v));
    } else if (is_float(v)) {
        double d = v_double(v);
        ou_sb_putc(b, TAG_FLOAT);
        ou_sb_put(b, (const char *)&d, sizeof d);
    } else if (is_exact(v, T_INT)) {
        Value t = ou_int_text(vm, v, 16, false);
        if (t == V_NULL)
            return false;
        ou_sb_putc(b, TAG_BIGINT);
        put_text(b, as_str(t)->data, as_str(t)->size);
        release(vm, t);
    } else if (is_exact(v, T_COMPLEX)) {
        const Complex *z = (const Complex *)v_obj(v);
        ou_sb_putc(b, TAG_COMPLEX);
        ou_sb_put(b, (const char *)&z->re, sizeof z->re);
        ou_sb_put(b, (const char *)&z->im, sizeof z->im);
    } else if (is_exact(v, T_STR)) {
        ou_sb_putc(b, as_str(v)->flags & STR_INTERNED ? TAG_NAME : TAG_STR);
        put_text(b, as_str(v)->data, as_str(v)->size);
    } else if (is_exact(v, T_BYTES)) {
        ou_sb_putc(b, TAG_BYTES);
        put_text(b, as_bytes(v)->data, as_bytes(v)->n);
    } else if (is_exact(v, T_TUPLE)) {
        ou_sb_putc(b, TAG_TUPLE);
        return dump_items(vm, b, as_tuple(v)->items, as_tuple(v)->n);
    } else if (is_exact(v, T_FROZENSET)) {
        ou_sb_putc(b, TAG_FROZENSET);
        put_u(b, as_set(v)->n);
        uint32_t pos = 0;
        Value item;
        while (ou_set_next(as_set(v), &pos, &item))
            if (!dump_value(vm, b, item))
                return false;
    } else if (is_exact(v, T_CODE)) {
        ou_sb_putc(b, TAG_CODE);
        return dump_code(vm, b, as_code(v));
    } else {
        ou_raise(vm, E_VALUE, "unmarshallable object");
        return false;
    }
    return true;
}

static bool dump_items(VM *vm, StrBuf *b, const Value *items, size_t n)
{
    put_u(b, n);
    for (size_t i = 0; i < n; i++)
        if (!dump_value(vm, b, items[i]))
            return false;
    return true;
}

static void dump_locs(StrBuf *b, const Code *k)
{
    CodeLoc old = {k->firstlineno, 0, 0, 0};
    for (uint32_t i = 0; i < k->ncode;) {
        CodeLoc l = k->locs[i];
        i += ou_op_info[INS_OP(k->code[i])].words;
        if (memcmp(&l, &old, sizeof l) == 0) {
            put_u(b, 0);
            continue;
        }
        /* the line's difference plus one is never zero as an unsigned number, so that 0 can mean "the same" */
        put_u(b, ((uint64_t)((int64_t)l.line - old.line) << 1 ^ (uint64_t)(((int64_t)l.line - old.line) >> 63)) + 1);
        put_i(b, (int64_t)l.end_line - l.line);
        put_u(b, (uint32_t)(l.col + 1));
        put_u(b, (uint32_t)(l.end_col + 1));
        old = l;
    }
}

/* The instruction as the compiler made it: the evaluator's own forms are called after theirs ("GETATTR_S"), and their caches
 * are this VM's. */
static Ins emitted(Ins i)
{
    if (INS_OP(i) < OP_COMPILER_END)
        return i;
    const char *name = ou_op_info[INS_OP(i)].name;
    size_t n = strcspn(name, "_");
    int op = 0;
    while (op < OP_COMPILER_END && (strlen(ou_op_info[op].name) != n || memcmp(ou_op_info[op].name, name, n) != 0))
        op++;
    static const Ins fields[] = {UINT64_C(0xFF) << 8, UINT64_C(0xFF) << 16, UINT64_C(0xFF) << 24, UINT64_C(0xFFFFFFFF) << 32};
    i = (i & ~UINT64_C(0xFF)) | (Ins)op;
    for (int k = 0; k < 4; k++)
        if (ou_op_info[op].operands[k] == '$' || ou_op_info[op].operands[k] == '-')
            i &= ~fields[k];
    return i;
}

/* What is only needed once the code runs. */
static bool dump_body(VM *vm, StrBuf *b, const Code *k)
{
    uint32_t head[] = {k->ncells, k->ncode, k->nhandlers, k->nlive, k->nsites};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        put_u(b, head[i]);
    Value names[] = {v_of(k->varnames), v_of(k->cellnames), v_of(k->freenames)};
    if (!dump_items(vm, b, names, 3) || !dump_items(vm, b, k->consts, k->nconsts))
        return false;
    for (uint32_t i = 0; i < k->ncode; i += ou_op_info[INS_OP(k->code[i])].words) {
        Ins ins = emitted(k->code[i]);
        ou_sb_put(b, (const char *)&ins, 4);
        put_i(b, INS_D(ins));
    }
    dump_locs(b, k);
    for (uint32_t i = 0; i < k->nhandlers; i++) {
        const CodeHandler *h = &k->handlers[i];
        put_u(b, h->start);
        put_u(b, h->end - h->start);
        put_u(b, h->target);
        put_u(b, h->reg);
        put_u(b, h->depth);
    }
    for (uint32_t i = 0; i < k->nlive; i++) {
        put_u(b, k->live[i].start);
        put_u(b, k->live[i].end - k->live[i].start);
        put_u(b, k->live[i].id);
        put_u(b, k->live[i].reg);
    }
    for (uint32_t i = 0; i < k->nsites; i++) {
        put_u(b, k->sites[i].at);
        put_u(b, k->sites[i].konst);
    }
    for (uint32_t i = 0; i < k->ncells; i++)
        put_u(b, k->cellregs[i]);
    return !b->failed;
}

static bool dump_code(VM *vm, StrBuf *b, Code *k)
{
    if (!ou_code_ready(vm, k))
        return false;
    uint32_t head[] = {k->flags, k->nargs, k->nposonly, k->nkwonly, k->nlocals, k->nregs, k->nfar, k->nplain, k->nfree,
                       k->firstlineno, k->module_kind, k->nfarparams, k->nfarlocals, k->farreg};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        put_u(b, head[i]);
    Value objects[] = {v_of(k->name), v_of(k->qualname), k->doc};
    if (!dump_items(vm, b, objects, 3))
        return false;
    for (uint32_t i = 0; i < k->nfree; i++) {
        put_u(b, k->captures[i].from_local);
        put_u(b, k->captures[i].index);
    }
    StrBuf body;
    ou_sb_init(&body, vm);
    bool ok = dump_body(vm, &body, k) && !body.failed;
    if (ok)
        put_text(b, body.p, body.n);
    ou_sb_drop(&body);
    return ok && !b->failed;
}

Value ou_code_dump(VM *vm, Code *code)
{
    StrBuf b;
    uint32_t id = format_id();
    ou_sb_init(&b, vm);
    ou_sb_put(&b, (const char *)&id, sizeof id);
    Value v = V_NULL;
    if (dump_value(vm, &b, v_of(code->filename)) && dump_code(vm, &b, code) && !b.failed)
        v = ou_bytes_new(vm, b.p, b.n);
    ou_sb_drop(&b);
    return v;
}

/* ---- in -------------------------------------------------------------------------------------------------------------- */

typedef struct In {
    VM *vm;
    const uint8_t *p, *end;
    Str *filename;
    int depth;
    bool bad; /* cut off or not ours */
    bool lasting;
} In;

static uint64_t get_u(In *in)
{
    uint64_t u = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (in->p == in->end)
            break;
        uint8_t c = *in->p++;
        u |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80)
            return u;
    }
    in->bad = true;
    return 0;
}

static int64_t unzigzag(uint64_t u) { return (int64_t)(u >> 1) ^ -(int64_t)(u & 1); }
static int64_t get_i(In *in) { return unzigzag(get_u(in)); }

static const uint8_t *get_raw(In *in, size_t n)
{
    if ((size_t)(in->end - in->p) < n) {
        in->bad = true;
        return NULL;
    }
    in->p += n;
    return in->p - n;
}

/* How many items follow: never more than there are bytes. */
static uint32_t get_count(In *in)
{
    uint64_t n = get_u(in);
    if (n > (uint64_t)(in->end - in->p))
        in->bad = true;
    return in->bad ? 0 : (uint32_t)n;
}

static Code *load_code(In *in);
static Value load_value(In *in);

static Value load_tuple(In *in)
{
    uint32_t n = get_count(in);
    Value t = in->bad ? V_NULL : ou_tuple_new(in->vm, n);
    for (uint32_t i = 0; i < n && t != V_NULL; i++) {
        Value v = load_value(in);
        if (v == V_NULL) {
            release(in->vm, t);
            return V_NULL;
        }
        as_tuple(t)->items[i] = v;
    }
    return t;
}

static Value load_plain(In *in, int tag)
{
    VM *vm = in->vm;
    switch (tag) {
    case TAG_NONE: return V_NONE;
    case TAG_TRUE: return V_TRUE;
    case TAG_FALSE: return V_FALSE;
    case TAG_ELLIPSIS: return V_ELLIPSIS;
    case TAG_INT: return ou_int(vm, get_i(in));
    case TAG_FLOAT:
    case TAG_COMPLEX: {
        double d[2];
        const uint8_t *p = get_raw(in, tag == TAG_FLOAT ? 8 : 16);
        if (!p)
            return V_NULL;
        memcpy(d, p, tag == TAG_FLOAT ? 8 : 16);
        return tag == TAG_FLOAT ? v_float(d[0]) : ou_complex(vm, d[0], d[1]);
    }
    default: break;
    }
    uint32_t n = get_count(in);
    const char *p = (const char *)get_raw(in, n);
    if (!p)
        return V_NULL;
    if (tag == TAG_NAME) {
        Str *s = ou_intern(vm, p, n);
        return s ? v_of(s) : V_NULL;
    }
    if (tag == TAG_BIGINT) {
        bool negative = n && p[0] == '-';
        Value v = ou_int_parse(vm, p + negative, n - negative, 16), m = v;
        if (negative && v != V_NULL) {
            m = ou_int_neg(vm, v);
            release(vm, v);
        }
        return m;
    }
    return tag == TAG_STR ? ou_str_new(vm, p, n) : ou_bytes_new(vm, p, n);
}

static Value load_value(In *in)
{
    const uint8_t *tag = get_raw(in, 1);
    if (!tag || *tag > TAG_CODE || in->depth > 200) {
        in->bad = true;
        return V_NULL;
    }
    Value v;
    in->depth++;
    if (*tag == TAG_TUPLE || *tag == TAG_FROZENSET) {
        v = load_tuple(in);
        if (*tag == TAG_FROZENSET && v != V_NULL) {
            Value s = ou_set_from(in->vm, T_FROZENSET, v);
            release(in->vm, v);
            v = s;
        }
    } else if (*tag == TAG_CODE) {
        Code *k = load_code(in);
        v = k ? v_of(k) : V_NULL;
    } else {
        v = load_plain(in, *tag);
    }
    in->depth--;
    return v;
}

static void *room(In *in, size_t n)
{
    void *p = n ? ou_alloc0(&in->vm->heap, n) : NULL;
    if (n && !p) {
        in->bad = true;
        ou_raise_memory(in->vm);
    }
    return p;
}

static void load_locs(In *in, Code *k)
{
    CodeLoc l = {k->firstlineno, 0, 0, 0};
    for (uint32_t i = 0; i < k->ncode && !in->bad;) {
        uint8_t words = ou_op_info[INS_OP(k->code[i])].words;
        uint64_t u = get_u(in);
        if (u) {
            l.line = (uint32_t)(l.line + unzigzag(u - 1));
            l.end_line = (uint32_t)(l.line + get_i(in));
            l.col = (uint32_t)get_u(in) - 1;
            l.end_col = (uint32_t)get_u(in) - 1;
        }
        for (uint8_t n = 0; n < words && i < k->ncode; n++)
            k->locs[i++] = l;
    }
}

static void load_arrays(In *in, Code *k)
{
    for (uint32_t i = 0; i < k->ncode && !in->bad;) {
        uint32_t low = 0;
        const uint8_t *p = get_raw(in, 4);
        if (!p)
            return;
        memcpy(&low, p, 4);
        int64_t d = get_i(in);
        k->code[i] = (Ins)low | (Ins)(uint32_t)(int32_t)d << 32;
        uint8_t op = INS_OP(low);
        if (op >= OP_COMPILER_END || i + ou_op_info[op].words > k->ncode) {
            in->bad = true;
            return;
        }
        if ((op == OP_LOADK || op == OP_LOADK_T) && (uint64_t)d < k->nconsts)
            k->code[i + 1] = k->consts[d];
        i += ou_op_info[op].words;
    }
    load_locs(in, k);
    for (uint32_t i = 0; i < k->nhandlers; i++) {
        CodeHandler *h = &k->handlers[i];
        h->start = (uint32_t)get_u(in);
        h->end = h->start + (uint32_t)get_u(in);
        h->target = (uint32_t)get_u(in);
        h->reg = (uint8_t)get_u(in);
        h->depth = (uint8_t)get_u(in);
    }
    for (uint32_t i = 0; i < k->nlive; i++) {
        CodeLive *l = &k->live[i];
        l->start = (uint32_t)get_u(in);
        l->end = l->start + (uint32_t)get_u(in);
        l->id = (uint32_t)get_u(in);
        l->reg = (uint8_t)get_u(in);
    }
    for (uint32_t i = 0; i < k->nsites; i++) {
        k->sites[i].at = (uint32_t)get_u(in);
        k->sites[i].konst = (uint32_t)get_u(in);
    }
    for (uint32_t i = 0; i < k->ncells; i++)
        k->cellregs[i] = (uint16_t)get_u(in);
}

/* n objects of those types (T_OBJECT: any); false: not ours or raised. */
static bool load_objects(In *in, const TypeId *types, Value *v, uint32_t n)
{
    bool ok = get_u(in) == n;
    for (uint32_t i = 0; i < n && ok; i++) {
        v[i] = load_value(in);
        ok = v[i] != V_NULL && (types[i] == T_OBJECT || is_exact(v[i], types[i]));
    }
    if (!ok) {
        for (uint32_t i = 0; i < n; i++)
            xrelease(in->vm, v[i]);
        in->bad = true;
    }
    return ok;
}

static void load_consts(In *in, Code *k)
{
    uint32_t n = get_count(in);
    k->consts = room(in, sizeof(Value) * n);
    for (uint32_t i = 0; i < n && !in->bad; i++) {
        Value c = load_value(in);
        if (c == V_NULL) {
            in->bad = true;
            break;
        }
        k->consts[k->nconsts++] = c;
    }
    if (k->nconsts < n && k->consts) { /* the array's size is what its count says: only whole arrays are freed */
        for (uint32_t i = 0; i < k->nconsts; i++)
            release(in->vm, k->consts[i]);
        ou_free(&in->vm->heap, k->consts, sizeof(Value) * n);
        k->consts = NULL;
        k->nconsts = 0;
    }
}

static void load_body(In *in, Code *k)
{
    static const TypeId types[] = {T_TUPLE, T_TUPLE, T_TUPLE};
    uint32_t head[5];
    for (int i = 0; i < 5; i++)
        head[i] = (uint32_t)get_u(in);
    size_t left = (size_t)(in->end - in->p);
    for (int i = 0; i < 5; i++)
        in->bad |= head[i] > left * 4;
    Value v[3] = {0};
    if (in->bad || !load_objects(in, types, v, 3))
        return;
    k->varnames = as_tuple(v[0]);
    k->cellnames = as_tuple(v[1]);
    k->freenames = as_tuple(v[2]);
    load_consts(in, k);
    if (in->bad)
        return;
    k->code = room(in, sizeof(Ins) * head[1]);
    k->locs = room(in, sizeof(CodeLoc) * head[1]);
    k->ncode = head[1]; /* the size of both, whether they are there or not */
    k->handlers = room(in, sizeof(CodeHandler) * head[2]);
    k->nhandlers = k->handlers ? head[2] : 0;
    k->live = room(in, sizeof(CodeLive) * head[3]);
    k->nlive = k->live ? head[3] : 0;
    k->sites = room(in, sizeof(CodeSite) * head[4]);
    k->nsites = k->sites ? head[4] : 0;
    k->cellregs = room(in, sizeof(uint16_t) * (uint16_t)head[0]);
    k->ncells = (uint16_t)(k->cellregs ? head[0] : 0);
    if (!in->bad)
        load_arrays(in, k);
#if !defined(NDEBUG)
    uint32_t at;
    if (!in->bad && ou_code_verify(k, &at))
        in->bad = true;
#endif
}

static Code *load_code(In *in)
{
    static const TypeId types[] = {T_STR, T_STR, T_OBJECT};
    uint32_t head[14];
    for (int i = 0; i < 14; i++)
        head[i] = (uint32_t)get_u(in);
    Value v[3] = {0};
    if (in->bad || !load_objects(in, types, v, 3))
        return NULL;
    Code *k = ou_new(in->vm, ou_builtin(in->vm, T_CODE), 0);
    if (!k) {
        for (int i = 0; i < 3; i++)
            release(in->vm, v[i]);
        return NULL;
    }
    k->name = as_str(v[0]);
    k->qualname = as_str(v[1]);
    k->doc = v[2];
    k->filename = in->filename;
    in->filename->h.refs++;
    k->flags = head[0];
    k->nargs = (uint16_t)head[1];
    k->nposonly = (uint16_t)head[2];
    k->nkwonly = (uint16_t)head[3];
    k->nlocals = (uint16_t)head[4];
    k->nregs = (uint16_t)head[5];
    k->nfar = (uint16_t)head[6];
    k->nplain = (uint16_t)head[7];
    k->captures = room(in, sizeof(CodeCapture) * (uint16_t)head[8]);
    k->nfree = (uint16_t)(k->captures ? head[8] : 0);
    k->firstlineno = head[9];
    k->module_kind = head[10];
    k->nfarparams = (uint16_t)head[11];
    k->nfarlocals = (uint16_t)head[12];
    k->farreg = (uint8_t)head[13];
    for (uint32_t i = 0; i < k->nfree; i++) {
        k->captures[i].from_local = (uint8_t)get_u(in);
        k->captures[i].index = (uint16_t)get_u(in);
    }
    uint32_t n = get_count(in);
    const uint8_t *end = in->p + n;
    if (!in->bad && in->lasting && k->module_kind == CODE_FUNCTION) {
        k->frozen = in->p;
        k->frozen_len = n;
        in->p = end;
    } else if (!in->bad) {
        load_body(in, k);
        in->bad |= in->p != end;
    }
    if (in->bad) {
        obj_release(in->vm, k);
        return NULL;
    }
    return k;
}

bool ou_code_thaw(VM *vm, Code *c)
{
    In in = {.vm = vm, .p = c->frozen, .end = c->frozen + c->frozen_len, .filename = c->filename, .lasting = true};
    load_body(&in, c);
    if (!in.bad) {
        c->frozen = NULL;
        return true;
    }
    CodeCapture *captures = c->captures; /* as it was, for another attempt */
    uint16_t nfree = c->nfree;
    c->captures = NULL;
    c->nfree = 0;
    ou_code_free_arrays(vm, c);
    c->captures = captures;
    c->nfree = nfree;
    Tuple **names[] = {&c->varnames, &c->cellnames, &c->freenames};
    for (int i = 0; i < 3; i++) {
        obj_xrelease(vm, *names[i]);
        *names[i] = NULL;
    }
    if (vm->exc == V_NULL)
        ou_raise(vm, E_SYSTEM, "frozen code is damaged");
    return false;
}

Value ou_code_load(VM *vm, const uint8_t *p, size_t n, bool lasting)
{
    In in = {.vm = vm, .p = p, .end = p + n, .lasting = lasting};
    uint32_t id = 0;
    if (n < sizeof id)
        return V_NULL;
    memcpy(&id, p, sizeof id);
    if (id != format_id())
        return V_NULL;
    in.p += sizeof id;
    Value f = load_value(&in);
    if (f == V_NULL || !is_exact(f, T_STR)) {
        xrelease(vm, f);
        return V_NULL;
    }
    in.filename = as_str(f);
    Code *k = load_code(&in);
    release(vm, f);
    return k ? v_of(k) : V_NULL;
}
