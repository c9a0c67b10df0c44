/* datetime.datetime: construction, arithmetic, comparison, text. What needs a clock or local time is in
 * mod_datetime_clock.c. */
#include "stdlib/datetime_clock.h"

static bool is_full(VM *vm, Value v) {
    return dt_is(vm, v, &ou_dt_datetime_def);
}
static bool is_delta(VM *vm, Value v) {
    return dt_is(vm, v, &ou_dt_delta_def);
}
static Value offset_of(VM *vm, Value dt) {
    return ou_dt_offset(vm, as_moment(dt)->tz, "utcoffset", dt);
}
static Type *cls_of(const Value *args) {
    return (Type *)v_obj(args[0]);
}

/* ---- making --------------------------------------------------------------------------------------------- */

static Value from_state(VM *vm, Type *cls, const uint8_t *s, Value tz) {
    if (tz != V_NONE && !dt_is(vm, tz, &ou_dt_tzinfo_def))
        return ou_raise(vm, E_TYPE, "bad tzinfo state arg");
    DtFields f = {s[0] * 256 + s[1], s[2] & 127, s[3], s[4], s[5], s[6], s[7] << 16 | s[8] << 8 | s[9],
                  s[2] >> 7,         tz};
    return ou_dt_new(vm, cls, &f);
}

static Value full_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[9];
    uint8_t state[10];
    if (n >= 1 && n <= 2 && !kwnames && !is_small(args[0]) && ou_dt_read_state(vm, args[0], 10, state) &&
        (state[2] & 127) >= 1 && (state[2] & 127) <= 12)
        return from_state(vm, cls, state, n > 1 ? args[1] : V_NONE);
    if (!ou_dt_args(vm, "function", "year|month|day|hour|minute|second|microsecond|tzinfo|fold", 3, 9, 8,
                    args, n, kwnames, a))
        return V_NULL;
    DtFields f = {.tz = a[7] == V_NULL ? V_NONE : a[7]};
    if (!ou_dt_int(vm, a[0], &f.year) || !ou_dt_int(vm, a[1], &f.month) || !ou_dt_int(vm, a[2], &f.day) ||
        !ou_dt_int(vm, a[3], &f.hour) || !ou_dt_int(vm, a[4], &f.minute) || !ou_dt_int(vm, a[5], &f.second) ||
        !ou_dt_int(vm, a[6], &f.us) || !ou_dt_int(vm, a[8], &f.fold) || !ou_dt_check_date(vm, &f) ||
        !ou_dt_check_time(vm, &f))
        return V_NULL;
    return ou_dt_new(vm, cls, &f);
}

static Value full_combine(VM *vm, const Value *args, int n) {
    (void)n;
    Value date = args[1], time = args[2];
    if (!dt_is(vm, date, &ou_dt_date_def))
        return ou_raise(vm, E_TYPE, "combine() argument 1 must be datetime.date, not %K", date);
    if (!dt_is(vm, time, &ou_dt_time_def))
        return ou_raise(vm, E_TYPE, "combine() argument 2 must be datetime.time, not %K", time);
    DtFields f = ou_dt_fields(as_moment(time));
    f.year = as_moment(date)->year, f.month = as_moment(date)->month, f.day = as_moment(date)->day;
    if (args[3] != V_NULL) f.tz = args[3];
    return ou_dt_call_full(vm, cls_of(args), &f);
}

static Value full_fromisoformat(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "fromisoformat: argument must be str");
    const Str *s = as_str(args[1]);
    DtFields f = {.tz = V_NONE};
    DtOffset offset = {0};
    bool ok = s->size >= 7;
    size_t end = ok ? ou_dt_find_time(s->data, s->size, &ok) : 0;
    if (end > s->size) end = s->size;
    ok = ok && ou_dt_parse_date(s->data, end, &f);
    if (ok && end < s->size) { /* one character of any kind, then the time */
        do end++;
        while (((unsigned char)s->data[end] & 0xC0) == 0x80);
        ok = ou_dt_parse_time(s->data + end, s->size - end, &f, &offset);
    }
    if (!ok) return ou_raise(vm, E_VALUE, "Invalid isoformat string: %R", args[1]);
    Value tz = f.tz = ou_dt_parsed_zone(vm, &offset);
    if (tz == V_NULL) return V_NULL;
    Value v = ou_dt_call_full(vm, cls_of(args), &f);
    release(vm, tz);
    return v;
}

