/* datetime.timedelta. Arithmetic is done on microseconds in 64 bits where those suffice (290,000 years), else
 * on ints. */
#include <math.h>

#include "stdlib/datetime_impl.h"

static Value check_days(VM *vm, int64_t days) {
    if (days > INT32_MAX || days < INT32_MIN)
        return ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C int");
    return ou_raise(vm, E_OVERFLOW, "days=%ld; must have magnitude <= 999999999", days);
}

static Value make_exact(VM *vm, Type *cls, int64_t days, int64_t seconds, int64_t us) {
    if (days > 999999999 || days < -999999999) return check_days(vm, days);
    Delta *d = ou_new(vm, cls, 0);
    if (!d) return V_NULL;
    d->days = (int32_t)days;
    d->seconds = (int32_t)seconds;
    d->us = (int32_t)us;
    return v_of(d);
}

static int64_t carry(int64_t *low, int64_t size) /* brings *low into 0..size and returns what goes up */
{
    int64_t q = *low / size, r = *low % size;
    if (r < 0) r += size, q--;
    *low = r;
    return q;
}

Value ou_dt_delta(VM *vm, int64_t days, int64_t seconds, int64_t us) {
    seconds += carry(&us, 1000000);
    days += carry(&seconds, 86400);
    return make_exact(vm, dt_state(vm)->delta, days, seconds, us);
}

static Value from_us(VM *vm, Type *cls, int64_t us) {
    int64_t days = carry(&us, DT_DAY_US), seconds = us / 1000000;
    return make_exact(vm, cls, days, seconds, us % 1000000);
}
Value ou_dt_delta_us(VM *vm, int64_t us) {
    return from_us(vm, dt_state(vm)->delta, us);
}

bool ou_dt_delta_fits(const Delta *d, int64_t *us) {
    if (d->days > 100000000 || d->days < -100000000) return false;
    *us = (d->days * INT64_C(86400) + d->seconds) * 1000000 + d->us;
    return true;
}

bool ou_dt_delta_is_offset(const Delta *d) {
    return d->days == 0 || (d->days == -1 && (d->seconds || d->us));
}

int ou_dt_delta_cmp(const Delta *a, const Delta *b) {
    if (a->days != b->days) return a->days < b->days ? -1 : 1;
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? -1 : 1;
    return a->us < b->us ? -1 : a->us > b->us;
}

/* ---- on ints of any size: operands are taken over, V_NULL passes through
 * --------------------------------------------------- */

static Value op(VM *vm, BinOp what, Value a, Value b) {
    Value v = a == V_NULL || b == V_NULL ? V_NULL : ou_int_op(vm, what, a, b);
    xrelease(vm, a);
    xrelease(vm, b);
    return v;
}

static Value us_int(VM *vm, const Delta *d) {
    Value seconds = ou_int(vm, d->days * INT64_C(86400) + d->seconds);
    return op(vm, BIN_ADD, op(vm, BIN_MUL, seconds, v_smallint(1000000)), v_smallint(d->us));
}

static Value from_int(VM *vm, Type *cls, Value us) /* takes us over */
{
    int64_t small;
    if (us == V_NULL) return V_NULL;
    if (ou_int_fits_i64(vm, us, &small)) {
        release(vm, us);
        return from_us(vm, cls, small);
    }
    Value days = ou_int_op(vm, BIN_FLOORDIV, us, v_smallint(DT_DAY_US)),
          rest = ou_int_op(vm, BIN_MOD, us, v_smallint(DT_DAY_US)), v = V_NULL;
    release(vm, us);
    if (days != V_NULL && rest != V_NULL) {
        if (!ou_int_fits_i64(vm, days, &small)) small = INT64_MAX;
        v = make_exact(vm, cls, small, v_small(rest) / 1000000, v_small(rest) % 1000000);
    }
    xrelease(vm, days);
    xrelease(vm, rest);
    return v;
}

