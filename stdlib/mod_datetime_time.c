/* datetime.time: a time of day, perhaps with a time zone. */
#include "stdlib/datetime_impl.h"

static bool is_time(VM *vm, Value v) {
    return dt_is(vm, v, &ou_dt_time_def);
}

void ou_dt_moment_dealloc(VM *vm, Obj *o) {
    xrelease(vm, ((Moment *)o)->tz);
    ou_finish_dealloc(vm, o, 0);
}
void ou_dt_moment_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    (void)vm;
    ou_visit(vm, ((Moment *)o)->tz, visit, arg);
}

/* ---- making --------------------------------------------------------------------------------------------- */

static Value from_state(VM *vm, Type *cls, const uint8_t *s, Value tz) {
    if (tz != V_NONE && !dt_is(vm, tz, &ou_dt_tzinfo_def))
        return ou_raise(vm, E_TYPE, "bad tzinfo state arg");
    DtFields f = {.hour = s[0] & 127,
                  .minute = s[1],
                  .second = s[2],
                  .us = s[3] << 16 | s[4] << 8 | s[5],
                  .fold = s[0] >> 7,
                  .tz = tz};
    return ou_dt_new(vm, cls, &f);
}

static Value time_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[6];
    uint8_t state[6];
    if (n >= 1 && n <= 2 && !kwnames && !is_small(args[0]) && ou_dt_read_state(vm, args[0], 6, state) &&
        (state[0] & 127) < 24)
        return from_state(vm, cls, state, n > 1 ? args[1] : V_NONE);
    if (!ou_dt_args(vm, "function", "hour|minute|second|microsecond|tzinfo|fold", 0, 6, 5, args, n, kwnames,
                    a))
        return V_NULL;
    DtFields f = {.tz = a[4] == V_NULL ? V_NONE : a[4]};
    if (!ou_dt_int(vm, a[0], &f.hour) || !ou_dt_int(vm, a[1], &f.minute) || !ou_dt_int(vm, a[2], &f.second) ||
        !ou_dt_int(vm, a[3], &f.us) || !ou_dt_int(vm, a[5], &f.fold) || !ou_dt_check_time(vm, &f))
        return V_NULL;
    return ou_dt_new(vm, cls, &f);
}

static Value time_fromisoformat(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "fromisoformat: argument must be str");
    const Str *s = as_str(args[1]);
    size_t skip = s->size && s->data[0] == 'T';
    DtFields f = {.tz = V_NONE};
    DtOffset offset;
    if (!ou_dt_parse_time(s->data + skip, s->size - skip, &f, &offset))
        return ou_raise(vm, E_VALUE, "Invalid isoformat string: %R", args[1]);
    Value tz = f.tz = ou_dt_parsed_zone(vm, &offset);
    if (tz == V_NULL) return V_NULL;
    Value v = ou_dt_call_time(vm, (Type *)v_obj(args[0]), &f);
    release(vm, tz);
    return v;
}

static Value time_replace(VM *vm, const Value *args, int n) {
    (void)n;
    DtFields f = ou_dt_fields(as_moment(args[0]));
    if (args[5] != V_NULL) f.tz = args[5];
    if (!ou_dt_int(vm, args[1], &f.hour) || !ou_dt_int(vm, args[2], &f.minute) ||
        !ou_dt_int(vm, args[3], &f.second) || !ou_dt_int(vm, args[4], &f.us) ||
        !ou_dt_int(vm, args[6], &f.fold))
        return V_NULL;
    if (f.fold != 0 && f.fold != 1) return ou_raise(vm, E_VALUE, "fold must be either 0 or 1");
    return ou_dt_call_time(vm, ou_type_of(vm, args[0]), &f);
}

/* ---- comparison ----------------------------------------------------------------------------------------- */

static int64_t day_us(const Moment *m) {
    return (m->hour * 3600 + m->minute * 60 + m->second) * INT64_C(1000000) + m->us;
}

static int64_t offset_us(Value off) {
    int64_t us = 0;
    if (off != V_NONE) ou_dt_delta_fits(as_delta(off), &us);
    return us;
}