static Value full_strptime(VM *vm, const Value *args, int n) {
    for (int i = 1; i <= 2; i++)
        if (!ou_is_a(vm, args[i], T_STR))
            return ou_raise(vm, E_TYPE, "strptime() argument %d must be str, not %K", i, args[i]);
    Value f = ou_import_attr(vm, "_strptime", "_strptime_datetime"),
          v = f == V_NULL ? V_NULL : ou_call(vm, f, args, n, NULL);
    xrelease(vm, f);
    return v;
}

static Value full_replace(VM *vm, const Value *args, int n) {
    (void)n;
    DtFields f = ou_dt_fields(as_moment(args[0]));
    if (args[8] != V_NULL) f.tz = args[8];
    if (!ou_dt_int(vm, args[1], &f.year) || !ou_dt_int(vm, args[2], &f.month) ||
        !ou_dt_int(vm, args[3], &f.day) || !ou_dt_int(vm, args[4], &f.hour) ||
        !ou_dt_int(vm, args[5], &f.minute) || !ou_dt_int(vm, args[6], &f.second) ||
        !ou_dt_int(vm, args[7], &f.us) || !ou_dt_int(vm, args[9], &f.fold))
        return V_NULL;
    if (f.fold != 0 && f.fold != 1) return ou_raise(vm, E_VALUE, "fold must be either 0 or 1");
    return ou_dt_call_full(vm, ou_type_of(vm, args[0]), &f);
}

/* ---- arithmetic ----------------------------------------------------------------------------------------- */

Value ou_dt_shift(VM *vm, Value self, Value delta, int sign) {
    const Moment *m = as_moment(self);
    const Delta *d = as_delta(delta);
    int64_t days = ou_dt_ordinal(m->year, m->month, m->day) + sign * (int64_t)d->days;
    int64_t us = (m->hour * 3600 + m->minute * 60 + m->second + sign * (int64_t)d->seconds) * 1000000 +
                 m->us + sign * (int64_t)d->us;
    while (us < 0) us += DT_DAY_US, days--;
    days += us / DT_DAY_US;
    us %= DT_DAY_US;
    if (days < 1 || days > DT_MAX_ORDINAL) return ou_raise(vm, E_OVERFLOW, "date value out of range");
    DtFields f = {.tz = m->tz};
    ou_dt_from_ordinal(days, &f.year, &f.month, &f.day);
    int seconds = (int)(us / 1000000);
    f.hour = seconds / 3600, f.minute = seconds / 60 % 60, f.second = seconds % 60,
    f.us = (int)(us % 1000000);
    Type *cls = ou_type_of(vm, self);
    return cls->def ? ou_dt_new(vm, cls, &f) : ou_dt_call_full(vm, cls, &f);
}

Value ou_dt_subtract(VM *vm, Value a, Value b) {
    int64_t us = ou_dt_us(as_moment(a)) - ou_dt_us(as_moment(b));
    if (as_moment(a)->tz == as_moment(b)->tz) return ou_dt_delta_us(vm, us);
    Value p = offset_of(vm, a), q = p == V_NULL ? V_NULL : offset_of(vm, b), v = V_NULL;
    int64_t x = 0, y = 0;
    if (q == V_NULL) {
    } else if ((p == V_NONE) != (q == V_NONE)) {
        ou_raise(vm, E_TYPE, "can't subtract offset-naive and offset-aware datetimes");
    } else {
        if (p != V_NONE) ou_dt_delta_fits(as_delta(p), &x), ou_dt_delta_fits(as_delta(q), &y);
        v = ou_dt_delta_us(vm, us - x + y);
    }
    xrelease(vm, p);
    xrelease(vm, q);
    return v;
}