/* a / b to the nearest int, a half to the even one. Takes both over. */
static Value nearest(VM *vm, Value a, Value b) {
    if (a == V_NULL || b == V_NULL) return xrelease(vm, a), xrelease(vm, b), V_NULL;
    if (ou_int_sign(vm, b) == 0) {
        release(vm, a);
        release(vm, b);
        return ou_raise(vm, E_ZERO_DIVISION, "integer division or modulo by zero");
    }
    Value q = ou_int_op(vm, BIN_FLOORDIV, a, b), r = ou_int_op(vm, BIN_MOD, a, b);
    release(vm, a);
    Value twice = op(vm, BIN_MUL, r, v_smallint(2));
    if (q != V_NULL && twice != V_NULL) {
        int c = ou_int_compare(vm, twice, b) * ou_int_sign(vm, b);
        if (c > 0 || (c == 0 && !ou_int_is_even(vm, q))) q = op(vm, BIN_ADD, q, v_smallint(1));
    } else {
        xrelease(vm, q);
        q = V_NULL;
    }
    xrelease(vm, twice);
    release(vm, b);
    return q;
}

/* ---- construction --------------------------------------------------------------------------------------- */

enum { PARTS = 7 };
static const struct {
    int arg;
    const char *name;
    int64_t us;
} parts[PARTS] = {{2, "microseconds", 1},     {3, "milliseconds", 1000},         {1, "seconds", 1000000},
                  {4, "minutes", 60000000},   {5, "hours", INT64_C(3600000000)}, {0, "days", DT_DAY_US},
                  {6, "weeks", 7 * DT_DAY_US}};

/* Whole parts are added exactly; *left collects what fractions leave. */
static Value add_part(VM *vm, Value sum, Value v, int k, double *left) {
    if (is_intlike(vm, v))
        return op(vm, BIN_ADD, sum, op(vm, BIN_MUL, ou_int_value(vm, v), ou_int(vm, parts[k].us)));
    if (!ou_is_floatlike(vm, v)) {
        release(vm, sum);
        return ou_raise(vm, E_TYPE, "unsupported type for timedelta %s component: %T", parts[k].name, v);
    }
    double whole, fraction = modf(ou_float_of(vm, v), &whole);
    sum = op(vm, BIN_ADD, sum, op(vm, BIN_MUL, ou_int_from_double(vm, whole), ou_int(vm, parts[k].us)));
    if (fraction == 0.0) return sum;
    fraction = modf(fraction * (double)parts[k].us, &whole);
    *left += fraction;
    return op(vm, BIN_ADD, sum, ou_int_from_double(vm, whole));
}

static Value make_slow(VM *vm, Type *cls, const Value *a) {
    Value sum = v_smallint(0);
    double left = 0.0;
    for (int k = 0; k < PARTS && sum != V_NULL; k++)
        if (a[parts[k].arg] != V_NULL) sum = add_part(vm, sum, a[parts[k].arg], k, &left);
    if (sum != V_NULL && left != 0.0) {
        double whole = round(left);
        if (fabs(whole - left) == 0.5) { /* to even, of the whole sum */
            double odd = ou_int_is_even(vm, sum) ? 0.0 : 1.0;
            whole = 2.0 * round((left + odd) * 0.5) - odd;
        }
        sum = op(vm, BIN_ADD, sum, ou_int_from_double(vm, whole));
    }
    return from_int(vm, cls, sum);
}

static Value delta_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[PARTS];
    if (!ou_dt_args(vm, "__new__()", "days|seconds|microseconds|milliseconds|minutes|hours|weeks", 0, PARTS,
                    PARTS, args, n, kwnames, a))
        return V_NULL;
    int64_t sum = 0;
    for (int k = 0; k < PARTS; k++) {
        Value v = a[parts[k].arg];
        int64_t x;
        if (v == V_NULL) continue;
        if (!is_small(v) || __builtin_mul_overflow(v_small(v), parts[k].us, &x) ||
            __builtin_add_overflow(sum, x, &sum))
            return make_slow(vm, cls, a);
    }
    return from_us(vm, cls, sum);
}

