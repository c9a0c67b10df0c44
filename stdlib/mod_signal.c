/* `_signal`: handlers of scripts, and the interpreter's own SIGINT (Ctrl-C).
 *
 * A signal only sets a bit in its VM, asks for attention and wakes the loop; the handler runs at the next safepoint of the main
 * thread (run_handlers, the VM's on_signals hook). The one process-wide thing is `owner`: which VM hears of a signal. It has
 * to be, because the kernel's dispositions are process-wide and a C handler gets nothing but the number; it is a table of
 * atomic pointers, one a signal, taken with a compare-and-swap at boot (first VM with the capability) or by signal.signal(). */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <uv.h>

#include "runtime/loop/threads.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

enum { SIGNALS = 65 };

typedef struct SignalState {
    Value handlers[SIGNALS]; /* V_NULL: not looked at yet; 0 SIG_DFL, 1 SIG_IGN, None: set by others, else a callable */
    Value itimer_error;
    uint64_t pending;        /* bit sig - 1; atomic */
    int wakeup_fd;           /* plus one: 0 means none */
    bool booted;
    struct sigaction old_int, old_pipe;
} SignalState;

static VM **owner(int sig)
{
    static VM *table[SIGNALS];
    return &table[sig];
}

static SignalState *state(VM *vm) { return ou_module_record(vm, MOD__signal, sizeof(SignalState)); }

/* ---- the C side ---- */

static void mark(VM *vm, SignalState *s, int sig)
{
    __atomic_fetch_or(&s->pending, (uint64_t)1 << (sig - 1), __ATOMIC_RELAXED);
    ou_attention(vm, ATT_SIGNAL);
    uv_async_t *wake = vm->interrupt_wake;
    if (wake)
        uv_async_send(wake);
    if (s->wakeup_fd) {
        unsigned char byte = (unsigned char)sig;
        ssize_t put = write(s->wakeup_fd - 1, &byte, 1);
        (void)put;
    }
}

static void on_signal(int sig)
{
    int saved = errno;
    VM *vm = __atomic_load_n(owner(sig), __ATOMIC_ACQUIRE);
    if (vm) {
        /* A blocking call of the main thread has to be interrupted, wherever the kernel delivered the signal. */
        if ((uint64_t)pthread_self() != vm->main_thread.ident)
            pthread_kill((pthread_t)vm->main_thread.ident, sig);
        else
            mark(vm, vm->module_state[MOD__signal], sig);
    }
    errno = saved;
}

static bool install(int sig, void (*fn)(int), struct sigaction *old)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = fn;
    return sigaction(sig, &sa, old) == 0;
}

/* ---- at safepoints ---- */

static Value current_frame(VM *vm)
{
    Value get = ou_dict_get_c(vm, vm->sysdict, "_getframe"), f = get == V_NULL ? V_NULL : ou_call0(vm, get);
    if (f == V_NULL)
        ou_exc_clear(vm);
    return f == V_NULL ? V_NONE : f;
}

static bool call_handler(VM *vm, Value handler, int sig)
{
    retain(handler);
    Value frame = current_frame(vm);
    Value r = ou_call2(vm, handler, v_smallint(sig), frame);
    release(vm, frame);
    release(vm, handler);
    xrelease(vm, r);
    return r != V_NULL;
}

static bool run_handlers(VM *vm, uint32_t why)
{
    SignalState *s = vm->module_state[MOD__signal];
    if (why & ATT_INTERRUPT) {
        Value h = s->handlers[SIGINT];
        if (h != V_NULL && is_obj(h)) {
            if (!call_handler(vm, h, SIGINT))
                return false;
        } else { /* also where the process, or a script, ignores the signal: this is the host's wish */
            ou_raise_args(vm, E_KEYBOARD_INTERRUPT, NULL, 0);
            return false;
        }
    }
    uint64_t pending = __atomic_exchange_n(&s->pending, 0, __ATOMIC_RELAXED);
    for (int sig = 1; pending; sig++, pending >>= 1) {
        if (!(pending & 1))
            continue;
        Value h = s->handlers[sig];
        bool ok = true;
        if (h == V_NULL && sig == SIGINT) {
            ou_raise_args(vm, E_KEYBOARD_INTERRUPT, NULL, 0);
            ok = false;
        } else if (h != V_NULL && is_obj(h)) {
            ok = call_handler(vm, h, sig);
        }
        if (!ok) {
            pending >>= 1;
            if (pending) { /* the others have to wait for the next safepoint */
                __atomic_fetch_or(&s->pending, pending << sig, __ATOMIC_RELAXED);
                ou_attention(vm, ATT_SIGNAL);
            }
            return false;
        }
    }
    return true;
}