static Value time_compare(VM *vm, Value a, Value b, CmpOp op) {
    if (!is_time(vm, a) || !is_time(vm, b)) return V_NOTIMPL;
    int64_t x = day_us(as_moment(a)), y = day_us(as_moment(b));
    if (as_moment(a)->tz != as_moment(b)->tz) {
        Value p = ou_dt_offset(vm, as_moment(a)->tz, "utcoffset", V_NONE),
              q = p == V_NULL ? V_NULL : ou_dt_offset(vm, as_moment(b)->tz, "utcoffset", V_NONE);
        if (q == V_NULL) return xrelease(vm, p), V_NULL;
        bool mixed = (p == V_NONE) != (q == V_NONE);
        x -= offset_us(p);
        y -= offset_us(q);
        release(vm, p);
        release(vm, q);
        if (mixed) {
            if (op == CMP_EQ || op == CMP_NE) return v_bool(op == CMP_NE);
            return ou_raise(vm, E_TYPE, "can't compare offset-naive and offset-aware times");
        }
    }
    return ou_dt_bool(x < y ? -1 : x > y, op);
}

static void time_state(const Moment *m, uint8_t *s, bool fold) {
    s[0] = (uint8_t)(m->hour | (fold && m->fold ? 128 : 0)), s[1] = m->minute, s[2] = m->second;
    s[3] = (uint8_t)(m->us >> 16), s[4] = (uint8_t)(m->us >> 8), s[5] = (uint8_t)m->us;
}

static bool time_hash(VM *vm, Value self, int64_t *out) {
    Moment *m = as_moment(self);
    if (!m->hash) {
        Value off = ou_dt_offset(vm, m->tz, "utcoffset", V_NONE);
        if (off == V_NULL) return false;
        uint8_t s[6];
        time_state(m, s, false);
        int64_t hash = ou_hash_bytes(vm, s, sizeof s);
        bool ok = true;
        if (off != V_NONE) { /* the hash of the distance from midnight in UTC */
            Value d = ou_dt_delta_us(vm, day_us(m) - offset_us(off));
            ok = d != V_NULL && ou_hash(vm, d, &hash);
            xrelease(vm, d);
        }
        release(vm, off);
        if (!ok) return false;
        m->hash = hash;
    }
    *out = m->hash;
    return true;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

/* The fold stands before the zone of a datetime and behind that of a time. */
Value ou_dt_repr_end(StrBuf *b, const Moment *m) {
    if (m->second || m->us) ou_sb_printf(b, ", %d", m->second);
    if (m->us) ou_sb_printf(b, ", %d", m->us);
    bool first = m->fold && m->month;
    if (first) ou_sb_puts(b, ", fold=1");
    if (m->tz != V_NONE) {
        ou_sb_puts(b, ", tzinfo=");
        if (!ou_sb_repr(b, m->tz)) return ou_sb_drop(b), V_NULL;
    }
    ou_sb_puts(b, m->fold && !first ? ", fold=1)" : ")");
    return ou_sb_finish(b);
}

static Value time_repr(VM *vm, Value self) {
    const Moment *m = as_moment(self);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, ou_tp_name(ou_type_of(vm, self)));
    ou_sb_printf(&b, "(%d, %d", m->hour, m->minute);
    return ou_dt_repr_end(&b, m);
}

static Value time_isoformat(VM *vm, const Value *args, int n) {
    char text[64], *p = text;
    if (!ou_dt_put_time(vm, &p, as_moment(args[0]), n > 1 ? args[1] : V_NULL)) return V_NULL;
    Value off = ou_dt_offset(vm, as_moment(args[0])->tz, "utcoffset", V_NONE);
    if (off == V_NULL) return V_NULL;
    if (off != V_NONE) ou_dt_put_offset(&p, as_delta(off), ":");
    release(vm, off);
    return ou_str_new(vm, text, (size_t)(p - text));
}
static Value time_str(VM *vm, Value self) {
    return ou_type_of(vm, self)->def ? time_isoformat(vm, &self, 1)
                                     : ou_call_method_c(vm, self, "isoformat", NULL, 0);
}

static Value time_strftime(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_strftime(vm, args[0], args[1], V_NONE);
}
static Value time_format(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_format(vm, args[0], args[1]);
}

/* ---- the rest ------------------------------------------------------------------------------------------- */

static Value time_utcoffset(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_offset(vm, as_moment(args[0])->tz, "utcoffset", V_NONE);
}
static Value time_dst(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_offset(vm, as_moment(args[0])->tz, "dst", V_NONE);
}
static Value time_tzname(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_tzname(vm, as_moment(args[0])->tz, V_NONE);
}