/* ---- arithmetic ----------------------------------------------------------------------------------------- */

static bool is_delta(VM *vm, Value v) {
    return dt_is(vm, v, &ou_dt_delta_def);
}

static Value delta_add(VM *vm, Value a, Value b) {
    if (!is_delta(vm, a) || !is_delta(vm, b)) return V_NOTIMPL;
    const Delta *x = as_delta(a), *y = as_delta(b);
    return ou_dt_delta(vm, (int64_t)x->days + y->days, (int64_t)x->seconds + y->seconds,
                       (int64_t)x->us + y->us);
}
static Value delta_sub(VM *vm, Value a, Value b) {
    if (!is_delta(vm, a) || !is_delta(vm, b)) return V_NOTIMPL;
    const Delta *x = as_delta(a), *y = as_delta(b);
    return ou_dt_delta(vm, (int64_t)x->days - y->days, (int64_t)x->seconds - y->seconds,
                       (int64_t)x->us - y->us);
}

static Value delta_neg(VM *vm, Value self) {
    const Delta *d = as_delta(self);
    return ou_dt_delta(vm, -(int64_t)d->days, -(int64_t)d->seconds, -(int64_t)d->us);
}
static Value delta_pos(VM *vm, Value self) {
    const Delta *d = as_delta(self);
    return ou_dt_delta(vm, d->days, d->seconds, d->us);
}
static Value delta_abs(VM *vm, Value self) {
    return as_delta(self)->days < 0 ? delta_neg(vm, self) : delta_pos(vm, self);
}

/* numerator and denominator of a float */
static bool ratio(VM *vm, Value f, Value *a, Value *b) {
    Value pair = ou_call_method_c(vm, f, "as_integer_ratio", NULL, 0);
    if (pair == V_NULL) return false;
    if (!is_a_fast(vm, pair, T_TUPLE))
        ou_raise(vm, E_TYPE, "unexpected return type from as_integer_ratio(): expected tuple, not '%T'",
                 pair);
    else if (as_tuple(pair)->n != 2)
        ou_raise(vm, E_VALUE, "unexpected return type from as_integer_ratio(): expected 2-tuple");
    else if (!is_intlike(vm, as_tuple(pair)->items[0]) || !is_intlike(vm, as_tuple(pair)->items[1]))
        ou_raise(vm, E_TYPE, "unexpected return type from as_integer_ratio()");
    if (vm->exc != V_NULL) return release(vm, pair), false;
    *a = retain(as_tuple(pair)->items[0]);
    *b = retain(as_tuple(pair)->items[1]);
    release(vm, pair);
    return true;
}

static Value delta_mul(VM *vm, Value a, Value b) {
    Value d = is_delta(vm, a) ? a : b, x = d == a ? b : a, up, down;
    Type *cls = dt_state(vm)->delta;
    int64_t us, k;
    if (is_intlike(vm, x)) {
        if (is_small(x) && ou_dt_delta_fits(as_delta(d), &us) && !__builtin_mul_overflow(us, v_small(x), &k))
            return from_us(vm, cls, k);
        return from_int(vm, cls, op(vm, BIN_MUL, us_int(vm, as_delta(d)), ou_int_value(vm, x)));
    }
    if (!ou_is_floatlike(vm, x)) return V_NOTIMPL;
    if (!ratio(vm, x, &up, &down)) return V_NULL;
    return from_int(vm, cls, nearest(vm, op(vm, BIN_MUL, us_int(vm, as_delta(d)), up), down));
}

/* The microseconds of two timedeltas under an operator of ints. */
static Value of_both(VM *vm, BinOp what, Value a, Value b) {
    return op(vm, what, us_int(vm, as_delta(a)), us_int(vm, as_delta(b)));
}