bool ou_signals_boot(VM *vm)
{
    SignalState *s = state(vm);
    if (!s)
        return false;
    vm->on_signals = run_handlers;
    if (!(vm->caps & CAP_SIGNALS))
        return true;
    s->booted = true;
    VM *nobody = NULL;
    struct sigaction now;
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL &&
        __atomic_compare_exchange_n(owner(SIGINT), &nobody, vm, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        install(SIGINT, on_signal, &s->old_int);
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        install(SIGPIPE, SIG_IGN, &s->old_pipe);
    return true;
}

void ou_signals_fini(VM *vm)
{
    SignalState *s = vm->module_state[MOD__signal];
    if (!s)
        return;
    for (int sig = 1; sig < SIGNALS; sig++) {
        VM *me = vm;
        if (__atomic_load_n(owner(sig), __ATOMIC_RELAXED) != vm)
            continue;
        install(sig, SIG_DFL, NULL);
        __atomic_compare_exchange_n(owner(sig), &me, NULL, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    for (int sig = 1; sig < SIGNALS; sig++)
        set_owned(vm, &s->handlers[sig], V_NONE);
    s->wakeup_fd = 0;
    vm->on_signals = NULL;
}

bool ou_signal_simulate(VM *vm, Value number)
{
    SignalState *s = state(vm);
    int64_t sig;
    if (!s || !ou_index_i64(vm, number, &sig))
        return false;
    if (sig < 1 || sig >= SIGNALS)
        return ou_raise(vm, E_VALUE, "signal number out of range") != V_NULL;
    Value h = s->handlers[sig];
    if (sig == SIGINT && h == V_NULL)
        ou_interrupt_main(vm);
    else if (h != V_NULL && is_obj(h))
        mark(vm, s, (int)sig);
    return true;
}

/* ---- functions ---- */

static bool sig_arg(VM *vm, Value v, int *out)
{
    int64_t i;
    *out = 0;
    if (!ou_index_i64(vm, v, &i))
        return false;
    if (i < 1 || i >= SIGNALS)
        return ou_raise(vm, E_VALUE, "signal number out of range") != V_NULL;
    *out = (int)i;
    return true;
}

static Value known(VM *vm, SignalState *s, int sig)
{
    (void)vm;
    if (s->handlers[sig] == V_NULL) {
        struct sigaction now;
        s->handlers[sig] = sigaction(sig, NULL, &now) < 0 ? V_NONE
                           : now.sa_handler == SIG_DFL    ? v_smallint(0)
                           : now.sa_handler == SIG_IGN    ? v_smallint(1)
                                                          : V_NONE;
    }
    return s->handlers[sig];
}

static Value default_int_handler(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_raise_args(vm, E_KEYBOARD_INTERRUPT, NULL, 0);
}

static Value set_handler(VM *vm, const Value *args, int n)
{
    (void)n;
    SignalState *s = state(vm);
    int sig;
    if (!s || !ou_require_cap(vm, CAP_SIGNALS, "handling signals"))
        return V_NULL;
    if (vm->thread != &vm->main_thread)
        return ou_raise(vm, E_VALUE, "signal only works in main thread of the main interpreter");
    if (!sig_arg(vm, args[0], &sig))
        return V_NULL;
    Value h = args[1];
    int64_t which = -1;
    if (ou_is_intlike(vm, h) && (!ou_int_fits_i64(vm, h, &which) || which < 0 || which > 1))
        which = -1;
    if (which < 0 && !ou_type_of(vm, h)->slots.call)
        return ou_raise(vm, E_TYPE, "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object");
    if (vm->attention && !ou_safepoint(vm))
        return V_NULL;
    Value old = retain(known(vm, s, sig));
    if (which < 0)
        __atomic_store_n(owner(sig), vm, __ATOMIC_RELEASE);
    if (!install(sig, which == 0 ? SIG_DFL : which == 1 ? SIG_IGN : on_signal, NULL)) {
        release(vm, old);
        return ou_raise_errno(vm, errno, V_NULL);
    }
    if (which >= 0)
        __atomic_store_n(owner(sig), NULL, __ATOMIC_RELEASE);
    set_owned(vm, &s->handlers[sig], which >= 0 ? v_smallint(which) : retain(h));
    return old;
}

static Value get_handler(VM *vm, const Value *args, int n)
{
    (void)n;
    SignalState *s = state(vm);
    int sig;
    return s && sig_arg(vm, args[0], &sig) ? retain(known(vm, s, sig)) : V_NULL;
}

static Value after_signal(VM *vm)
{
    return vm->attention && !ou_safepoint(vm) ? V_NULL : V_NONE;
}

static Value raise_signal(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t sig;
    if (!ou_index_i64(vm, args[0], &sig) || !ou_require_cap(vm, CAP_SIGNALS, "raising signals"))
        return V_NULL;
    if (raise((int)sig) != 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return after_signal(vm);
}

static Value pthread_kill_(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t id, sig;
    if (!ou_index_i64(vm, args[0], &id) || !ou_index_i64(vm, args[1], &sig) || !ou_require_cap(vm, CAP_SIGNALS, "sending signals"))
        return V_NULL;
    int err = pthread_kill((pthread_t)id, (int)sig);
    if (err)
        return ou_raise_errno(vm, err, V_NULL);
    return after_signal(vm);
}

static Value alarm_(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t t;
    return ou_index_i64(vm, args[0], &t) && ou_require_cap(vm, CAP_SIGNALS, "alarm") ? v_smallint(alarm((unsigned)t)) : V_NULL;
}

static Value pause_(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    if (!ou_require_cap(vm, CAP_SIGNALS, "handling signals"))
        return V_NULL;
    ou_blocking_begin(vm);
    if (!ou_wanted(vm))
        pause();
    ou_blocking_end(vm);
    return after_signal(vm);
}

static struct timeval to_timeval(double d)
{
    struct timeval t = {.tv_sec = (time_t)floor(d)};
    t.tv_usec = (suseconds_t)((d - floor(d)) * 1e6);
    if (d > 0 && t.tv_sec == 0 && t.tv_usec == 0)
        t.tv_usec = 1;
    return t;
}
static Value timer_pair(VM *vm, const struct itimerval *t)
{
    Value v[2] = {v_float((double)t->it_value.tv_sec + (double)t->it_value.tv_usec * 1e-6),
                  v_float((double)t->it_interval.tv_sec + (double)t->it_interval.tv_usec * 1e-6)};
    return ou_tuple_take(vm, v, 2);
}
static Value timer_failed(VM *vm)
{
    SignalState *s = state(vm);
    int err = errno;
    Value text = ou_str_c(vm, strerror(err)), e = V_NULL;
    if (text != V_NULL && s && s->itimer_error != V_NULL)
        e = ou_call2(vm, s->itimer_error, v_smallint(err), text);
    if (e != V_NULL)
        ou_raise_value(vm, e);
    xrelease(vm, e);
    xrelease(vm, text);
    return V_NULL;
}
static Value setitimer_(VM *vm, const Value *args, int n)
{
    int64_t which;
    double first, again = 0;
    if (!ou_require_cap(vm, CAP_SIGNALS, "timers of signals") || !ou_index_i64(vm, args[0], &which) ||
        !ou_to_double(vm, args[1], &first) || (n > 2 && !ou_to_double(vm, args[2], &again)))
        return V_NULL;
    struct itimerval t = {.it_interval = to_timeval(again), .it_value = to_timeval(first)}, old;
    if (setitimer((__itimer_which_t)which, &t, &old) < 0)
        return timer_failed(vm);
    return timer_pair(vm, &old);
}
static Value getitimer_(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t which;
    struct itimerval t;
    if (!ou_index_i64(vm, args[0], &which))
        return V_NULL;
    if (getitimer((__itimer_which_t)which, &t) < 0)
        return timer_failed(vm);
    return timer_pair(vm, &t);
}

static Value set_wakeup_fd(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_require_cap(vm, CAP_SIGNALS, "handling signals"))
        return V_NULL;
    SignalState *s = state(vm);
    int64_t fd;
    if (!s || !ou_index_i64(vm, args[0], &fd))
        return V_NULL;
    if (vm->thread != &vm->main_thread)
        return ou_raise(vm, E_VALUE, "set_wakeup_fd only works in main thread of the main interpreter");
    if (fd != -1) {
        uv_os_fd_t h = (uv_os_fd_t)fd;
        if (uv_guess_handle(h) == UV_UNKNOWN_HANDLE && lseek(h, 0, SEEK_CUR) < 0 && errno == EBADF)
            return ou_raise_errno(vm, EBADF, V_NULL);
        int flags = fcntl(h, F_GETFL);
        if (flags >= 0 && !(flags & O_NONBLOCK))
            return ou_raise(vm, E_VALUE, "the fd %ld must be in non-blocking mode", fd);
    }
    int old = s->wakeup_fd - 1;
    s->wakeup_fd = fd < 0 ? 0 : (int)fd + 1;
    return v_smallint(old);
}

static Value siginterrupt_(VM *vm, const Value *args, int n)
{
    (void)n;
    int sig, on = ou_truth(vm, args[1]);
    struct sigaction sa;
    if (on < 0 || !sig_arg(vm, args[0], &sig))
        return V_NULL;
    if (sigaction(sig, NULL, &sa) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    sa.sa_flags = on ? sa.sa_flags & ~SA_RESTART : sa.sa_flags | SA_RESTART;
    return sigaction(sig, &sa, NULL) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

static bool set_of(VM *vm, Value iterable, sigset_t *out)
{
    sigemptyset(out);
    Value it = ou_iter(vm, iterable);
    if (it == V_NULL)
        return false;
    Value v;
    while ((v = ou_next(vm, it)) != V_NULL) {
        int64_t sig = 0;
        if (ou_index_i64(vm, v, &sig) && (sig < 1 || sig >= SIGNALS))
            ou_raise(vm, E_VALUE, "signal number %ld out of range [1; %d]", sig, SIGNALS - 1);
        release(vm, v);
        if (vm->exc != V_NULL)
            break;
        sigaddset(out, (int)sig);
    }
    release(vm, it);
    return vm->exc == V_NULL;
}
static Value set_value(VM *vm, const sigset_t *set)
{
    Value r = ou_set_new(vm, T_SET);
    for (int sig = 1; r != V_NULL && sig < SIGNALS; sig++)
        if (sigismember(set, sig) == 1 && !ou_set_add(vm, as_set(r), v_smallint(sig))) {
            release(vm, r);
            r = V_NULL;
        }
    return r;
}
static Value change_mask(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_require_cap(vm, CAP_SIGNALS, "handling signals"))
        return V_NULL;
    int64_t how;
    sigset_t set, old;
    if (!ou_index_i64(vm, args[0], &how) || !set_of(vm, args[1], &set))
        return V_NULL;
    int err = pthread_sigmask((int)how, &set, &old);
    if (err)
        return ou_raise_errno(vm, err, V_NULL);
    return after_signal(vm) == V_NULL ? V_NULL : set_value(vm, &old);
}
static Value sigpending_(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    sigset_t set;
    return sigpending(&set) < 0 ? ou_raise_errno(vm, errno, V_NULL) : set_value(vm, &set);
}
static Value sigwait_(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_require_cap(vm, CAP_SIGNALS, "handling signals"))
        return V_NULL;
    sigset_t set;
    int sig;
    if (!set_of(vm, args[0], &set))
        return V_NULL;
    ou_blocking_begin(vm);
    int err = sigwait(&set, &sig);
    ou_blocking_end(vm);
    return err ? ou_raise_errno(vm, err, V_NULL) : v_smallint(sig);
}
static Value valid_signals(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    sigset_t set;
    sigfillset(&set);
    return set_value(vm, &set);
}
static Value strsignal_(VM *vm, const Value *args, int n)
{
    (void)n;
    int sig;
    if (!sig_arg(vm, args[0], &sig))
        return V_NULL;
    const char *text = sig < 32 || sig == SIGRTMIN ? strsignal(sig) : NULL;
    return !text || strncmp(text, "Unknown", 7) == 0 ? V_NONE : ou_str_c(vm, text);
}

static const NativeDef functions[] = {
    {"default_int_handler(signalnum, frame, /)", default_int_handler, "Raises KeyboardInterrupt: the handler of SIGINT.", 0},
    {"signal(signalnum, handler, /)", set_handler, "Sets the handler of a signal; gives the one before.", 0},
    {"getsignal(signalnum, /)", get_handler, "The handler of a signal; None: it was set outside of scripts.", 0},
    {"raise_signal(signalnum, /)", raise_signal, NULL, 0},
    {"pthread_kill(thread_id, signalnum, /)", pthread_kill_, NULL, 0},
    {"alarm(seconds, /)", alarm_, NULL, 0},
    {"pause()", pause_, "Waits for a signal.", 0},
    {"setitimer(which, seconds, interval=0.0, /)", setitimer_, NULL, 0},
    {"getitimer(which, /)", getitimer_, NULL, 0},
    {"set_wakeup_fd(fd, /, *, warn_on_full_buffer=True)", set_wakeup_fd, "A byte with its number is written to fd for each signal.", 0},
    {"siginterrupt(signalnum, flag, /)", siginterrupt_, NULL, 0},
    {"pthread_sigmask(how, mask, /)", change_mask, NULL, 0},
    {"sigpending()", sigpending_, NULL, 0},
    {"sigwait(sigset, /)", sigwait_, NULL, 0},
    {"valid_signals()", valid_signals, NULL, 0},
    {"strsignal(signalnum, /)", strsignal_, NULL, 0},
    {0},
};

static const struct {
    const char *name;
    int value;
} constants[] = {
#define C(name) {#name, name}
    C(SIGHUP), C(SIGINT), C(SIGQUIT), C(SIGILL), C(SIGTRAP), C(SIGABRT), C(SIGBUS), C(SIGFPE), C(SIGKILL), C(SIGUSR1), C(SIGSEGV),
    C(SIGUSR2), C(SIGPIPE), C(SIGALRM), C(SIGTERM), C(SIGCHLD), C(SIGCONT), C(SIGSTOP), C(SIGTSTP), C(SIGTTIN), C(SIGTTOU),
    C(SIGURG), C(SIGXCPU), C(SIGXFSZ), C(SIGVTALRM), C(SIGPROF), C(SIGWINCH), C(SIGIO), C(SIGSYS), C(SIG_BLOCK), C(SIG_UNBLOCK),
    C(SIG_SETMASK),
#ifdef SIGPWR
    C(SIGPWR), C(SIGSTKFLT), C(SIGPOLL),
#endif
#undef C
    {"SIG_DFL", 0}, {"SIG_IGN", 1}, {"ITIMER_REAL", ITIMER_REAL}, {"ITIMER_VIRTUAL", ITIMER_VIRTUAL}, {"ITIMER_PROF", ITIMER_PROF},
    {"NSIG", SIGNALS}, {"SIGIOT", SIGABRT}, {"SIGCLD", SIGCHLD},
};

bool ou_mod__signal(VM *vm, Module *m)
{
    SignalState *s = state(vm);
    if (!s || !ou_module_add(vm, m, functions))
        return false;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!ou_module_int(vm, m, constants[i].name, constants[i].value))
            return false;
    if (!ou_module_int(vm, m, "SIGRTMIN", SIGRTMIN) || !ou_module_int(vm, m, "SIGRTMAX", SIGRTMAX))
        return false;
    if (s->itimer_error == V_NULL && (s->itimer_error = ou_error_class(vm, "signal.itimer_error", E_OS)) == V_NULL)
        return false;
    if (s->handlers[SIGINT] == V_NULL && __atomic_load_n(owner(SIGINT), __ATOMIC_RELAXED) == vm)
        s->handlers[SIGINT] = retain(ou_dict_get_c(vm, m->dict, "default_int_handler"));
    return ou_module_set(vm, m, "ItimerError", s->itimer_error);
}
