/* The tree as text, in the format of CPython 3.13's ast.dump(): what the tests compare.
 * Entry point: ou_ast_dump. The fields come from ast.def, so that a new node needs nothing here. */
#include <stdio.h>
#include <string.h>

#include "grammar/parse.h"
#include "runtime/base/numtext.h"
#include "runtime/base/unicode.h"

typedef struct Dump {
    AstDumpFn sink;
    void *ud;
    bool positions, failed;
    bool comma; /* something stands before in this node */
    size_t n;
    char buf[4096];
} Dump;

static void flush(Dump *d) {
    if (d->n && !d->failed && !d->sink(d->ud, d->buf, d->n)) d->failed = true;
    d->n = 0;
}

static void put(Dump *d, const char *s, size_t n) {
    while (n) {
        size_t room = sizeof d->buf - d->n, k = n < room ? n : room;
        memcpy(d->buf + d->n, s, k);
        d->n += k;
        s += k;
        n -= k;
        if (d->n == sizeof d->buf) flush(d);
    }
}

static void puts_(Dump *d, const char *s) {
    put(d, s, strlen(s));
}

static void put_int(Dump *d, long v) {
    char b[32];
    put(d, b, (size_t)snprintf(b, sizeof b, "%ld", v));
}

/* "name=" with the comma that may be due before it. */
static void label(Dump *d, const char *name) {
    if (d->comma) put(d, ", ", 2);
    d->comma = true;
    puts_(d, name);
    put(d, "=", 1);
}

/* ---- constants ---- */

/* repr() of a str or bytes. */
static void put_text(Dump *d, const char *text, size_t n, bool bytes) {
    const unsigned char *s = (const unsigned char *)text, *e = s + n;
    char quote = memchr(text, '\'', n) && !memchr(text, '"', n) ? '"' : '\'', b[16];
    if (bytes) put(d, "b", 1);
    put(d, &quote, 1);
    while (s < e) {
        uint32_t c = *s;
        int len = 1;
        if (!bytes && c >= 0x80) {
            len = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
            c &= 0x3Fu >> (len - 1);
            for (int i = 1; i < len; i++) c = c << 6 | (s[i] & 0x3F);
        }
        const char *esc = c == '\n'   ? "\\n"
                          : c == '\r' ? "\\r"
                          : c == '\t' ? "\\t"
                          : c == '\\' ? "\\\\"
                                      : NULL;
        if (esc)
            put(d, esc, 2);
        else if (c == (unsigned char)quote)
            put(d, b, (size_t)snprintf(b, sizeof b, "\\%c", quote));
        else if (c >= 32 && c < 127)
            put(d, (const char *)s, 1);
        else if (!bytes && c > 127 && ou_uni_is_printable(c))
            put(d, (const char *)s, (size_t)len);
        else
            put(d, b,
                (size_t)snprintf(b, sizeof b,
                                 c < 0x100     ? "\\x%02x"
                                 : c < 0x10000 ? "\\u%04x"
                                               : "\\U%08x",
                                 c));
        s += len;
    }
    put(d, &quote, 1);
}

/* Digits of base 2, 8 or 16 as decimal, in chunks of nine digits; huge ones (no test has any) stay as they
 * are. */
static void put_big(Dump *d, const AstConst *c) {
    enum { MAX = 512 };
    uint32_t part[MAX] = {0};
    size_t n = 1;
    const char *s = c->text;
    while (*s == '0' && s[1]) s++;
    if (c->base == 10) {
        puts_(d, s);
        return;
    }
    for (; *s; s++) {
        uint64_t carry = (uint64_t)(*s <= '9' ? *s - '0' : (*s | 32) - 'a' + 10);
        for (size_t i = 0; i < n; i++) {
            carry += (uint64_t)part[i] * c->base;
            part[i] = (uint32_t)(carry % 1000000000);
            carry /= 1000000000;
        }
        if (carry) {
            if (n == MAX) {
                puts_(d, c->text);
                return;
            }
            part[n++] = (uint32_t)carry;
        }
    }
    char b[16];
    put(d, b, (size_t)snprintf(b, sizeof b, "%u", part[--n]));
    while (n--) put(d, b, (size_t)snprintf(b, sizeof b, "%09u", part[n]));
}

