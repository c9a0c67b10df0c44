/* datetime.tzinfo, what asks a time zone for its offset, and timezone, the zone with a fixed one. */
#include "stdlib/datetime_impl.h"

/* ---- asking --------------------------------------------------------------------------------------------- */

Value ou_dt_offset(VM *vm, Value tz, const char *method, Value arg) {
    if (tz == V_NONE) return V_NONE;
    if (dt_is_exact(vm, tz, &ou_dt_timezone_def))
        return method[0] == 'u' ? retain(as_zone(tz)->offset) : V_NONE;
    Value off = ou_call_method_c(vm, tz, method, &arg, 1);
    if (off == V_NULL || off == V_NONE) return off;
    if (!dt_is(vm, off, &ou_dt_delta_def))
        ou_raise(vm, E_TYPE, "tzinfo.%s() must return None or timedelta, not '%.200s'", method,
                 ou_type_name(vm, off));
    else if (!ou_dt_delta_is_offset(as_delta(off)))
        ou_raise(vm, E_VALUE,
                 "offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24).");
    else
        return off;
    release(vm, off);
    return V_NULL;
}

Value ou_dt_tzname(VM *vm, Value tz, Value arg) {
    if (tz == V_NONE) return V_NONE;
    Value name = ou_call_method_c(vm, tz, "tzname", &arg, 1);
    if (name == V_NULL || name == V_NONE || ou_is_a(vm, name, T_STR)) return name;
    ou_raise(vm, E_TYPE, "tzinfo.tzname() must return None or a string, not '%s'", ou_type_name(vm, name));
    release(vm, name);
    return V_NULL;
}

/* ---- tzinfo --------------------------------------------------------------------------------------------- */

static Value tzinfo_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)args, (void)n, (void)kwnames;
    return v_of(ou_new(vm, cls, 0));
}

static Value tzinfo_tzname(VM *vm, const Value *args, int n) {
    (void)args, (void)n;
    return ou_raise(vm, E_NOT_IMPLEMENTED, "a tzinfo subclass must implement tzname()");
}
static Value tzinfo_utcoffset(VM *vm, const Value *args, int n) {
    (void)args, (void)n;
    return ou_raise(vm, E_NOT_IMPLEMENTED, "a tzinfo subclass must implement utcoffset()");
}
static Value tzinfo_dst(VM *vm, const Value *args, int n) {
    (void)args, (void)n;
    return ou_raise(vm, E_NOT_IMPLEMENTED, "a tzinfo subclass must implement dst()");
}

/* The two offsets of a datetime, owned; false: raised. */
static bool both_offsets(VM *vm, Value dt, Value *off, Value *dst) {
    Value tz = as_moment(dt)->tz;
    if ((*off = ou_dt_offset(vm, tz, "utcoffset", dt)) == V_NULL) return false;
    if (*off == V_NONE) return ou_raise(vm, E_VALUE, "fromutc: non-None utcoffset() result required"), false;
    if ((*dst = ou_dt_offset(vm, tz, "dst", dt)) != V_NULL && *dst != V_NONE) return true;
    if (*dst == V_NONE) ou_raise(vm, E_VALUE, "fromutc: non-None dst() result required");
    release(vm, *off);
    return false;
}

static Value tzinfo_fromutc(VM *vm, const Value *args, int n) {
    (void)n;
    Value dt = args[1], off, dst;
    if (!dt_is(vm, dt, &ou_dt_datetime_def))
        return ou_raise(vm, E_TYPE, "fromutc: argument must be a datetime");
    if (as_moment(dt)->tz != args[0]) return ou_raise(vm, E_VALUE, "fromutc: dt.tzinfo is not self");
    if (!both_offsets(vm, dt, &off, &dst)) return V_NULL;
    Value delta = ou_binary(vm, BIN_SUB, off, dst),
          moved = delta == V_NULL ? V_NULL : ou_dt_shift(vm, dt, delta, 1), result = V_NULL;
    release(vm, off);
    release(vm, dst);
    xrelease(vm, delta);
    if (moved == V_NULL) return V_NULL;
    dst = ou_dt_offset(vm, as_moment(dt)->tz, "dst", moved);
    if (dst == V_NONE)
        ou_raise(vm, E_VALUE, "fromutc: tz.dst() gave inconsistent results; cannot convert");
    else if (dst != V_NULL)
        result = ou_dt_shift(vm, moved, dst, 1);
    xrelease(vm, dst);
    release(vm, moved);
    return result;
}