static Value full_add(VM *vm, Value a, Value b) {
    if (is_full(vm, a)) return is_delta(vm, b) ? ou_dt_shift(vm, a, b, 1) : V_NOTIMPL;
    return is_delta(vm, a) ? ou_dt_shift(vm, b, a, 1) : V_NOTIMPL;
}

static Value full_sub(VM *vm, Value a, Value b) {
    if (!is_full(vm, a)) return V_NOTIMPL;
    if (is_full(vm, b)) return ou_dt_subtract(vm, a, b);
    return is_delta(vm, b) ? ou_dt_shift(vm, a, b, -1) : V_NOTIMPL;
}

/* ---- comparison ----------------------------------------------------------------------------------------- */

/* Whether the offset depends on the fold: such times equal nothing in another zone (PEP 495). 1, 0, -1. */
static int is_ambiguous(VM *vm, Value dt, Value offset) {
    if (dt_is_exact(vm, as_moment(dt)->tz, &ou_dt_timezone_def)) return 0;
    DtFields f = ou_dt_fields(as_moment(dt));
    f.fold = !f.fold;
    Value other = ou_dt_new(vm, dt_state(vm)->datetime, &f),
          off = other == V_NULL ? V_NULL : offset_of(vm, other);
    xrelease(vm, other);
    if (off == V_NULL) return -1;
    int differs = off == V_NONE || offset == V_NONE ? off != offset
                                                    : ou_dt_delta_cmp(as_delta(off), as_delta(offset)) != 0;
    release(vm, off);
    return differs;
}

static Value full_compare(VM *vm, Value a, Value b, CmpOp op) {
    if (!is_full(vm, a) || !is_full(vm, b)) return V_NOTIMPL;
    uint64_t x = ou_dt_key(as_moment(a)), y = ou_dt_key(as_moment(b));
    if (as_moment(a)->tz == as_moment(b)->tz) return ou_dt_bool(x < y ? -1 : x > y, op);
    bool equality = op == CMP_EQ || op == CMP_NE;
    Value p = offset_of(vm, a), q = p == V_NULL ? V_NULL : offset_of(vm, b), v = V_NULL;
    if (q == V_NULL) {
        xrelease(vm, p);
        return V_NULL;
    }
    if ((p == V_NONE) != (q == V_NONE)) {
        v = equality ? v_bool(op == CMP_NE)
                     : ou_raise(vm, E_TYPE, "can't compare offset-naive and offset-aware datetimes");
    } else {
        int64_t m = 0, n = 0;
        if (p != V_NONE) ou_dt_delta_fits(as_delta(p), &m), ou_dt_delta_fits(as_delta(q), &n);
        m = ou_dt_us(as_moment(a)) - m, n = ou_dt_us(as_moment(b)) - n;
        int cmp = m < n ? -1 : m > n, odd = 0;
        if (equality && cmp == 0 && (odd = is_ambiguous(vm, a, p)) == 0) odd = is_ambiguous(vm, b, q);
        if (odd >= 0) v = ou_dt_bool(odd ? 1 : cmp, op);
    }
    release(vm, p);
    release(vm, q);
    return v;
}

static void full_state(const Moment *m, uint8_t *s, bool fold) {
    s[0] = (uint8_t)(m->year >> 8), s[1] = (uint8_t)m->year,
    s[2] = (uint8_t)(m->month | (fold && m->fold ? 128 : 0)), s[3] = m->day;
    s[4] = m->hour, s[5] = m->minute, s[6] = m->second;
    s[7] = (uint8_t)(m->us >> 16), s[8] = (uint8_t)(m->us >> 8), s[9] = (uint8_t)m->us;
}