static void put_const(Dump *d, const AstConst *c) {
    static const char *const words[] = {"None", "True", "False", "Ellipsis"};
    char b[DOUBLE_REPR_MAX];
    size_t n;
    switch (c->kind) {
    case CONST_INT: put_big(d, c); break;
    case CONST_FLOAT: put(d, b, ou_double_repr(c->num, b)); break;
    case CONST_IMAG:
        n = ou_double_repr(c->num, b);
        if (n > 2 && b[n - 2] == '.' && b[n - 1] == '0') n -= 2;
        put(d, b, n);
        put(d, "j", 1);
        break;
    case CONST_STR: put_text(d, c->text, c->len, false); break;
    case CONST_BYTES: put_text(d, c->text, c->len, true); break;
    default: puts_(d, words[c->kind]);
    }
}

/* ---- fields ---- */

static void dump_Expr(Dump *d, const Expr *e);
static void dump_Stmt(Dump *d, const Stmt *s);
static void dump_Pattern(Dump *d, const Pattern *p);
static void dump_TypeParam(Dump *d, const TypeParam *t);
#define PLAIN(type, name, fields) static void dump_##type(Dump *d, const type *x);
#include "grammar/ast.def"

static void dump_AstStr(Dump *d, const AstStr *s) {
    put_text(d, s->text, s->len, false);
}

#define FIELD_ONE(TYPE, Node)                                                 \
    static void field_##TYPE(Dump *d, const char *name, Node *const *value) { \
        if (!*value) return;                                                  \
        label(d, name);                                                       \
        dump_##Node(d, *value);                                               \
        d->comma = true;                                                      \
    }
#define FIELD_SEQ(TYPE, Seq, Node)                                      \
    static void field_##TYPE(Dump *d, const char *name, const Seq *s) { \
        if (!s->n) return;                                              \
        label(d, name);                                                 \
        put(d, "[", 1);                                                 \
        for (uint32_t i = 0; i < s->n; i++) {                           \
            if (i) put(d, ", ", 2);                                     \
            if (s->items[i])                                            \
                dump_##Node(d, s->items[i]);                            \
            else                                                        \
                put(d, "None", 4);                                      \
        }                                                               \
        put(d, "]", 1);                                                 \
        d->comma = true;                                                \
    }
FIELD_ONE(ID, AstStr)
FIELD_ONE(EXPR, Expr)
FIELD_ONE(PATTERN, Pattern)
FIELD_ONE(ARGUMENTS, Arguments)
FIELD_ONE(OARG, Arg)
FIELD_SEQ(IDS, IdSeq, AstStr)
FIELD_SEQ(EXPRS, ExprSeq, Expr)
FIELD_SEQ(STMTS, StmtSeq, Stmt)
FIELD_SEQ(PATTERNS, PatternSeq, Pattern)
FIELD_SEQ(TYPEPARAMS, TypeParamSeq, TypeParam)
FIELD_SEQ(COMPREHENSIONS, ComprehensionSeq, Comprehension)
FIELD_SEQ(HANDLERS, HandlerSeq, ExceptHandler)
FIELD_SEQ(ARGS, ArgSeq, Arg)
FIELD_SEQ(KEYWORDS, KeywordSeq, Keyword)
FIELD_SEQ(ALIASES, AliasSeq, Alias)
FIELD_SEQ(WITHITEMS, WithItemSeq, WithItem)
FIELD_SEQ(MATCHCASES, MatchCaseSeq, MatchCase)
#define field_OID field_ID
#define field_OEXPR field_EXPR
#define field_OPATTERN field_PATTERN
#define field_OEXPRS field_EXPRS

static void field_INT(Dump *d, const char *name, const int *v) {
    label(d, name);
    put_int(d, *v);
}

static void field_NONE(Dump *d, const char *name, const char *v) {
    (void)d, (void)name, (void)v;
}

static void field_CONST(Dump *d, const char *name, const AstConst *c) {
    label(d, name);
    put_const(d, c);
    if (c->kind == CONST_STR && c->u_prefix) puts_(d, ", kind='u'");
}

static const char *const operator_names[] = {
#define OPERATOR(sum, name, text) #name "()",
#include "grammar/ast.def"
};