static Value tzinfo_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    bool missing = false;
    Str *name = ou_intern_c(vm, "__getinitargs__");
    if (!name) return V_NULL;
    Value f = ou_getattr_opt(vm, args[0], name, &missing);
    obj_release(vm, name);
    if (f == V_NULL && !missing) return V_NULL;
    Value init = f == V_NULL ? retain(vm->empty_tuple) : ou_call0(vm, f);
    xrelease(vm, f);
    if (init == V_NULL) return V_NULL;
    Value state = ou_get_state(vm, args[0]);
    if (state == V_NULL) return release(vm, init), V_NULL;
    Value all[3] = {retain(v_of(ou_type_of(vm, args[0]))), init, state};
    return ou_tuple_take(vm, all, 3);
}

static const NativeDef tzinfo_methods[] = {
    {"tzname(dt, /)", tzinfo_tzname, "datetime -> string name of time zone.", 0},
    {"utcoffset(dt, /)", tzinfo_utcoffset,
     "datetime -> timedelta showing offset from UTC, negative values indicating West of UTC", 0},
    {"dst(dt, /)", tzinfo_dst, "datetime -> DST offset as timedelta positive east of UTC.", 0},
    {"fromutc(dt, /)", tzinfo_fromutc, "datetime in UTC -> datetime in local time.", 0},
    {"__reduce__()", tzinfo_reduce, "-> (cls, state)", 0},
    {0}};

const TypeDef ou_dt_tzinfo_def = {.name = "datetime.tzinfo",
                                  .size = sizeof(Obj),
                                  .flags = TF_BASE,
                                  .slots = {.make = tzinfo_make},
                                  .methods = tzinfo_methods,
                                  .doc = "Abstract base class for time zone info objects."};

/* ---- timezone ------------------------------------------------------------------------------------------- */

static Value new_zone(VM *vm, Value offset, Value name) {
    const Delta *d = as_delta(offset);
    if (!ou_dt_delta_is_offset(d))
        return ou_raise(vm, E_VALUE,
                        "offset must be a timedelta strictly between -timedelta(hours=24) and "
                        "timedelta(hours=24), not %R.",
                        offset);
    Value exact = dt_is_exact(vm, offset, &ou_dt_delta_def) ? retain(offset)
                                                            : ou_dt_delta(vm, d->days, d->seconds, d->us);
    Zone *z = exact == V_NULL ? NULL : ou_new(vm, dt_state(vm)->timezone, 0);
    if (!z) return xrelease(vm, exact), V_NULL;
    z->offset = exact;
    z->name = retain(name);
    return v_of(z);
}

Value ou_dt_zone(VM *vm, Value offset, Value name) {
    const Delta *d = as_delta(offset);
    if (name == V_NONE && !d->days && !d->seconds && !d->us) return retain(dt_state(vm)->utc);
    return new_zone(vm, offset, name);
}

static Value zone_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)cls;
    Value a[2];
    if (!ou_dt_args(vm, "timezone()", "offset|name", 1, 2, 2, args, n, kwnames, a)) return V_NULL;
    if (!dt_is(vm, a[0], &ou_dt_delta_def))
        return ou_raise(vm, E_TYPE, "timezone() argument 1 must be datetime.timedelta, not %K", a[0]);
    if (a[1] == V_NULL) return ou_dt_zone(vm, a[0], V_NONE);
    if (!ou_is_a(vm, a[1], T_STR))
        return ou_raise(vm, E_TYPE, "timezone() argument 2 must be str, not %K", a[1]);
    return new_zone(vm, a[0], a[1]);
}

static void zone_dealloc(VM *vm, Obj *o) {
    xrelease(vm, ((Zone *)o)->offset);
    xrelease(vm, ((Zone *)o)->name);
    ou_finish_dealloc(vm, o, 0);
}