static Value delta_floordiv(VM *vm, Value a, Value b) {
    int64_t x, y;
    if (!is_delta(vm, a)) return V_NOTIMPL;
    bool fits = ou_dt_delta_fits(as_delta(a), &x);
    if (is_delta(vm, b)) {
        if (fits && ou_dt_delta_fits(as_delta(b), &y) && y)
            return ou_int(vm, x / y - (x % y && (x < 0) != (y < 0)));
        return of_both(vm, BIN_FLOORDIV, a, b);
    }
    if (!is_intlike(vm, b)) return V_NOTIMPL;
    if (fits && is_small(b) && (y = v_small(b)) != 0)
        return from_us(vm, dt_state(vm)->delta, x / y - (x % y && (x < 0) != (y < 0)));
    return from_int(vm, dt_state(vm)->delta,
                    op(vm, BIN_FLOORDIV, us_int(vm, as_delta(a)), ou_int_value(vm, b)));
}

static bool is_exact_double(int64_t i) {
    return i <= INT64_C(1) << 53 && i >= -(INT64_C(1) << 53);
}

static Value delta_truediv(VM *vm, Value a, Value b) {
    int64_t x, y;
    Value up, down;
    if (!is_delta(vm, a)) return V_NOTIMPL;
    if (is_delta(vm, b)) {
        if (ou_dt_delta_fits(as_delta(a), &x) && ou_dt_delta_fits(as_delta(b), &y) && y &&
            is_exact_double(x) && is_exact_double(y))
            return v_float((double)x / (double)y);
        return of_both(vm, BIN_DIV, a, b);
    }
    Type *cls = dt_state(vm)->delta;
    if (is_intlike(vm, b))
        return from_int(vm, cls, nearest(vm, us_int(vm, as_delta(a)), ou_int_value(vm, b)));
    if (!ou_is_floatlike(vm, b)) return V_NOTIMPL;
    if (!ratio(vm, b, &up, &down)) return V_NULL;
    return from_int(vm, cls, nearest(vm, op(vm, BIN_MUL, us_int(vm, as_delta(a)), down), up));
}

static Value delta_mod(VM *vm, Value a, Value b) {
    if (!is_delta(vm, a) || !is_delta(vm, b)) return V_NOTIMPL;
    return from_int(vm, dt_state(vm)->delta, of_both(vm, BIN_MOD, a, b));
}

static Value delta_divmod(VM *vm, Value a, Value b) {
    if (!is_delta(vm, a) || !is_delta(vm, b)) return V_NOTIMPL;
    Value pair[2] = {of_both(vm, BIN_FLOORDIV, a, b), V_NULL};
    if (pair[0] == V_NULL) return V_NULL;
    if ((pair[1] = delta_mod(vm, a, b)) == V_NULL) return release(vm, pair[0]), V_NULL;
    return ou_tuple_take(vm, pair, 2);
}

static Value delta_compare(VM *vm, Value a, Value b, CmpOp what) {
    if (!is_delta(vm, a) || !is_delta(vm, b)) return V_NOTIMPL;
    return ou_dt_bool(ou_dt_delta_cmp(as_delta(a), as_delta(b)), what);
}

static Value triple(VM *vm, const Delta *d) {
    Value all[3] = {v_smallint(d->days), v_smallint(d->seconds), v_smallint(d->us)};
    return ou_tuple_of(vm, all, 3);
}

static bool delta_hash(VM *vm, Value self, int64_t *out) {
    Delta *d = as_delta(self);
    if (!d->hash) {
        Value t = triple(vm, d);
        bool ok = t != V_NULL && ou_hash(vm, t, &d->hash);
        xrelease(vm, t);
        if (!ok) return false;
    }
    *out = d->hash;
    return true;
}

static int delta_truth(VM *vm, Value self) {
    (void)vm;
    return as_delta(self)->days || as_delta(self)->seconds || as_delta(self)->us;
}

/* ---- text, methods -------------------------------------------------------------------------------------- */