static Value reduce(VM *vm, Value self, bool fold) {
    uint8_t s[6];
    time_state(as_moment(self), s, fold);
    return ou_dt_reduced(vm, self, s, sizeof s);
}
static Value time_reduce_ex(VM *vm, const Value *args, int n) {
    (void)n;
    int protocol = 0;
    return ou_dt_int(vm, args[1], &protocol) ? reduce(vm, args[0], protocol > 3) : V_NULL;
}
static Value time_reduce(VM *vm, const Value *args, int n) {
    return (void)n, reduce(vm, args[0], false);
}

Value ou_dt_reduced(VM *vm, Value self, const uint8_t *state, size_t size) {
    Value tz = as_moment(self)->tz, bytes = ou_bytes_new(vm, state, size);
    if (bytes == V_NULL) return V_NULL;
    Value parts[2] = {bytes, retain(tz)};
    Value inner = ou_tuple_take(vm, parts, tz == V_NONE ? 1 : 2);
    if (inner == V_NULL) return V_NULL;
    Value pair[2] = {retain(v_of(ou_type_of(vm, self))), inner};
    return ou_tuple_take(vm, pair, 2);
}

static Value time_hour(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->hour);
}
static Value time_minute(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->minute);
}
static Value time_second(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->second);
}
static Value time_microsecond(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->us);
}
static Value time_tzinfo(VM *vm, Value self) {
    return (void)vm, retain(as_moment(self)->tz);
}
static Value time_fold(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->fold);
}

const GetSetDef ou_dt_clock_getset[] = {{"hour", time_hour, NULL, NULL},
                                        {"minute", time_minute, NULL, NULL},
                                        {"second", time_second, NULL, NULL},
                                        {"microsecond", time_microsecond, NULL, NULL},
                                        {"tzinfo", time_tzinfo, NULL, NULL},
                                        {"fold", time_fold, NULL, NULL},
                                        {0}};

#define REPLACE                                                                                         \
    "(hour=unchanged, minute=unchanged, second=unchanged, microsecond=unchanged, tzinfo=unchanged, *, " \
    "fold=unchanged)"
static const NativeDef time_methods[] = {
    {"isoformat(timespec='auto')", time_isoformat,
     "Return string in ISO 8601 format, [HH[:MM[:SS[.mmm[uuu]]]]][+HH:MM].\n\nThe optional argument timespec "
     "specifies the number of additional terms\nof the time to include. Valid options are 'auto', 'hours', "
     "'minutes',\n'seconds', 'milliseconds' and 'microseconds'.\n",
     0},
    {"strftime(format)", time_strftime, "format -> strftime() style string.", 0},
    {"__format__(format_spec, /)", time_format, "Formats self with strftime.", 0},
    {"utcoffset()", time_utcoffset, "Return self.tzinfo.utcoffset(self).", 0},
    {"tzname()", time_tzname, "Return self.tzinfo.tzname(self).", 0},
    {"dst()", time_dst, "Return self.tzinfo.dst(self).", 0},
    {"replace" REPLACE, time_replace, "Return time with new specified fields.", 0},
    {"__replace__" REPLACE, time_replace, "The same as replace().", 0},
    {"fromisoformat(string, /)", time_fromisoformat, "string -> time from a string in ISO 8601 format",
     ND_CLASS},
    {"__reduce_ex__(proto, /)", time_reduce_ex, "__reduce_ex__(proto) -> (cls, state)", 0},
    {"__reduce__()", time_reduce, "__reduce__() -> (cls, state)", 0},
    {0}};

const TypeDef ou_dt_time_def = {
    .name = "datetime.time",
    .size = sizeof(Moment),
    .flags = TF_BASE | TF_GC,
    .slots = {.make = time_make,
              .dealloc = ou_dt_moment_dealloc,
              .traverse = ou_dt_moment_traverse,
              .repr = time_repr,
              .str = time_str,
              .hash = time_hash,
              .compare = time_compare},
    .methods = time_methods,
    .getset = ou_dt_clock_getset,
    .doc = "time([hour[, minute[, second[, microsecond[, tzinfo]]]]]) --> a time object\n\n"
           "All arguments are optional. tzinfo may be None, or an instance of\na tzinfo subclass. The "
           "remaining arguments may be ints."};