#define FIELD_OP(TYPE, SUM)                                                 \
    static void field_##TYPE(Dump *d, const char *name, const uint8_t *v) { \
        label(d, name);                                                     \
        puts_(d, operator_names[AST_OP_FIRST_##SUM + *v]);                  \
    }
FIELD_OP(BINOP, BIN)
FIELD_OP(UNARYOP, UNARY)
FIELD_OP(BOOLOP, BOOL)
FIELD_OP(CTX, CTX)

static void field_CMPOPS(Dump *d, const char *name, const CmpOpSeq *s) {
    label(d, name);
    put(d, "[", 1);
    for (uint32_t i = 0; i < s->n; i++) {
        if (i) put(d, ", ", 2);
        puts_(d, operator_names[AST_OP_FIRST_CMP + s->items[i]]);
    }
    put(d, "]", 1);
}

/* ---- nodes ---- */

static void begin(Dump *d, const char *name) {
    puts_(d, name);
    put(d, "(", 1);
    d->comma = false;
}

static void finish(Dump *d, const AstPos *pos) {
    if (pos && d->positions) {
        label(d, "lineno");
        put_int(d, pos->line);
        label(d, "col_offset");
        put_int(d, pos->col);
        label(d, "end_lineno");
        put_int(d, pos->end_line);
        label(d, "end_col_offset");
        put_int(d, pos->end_col);
    }
    put(d, ")", 1);
}

#define CASE_OF(sum, node, fields)            \
    case sum##_##node: {                      \
        const struct Ast##node *x = &n->node; \
        fields break;                         \
    }

static void dump_Expr(Dump *d, const Expr *n) {
    begin(d, ou_ast_kind_name(n->kind));
    switch (n->kind) {
#define CASE_MOD(sum, node, fields)
#define CASE_STMT CASE_MOD
#define CASE_PATTERN CASE_MOD
#define CASE_TYPEPARAM CASE_MOD
#define CASE_EXPR CASE_OF
#define NODE(sum, node, fields) CASE_##sum(sum, node, fields)
#define F(type, name) field_##type(d, #name, &x->name);
#include "grammar/ast.def"
#undef CASE_EXPR
#define CASE_EXPR CASE_MOD
    }
    finish(d, &n->pos);
}

static void dump_Stmt(Dump *d, const Stmt *n) {
    begin(d, ou_ast_kind_name(n->kind));
    switch (n->kind) {
#undef CASE_STMT
#define CASE_STMT CASE_OF
#define NODE(sum, node, fields) CASE_##sum(sum, node, fields)
#define F(type, name) field_##type(d, #name, &x->name);
#include "grammar/ast.def"
#undef CASE_STMT
#define CASE_STMT CASE_MOD
    }
    finish(d, &n->pos);
}

static void dump_Pattern(Dump *d, const Pattern *n) {
    begin(d, ou_ast_kind_name(n->kind));
    switch (n->kind) {
#undef CASE_PATTERN
#define CASE_PATTERN CASE_OF
#define NODE(sum, node, fields) CASE_##sum(sum, node, fields)
#define F(type, name) field_##type(d, #name, &x->name);
#include "grammar/ast.def"
#undef CASE_PATTERN
#define CASE_PATTERN CASE_MOD
    }
    finish(d, &n->pos);
}

static void dump_TypeParam(Dump *d, const TypeParam *n) {
    begin(d, ou_ast_kind_name(n->kind));
    switch (n->kind) {
#undef CASE_TYPEPARAM
#define CASE_TYPEPARAM CASE_OF
#define NODE(sum, node, fields) CASE_##sum(sum, node, fields)
#define F(type, name) field_##type(d, #name, &x->name);
#include "grammar/ast.def"
    }
    finish(d, &n->pos);
}

#define HAS_POS_Comprehension NULL
#define HAS_POS_Arguments NULL
#define HAS_POS_WithItem NULL
#define HAS_POS_MatchCase NULL
#define HAS_POS_ExceptHandler &x->pos
#define HAS_POS_Arg &x->pos
#define HAS_POS_Keyword &x->pos
#define HAS_POS_Alias &x->pos
#define PLAIN(type, name, fields)                     \
    static void dump_##type(Dump *d, const type *x) { \
        begin(d, #name);                              \
        fields finish(d, HAS_POS_##type);             \
    }
#define F(type, name) field_##type(d, #name, &x->name);
#include "grammar/ast.def"

bool ou_ast_dump(const AstMod *mod, bool positions, AstDumpFn sink, void *ud) {
    Dump d = {.sink = sink, .ud = ud, .positions = positions};
    begin(&d, ou_ast_kind_name(mod->kind));
    if (mod->kind == MOD_Expression)
        field_EXPR(&d, "body", &mod->Expression.body);
    else /* Interactive has the same field */
        field_STMTS(&d, "body", &mod->Module.body);
    finish(&d, NULL);
    flush(&d);
    return !d.failed;
}