static Value zone_repr(VM *vm, Value self) {
    Zone *z = as_zone(self);
    if (self == dt_state(vm)->utc) return ou_str_c(vm, "datetime.timezone.utc");
    const char *name = ou_tp_name(ou_type_of(vm, self));
    return z->name == V_NONE ? ou_str_format(vm, "%s(%R)", name, z->offset)
                             : ou_str_format(vm, "%s(%R, %R)", name, z->offset, z->name);
}

static Value zone_str(VM *vm, Value self) {
    Zone *z = as_zone(self);
    if (z->name != V_NONE) return retain(z->name);
    const Delta *d = as_delta(z->offset);
    if (!d->days && !d->seconds && !d->us) return ou_str_c(vm, "UTC");
    char text[32] = "UTC", *p = text + 3;
    ou_dt_put_offset(&p, d, ":");
    return ou_str_new(vm, text, (size_t)(p - text));
}

static bool zone_hash(VM *vm, Value self, int64_t *out) {
    return ou_hash(vm, as_zone(self)->offset, out);
}

static Value zone_compare(VM *vm, Value a, Value b, CmpOp op) {
    if ((op != CMP_EQ && op != CMP_NE) || !dt_is(vm, a, &ou_dt_timezone_def) ||
        !dt_is(vm, b, &ou_dt_timezone_def))
        return V_NOTIMPL;
    return ou_dt_bool(ou_dt_delta_cmp(as_delta(as_zone(a)->offset), as_delta(as_zone(b)->offset)), op);
}

static bool asked_well(VM *vm, Value dt, const char *method) {
    if (dt == V_NONE || dt_is(vm, dt, &ou_dt_datetime_def)) return true;
    return ou_raise(vm, E_TYPE, "%s(dt) argument must be a datetime instance or None, not %T", method, dt),
           false;
}

static Value zone_tzname(VM *vm, const Value *args, int n) {
    (void)n;
    return asked_well(vm, args[1], "tzname") ? zone_str(vm, args[0]) : V_NULL;
}
static Value zone_utcoffset(VM *vm, const Value *args, int n) {
    (void)n;
    return asked_well(vm, args[1], "utcoffset") ? retain(as_zone(args[0])->offset) : V_NULL;
}
static Value zone_dst(VM *vm, const Value *args, int n) {
    (void)n;
    return asked_well(vm, args[1], "dst") ? V_NONE : V_NULL;
}

static Value zone_fromutc(VM *vm, const Value *args, int n) {
    (void)n;
    if (!dt_is(vm, args[1], &ou_dt_datetime_def))
        return ou_raise(vm, E_TYPE, "fromutc: argument must be a datetime instance, not %T", args[1]);
    if (as_moment(args[1])->tz != args[0]) return ou_raise(vm, E_VALUE, "fromutc: dt.tzinfo is not self");
    return ou_dt_shift(vm, args[1], as_zone(args[0])->offset, 1);
}

static Value zone_getinitargs(VM *vm, const Value *args, int n) {
    (void)n;
    Value both[2] = {as_zone(args[0])->offset, as_zone(args[0])->name};
    return ou_tuple_of(vm, both, both[1] == V_NONE ? 1 : 2);
}

static const NativeDef zone_methods[] = {
    {"tzname(dt, /)", zone_tzname,
     "If name is specified when timezone is created, returns the name.  Otherwise returns offset as "
     "'UTC(+|-)HH:MM'.",
     0},
    {"utcoffset(dt, /)", zone_utcoffset, "Return fixed offset.", 0},
    {"dst(dt, /)", zone_dst, "Return None.", 0},
    {"fromutc(dt, /)", zone_fromutc, "datetime in UTC -> datetime in local time.", 0},
    {"__getinitargs__()", zone_getinitargs, "pickle support", 0},
    {0}};

const TypeDef ou_dt_timezone_def = {.name = "datetime.timezone",
                                    .size = sizeof(Zone),
                                    .slots = {.make = zone_make,
                                              .dealloc = zone_dealloc,
                                              .repr = zone_repr,
                                              .str = zone_str,
                                              .hash = zone_hash,
                                              .compare = zone_compare},
                                    .methods = zone_methods,
                                    .doc = "Fixed offset from UTC implementation of tzinfo."};