static Value delta_repr(VM *vm, Value self) {
    const Delta *d = as_delta(self);
    char text[120], *p = text, *end = text + sizeof text;
    const char *sep = "";
    if (d->days) p += snprintf(p, (size_t)(end - p), "days=%d", d->days), sep = ", ";
    if (d->seconds) p += snprintf(p, (size_t)(end - p), "%sseconds=%d", sep, d->seconds), sep = ", ";
    if (d->us) p += snprintf(p, (size_t)(end - p), "%smicroseconds=%d", sep, d->us);
    if (p == text) snprintf(p, (size_t)(end - p), "0");
    return ou_str_format(vm, "%s(%s)", ou_tp_name(ou_type_of(vm, self)), text);
}

static Value delta_str(VM *vm, Value self) {
    const Delta *d = as_delta(self);
    char text[80], *p = text, *end = text + sizeof text;
    if (d->days)
        p += snprintf(p, (size_t)(end - p), "%d day%s, ", d->days, d->days == 1 || d->days == -1 ? "" : "s");
    p += snprintf(p, (size_t)(end - p), "%d:%02d:%02d", d->seconds / 3600, d->seconds / 60 % 60,
                  d->seconds % 60);
    if (d->us) p += snprintf(p, (size_t)(end - p), ".%06d", d->us);
    return ou_str_new(vm, text, (size_t)(p - text));
}

static Value delta_total_seconds(VM *vm, const Value *args, int n) {
    (void)n;
    int64_t us;
    if (ou_dt_delta_fits(as_delta(args[0]), &us) && is_exact_double(us)) return v_float((double)us / 1e6);
    return op(vm, BIN_DIV, us_int(vm, as_delta(args[0])), v_smallint(1000000));
}

static Value delta_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    Value t = triple(vm, as_delta(args[0]));
    if (t == V_NULL) return V_NULL;
    Value pair[2] = {retain(v_of(ou_type_of(vm, args[0]))), t};
    return ou_tuple_take(vm, pair, 2);
}

static Value delta_days(VM *vm, Value self) {
    return (void)vm, v_smallint(as_delta(self)->days);
}
static Value delta_seconds(VM *vm, Value self) {
    return (void)vm, v_smallint(as_delta(self)->seconds);
}
static Value delta_microseconds(VM *vm, Value self) {
    return (void)vm, v_smallint(as_delta(self)->us);
}

static const GetSetDef delta_getset[] = {
    {"days", delta_days, NULL, "Number of days."},
    {"seconds", delta_seconds, NULL, "Number of seconds (>= 0 and less than 1 day)."},
    {"microseconds", delta_microseconds, NULL, "Number of microseconds (>= 0 and less than 1 second)."},
    {0}};

static const NativeDef delta_methods[] = {
    {"total_seconds()", delta_total_seconds, "Total seconds in the duration.", 0},
    {"__reduce__()", delta_reduce, "__reduce__() -> (cls, state)", 0},
    {0}};

const TypeDef ou_dt_delta_def = {
    .name = "datetime.timedelta",
    .size = sizeof(Delta),
    .flags = TF_BASE,
    .slots = {.make = delta_make,
              .repr = delta_repr,
              .str = delta_str,
              .hash = delta_hash,
              .compare = delta_compare,
              .truth = delta_truth,
              .binary = {[BIN_ADD] = delta_add,
                         [BIN_SUB] = delta_sub,
                         [BIN_MUL] = delta_mul,
                         [BIN_DIV] = delta_truediv,
                         [BIN_FLOORDIV] = delta_floordiv,
                         [BIN_MOD] = delta_mod,
                         [BIN_DIVMOD] = delta_divmod},
              .unary = {[UN_NEG] = delta_neg, [UN_POS] = delta_pos, [UN_ABS] = delta_abs}},
    .methods = delta_methods,
    .getset = delta_getset,
    .doc = "Difference between two datetime values.\n\n"
           "timedelta(days=0, seconds=0, microseconds=0, milliseconds=0, minutes=0, hours=0, weeks=0)\n\n"
           "All arguments are optional and default to 0.\nArguments may be integers or floats, and may be "
           "positive or negative."};