static bool full_hash(VM *vm, Value self, int64_t *out) {
    Moment *m = as_moment(self);
    if (!m->hash) {
        Value first = V_NULL, off;
        if (m->fold && m->tz != V_NONE) {
            DtFields f = ou_dt_fields(m);
            f.fold = 0;
            if ((first = ou_dt_new(vm, dt_state(vm)->datetime, &f)) == V_NULL) return false;
        }
        off = offset_of(vm, first == V_NULL ? self : first);
        xrelease(vm, first);
        if (off == V_NULL) return false;
        uint8_t s[10];
        full_state(m, s, false);
        int64_t hash = ou_hash_bytes(vm, s, sizeof s), us;
        bool ok = true;
        if (off != V_NONE) {
            ou_dt_delta_fits(as_delta(off), &us);
            Value d = ou_dt_delta_us(vm, ou_dt_us(m) - us);
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

static Value full_repr(VM *vm, Value self) {
    const Moment *m = as_moment(self);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, ou_tp_name(ou_type_of(vm, self)));
    ou_sb_printf(&b, "(%d, %d, %d, %d, %d", m->year, m->month, m->day, m->hour, m->minute);
    return ou_dt_repr_end(&b, m);
}

static Value text_with(VM *vm, Value self, const char *sep, size_t sep_size, Value timespec) {
    const Moment *m = as_moment(self);
    char text[64], *p = text;
    ou_dt_put_date(&p, m);
    memcpy(p, sep, sep_size);
    p += sep_size;
    if (!ou_dt_put_time(vm, &p, m, timespec)) return V_NULL;
    if (m->tz != V_NONE) {
        Value off = offset_of(vm, self);
        if (off == V_NULL) return V_NULL;
        if (off != V_NONE) ou_dt_put_offset(&p, as_delta(off), ":");
        release(vm, off);
    }
    return ou_str_new(vm, text, (size_t)(p - text));
}

static Value full_isoformat(VM *vm, const Value *args, int n) {
    (void)n;
    if (args[1] == V_NULL) return text_with(vm, args[0], "T", 1, args[2]);
    if (!ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "isoformat() argument 1 must be a unicode character, not %T", args[1]);
    const Str *sep = as_str(args[1]);
    if (sep->length != 1)
        return ou_raise(vm, E_TYPE, "isoformat() argument 1 must be a unicode character, not %T", args[1]);
    return text_with(vm, args[0], sep->data, sep->size, args[2]);
}

static Value full_str(VM *vm, Value self) {
    if (ou_type_of(vm, self)->def) return text_with(vm, self, " ", 1, V_NULL);
    Value sep = ou_str_c(vm, " ");
    if (sep == V_NULL) return V_NULL;
    Value v = ou_call_method_c(vm, self, "isoformat", &sep, 1);
    release(vm, sep);
    return v;
}

/* ---- the rest ------------------------------------------------------------------------------------------- */

static Value full_date(VM *vm, const Value *args, int n) {
    (void)n;
    DtFields f = ou_dt_fields(as_moment(args[0]));
    return ou_dt_new(vm, dt_state(vm)->date, &f);
}

static Value full_timetz(VM *vm, const Value *args, int n) {
    (void)n;
    DtFields f = ou_dt_fields(as_moment(args[0]));
    f.year = f.month = f.day = 0;
    return ou_dt_new(vm, dt_state(vm)->time, &f);
}
static Value full_time(VM *vm, const Value *args, int n) {
    (void)n;
    DtFields f = ou_dt_fields(as_moment(args[0]));
    f.year = f.month = f.day = 0;
    f.tz = V_NONE;
    return ou_dt_new(vm, dt_state(vm)->time, &f);
}

static Value full_utcoffset(VM *vm, const Value *args, int n) {
    return (void)n, offset_of(vm, args[0]);
}
static Value full_dst(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_offset(vm, as_moment(args[0])->tz, "dst", args[0]);
}
static Value full_tzname(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_tzname(vm, as_moment(args[0])->tz, args[0]);
}

static Value reduce(VM *vm, Value self, bool fold) {
    uint8_t s[10];
    full_state(as_moment(self), s, fold);
    return ou_dt_reduced(vm, self, s, sizeof s);
}
static Value full_reduce_ex(VM *vm, const Value *args, int n) {
    (void)n;
    int protocol = 0;
    return ou_dt_int(vm, args[1], &protocol) ? reduce(vm, args[0], protocol > 3) : V_NULL;
}
static Value full_reduce(VM *vm, const Value *args, int n) {
    return (void)n, reduce(vm, args[0], false);
}

#define REPLACE                                                                                             \
    "(year=unchanged, month=unchanged, day=unchanged, hour=unchanged, minute=unchanged, second=unchanged, " \
    "microsecond=unchanged, "                                                                               \
    "tzinfo=unchanged, *, fold=unchanged)"
static const NativeDef full_methods[] = {
    {"now(tz=None)", ou_dt_now,
     "Returns new datetime object representing current time local to tz.\n\n  tz\n    Timezone object.\n\nIf "
     "no tz is specified, uses local timezone.",
     ND_CLASS},
    {"utcnow()", ou_dt_utcnow, "Return a new datetime representing UTC day and time.", ND_CLASS},
    {"fromtimestamp(timestamp, tz=None)", ou_dt_fromtimestamp,
     "timestamp[, tz] -> tz's local time from POSIX timestamp.", ND_CLASS},
    {"utcfromtimestamp(timestamp, /)", ou_dt_utcfromtimestamp,
     "Construct a naive UTC datetime from a POSIX timestamp.", ND_CLASS},
    {"strptime(date_string, format, /)", full_strptime,
     "string, format -> new datetime parsed from a string (like time.strptime()).", ND_CLASS},
    {"combine(date, time, tzinfo=unchanged)", full_combine,
     "date, time -> datetime with same date and time fields", ND_CLASS},
    {"fromisoformat(string, /)", full_fromisoformat,
     "string -> datetime from a string in most ISO 8601 formats", ND_CLASS},
    {"date()", full_date, "Return date object with same year, month and day.", 0},
    {"time()", full_time, "Return time object with same time but with tzinfo=None.", 0},
    {"timetz()", full_timetz, "Return time object with same time and tzinfo.", 0},
    {"timetuple()", ou_dt_timetuple, "Return time tuple, compatible with time.localtime().", 0},
    {"timestamp()", ou_dt_timestamp, "Return POSIX timestamp as float.", 0},
    {"utctimetuple()", ou_dt_utctimetuple, "Return UTC time tuple, compatible with time.localtime().", 0},
    {"isoformat(sep='T', timespec='auto')", full_isoformat,
     "[sep] -> string in ISO 8601 format, YYYY-MM-DDT[HH[:MM[:SS[.mmm[uuu]]]]][+HH:MM].\nsep is used to "
     "separate the year from the time, and defaults to 'T'.\nThe optional argument timespec specifies the "
     "number of additional terms\nof the time to include. Valid options are 'auto', 'hours', "
     "'minutes',\n'seconds', 'milliseconds' and 'microseconds'.\n",
     0},
    {"utcoffset()", full_utcoffset, "Return self.tzinfo.utcoffset(self).", 0},
    {"tzname()", full_tzname, "Return self.tzinfo.tzname(self).", 0},
    {"dst()", full_dst, "Return self.tzinfo.dst(self).", 0},
    {"replace" REPLACE, full_replace, "Return datetime with new specified fields.", 0},
    {"__replace__" REPLACE, full_replace, "The same as replace().", 0},
    {"astimezone(tz=None)", ou_dt_astimezone, "tz -> convert to local time in new timezone tz\n", 0},
    {"__reduce_ex__(proto, /)", full_reduce_ex, "__reduce_ex__(proto) -> (cls, state)", 0},
    {"__reduce__()", full_reduce, "__reduce__() -> (cls, state)", 0},
    {0}};

const TypeDef ou_dt_datetime_def = {
    .name = "datetime.datetime",
    .size = sizeof(Moment),
    .flags = TF_BASE | TF_GC,
    .slots = {.make = full_make,
              .dealloc = ou_dt_moment_dealloc,
              .traverse = ou_dt_moment_traverse,
              .repr = full_repr,
              .str = full_str,
              .hash = full_hash,
              .compare = full_compare,
              .binary = {[BIN_ADD] = full_add, [BIN_SUB] = full_sub}},
    .methods = full_methods,
    .getset = ou_dt_clock_getset,
    .doc = "datetime(year, month, day[, hour[, minute[, second[, microsecond[,tzinfo]]]]])\n\n"
           "The year, month and day arguments are required. tzinfo may be None, or an\n"
           "instance of a tzinfo subclass. The remaining arguments may be ints."};
