/* The scripts of smoke/ with one allocation after the other failing, then with many in a row, then with a heap that is too
 * small. Whatever fails: MemoryError, or the script gets over it; no crash, no object and no byte left after ouro_close.
 *
 *   fail_alloc                          a selection that takes some 30 seconds, what the test suite runs
 *   fail_alloc --all [NAME]             every allocation
 *   fail_alloc --at NAME FROM [COUNT]   one run, showing what it prints */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/api/ouro.h"
#include "tests/unit/check.h"

enum { PATIENCE_MS = 5000, CLOSE_TOGETHER = 400, BURST = 40 };
static const double seconds_for_script = 5;

typedef struct Run {
    const char *name, *src;
    size_t n;
    uint64_t from, count; /* of failing allocations */
    size_t max_heap;
    bool show;
    /* what came out */
    bool opened;
    ouro_rc rc;
    uint64_t booted, allocations, left;
    size_t heap, bytes;
    char exception[80];
} Run;

static volatile const Run *running; /* for the report of a crash */

static void *counted(void *ud, void *p, size_t old_size, size_t new_size)
{
    size_t *bytes = ud;
    if (new_size == 0) {
        *bytes -= old_size;
        free(p);
        return NULL;
    }
    void *q = realloc(p, new_size);
    if (q)
        *bytes += new_size - old_size;
    return q;
}

static void discard(void *ud, int stream, const char *s, size_t n) { (void)ud, (void)stream, (void)s, (void)n; }

static void show(void *ud, int stream, const char *s, size_t n)
{
    (void)ud;
    fwrite(s, 1, n, stream == 1 ? stdout : stderr);
}

static void on_crash(int sig)
{
    char text[200];
    const volatile Run *r = running;
    int n = snprintf(text, sizeof text, "signal %d in %s, allocations from %llu, %llu in a row, heap %zu\n", sig, r ? r->name : "?",
                     r ? (unsigned long long)r->from : 0, r ? (unsigned long long)r->count : 0, r ? r->max_heap : 0);
    ssize_t put = write(2, text, (size_t)n);
    (void)put;
    signal(sig, SIG_DFL);
    raise(sig);
}

/* A task that lost its memory may leave others waiting for it: the watchman interrupts. */
static struct { pthread_mutex_t m; ouro_vm *vm; int64_t since; } watched = {.m = PTHREAD_MUTEX_INITIALIZER};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void *watchman(void *unused)
{
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000 * 1000}, NULL);
        pthread_mutex_lock(&watched.m);
        if (watched.vm && now_ms() - watched.since > PATIENCE_MS)
            ouro_interrupt(watched.vm);
        pthread_mutex_unlock(&watched.m);
    }
    return unused;
}

static void watch(ouro_vm *vm)
{
    pthread_mutex_lock(&watched.m);
    watched.vm = vm;
    watched.since = now_ms();
    pthread_mutex_unlock(&watched.m);
}

static void note_exception(ouro_vm *vm, Run *r)
{
    static const char *const names[] = {"MemoryError", "KeyboardInterrupt", "SystemError", "Exception"};
    ouro_val exc;
    r->exception[0] = '\0';
    if (ouro_exc_take(vm, &exc) != OURO_OK)
        return;
    for (size_t k = 0; !r->exception[0] && k < sizeof names / sizeof *names; k++)
        if (ouro_exc_is(vm, exc, names[k]))
            snprintf(r->exception, sizeof r->exception, "%s", names[k]);
    ouro_raise_val(vm, exc);
}

static void run(Run *r)
{
    ouro_config cfg;
    ouro_config_init(&cfg);
    r->bytes = 0;
    cfg.ud = &r->bytes;
    cfg.alloc = counted;
    cfg.write = r->show ? show : discard;
    cfg.hash_seed = 1;
    cfg.limits.max_heap = r->max_heap;
    cfg.fail_alloc = r->from;
    cfg.fail_count = r->count;
    running = r;
    ouro_vm *vm = ouro_open(&cfg);
    r->opened = vm != NULL;
    r->left = 0;
    r->rc = OURO_NOMEM;
    r->exception[0] = '\0';
    if (vm) {
        watch(vm);
        ouro_stats s;
        ouro_get_stats(vm, &s);
        r->booted = s.allocations;
        ouro_scope scope = ouro_scope_open(vm);
        r->rc = ouro_run(vm, r->src, r->n, r->name, NULL);
        if (r->rc == OURO_EXC || r->rc == OURO_LIMIT)
            note_exception(vm, r);
        ouro_report(vm);
        ouro_scope_close(vm, scope);
        ouro_get_stats(vm, &s);
        r->allocations = s.allocations;
        r->heap = s.heap_peak;
        r->left = ouro_close(vm);
        watch(NULL);
    }
    running = NULL;
}

static bool good(const Run *r) { return r->left == 0 && r->bytes == 0 && strcmp(r->exception, "SystemError") != 0; }

static void check(Run *r)
{
    run(r);
    CHECK(good(r));
    if (!good(r))
        printf("%s, allocations from %llu, %llu in a row, heap %zu: %llu objects and %zu bytes left, rc %d %s\n", r->name,
               (unsigned long long)r->from, (unsigned long long)r->count, r->max_heap, (unsigned long long)r->left, r->bytes, (int)r->rc,
               r->exception);
}

/* Numbers from `first` to `last`: the first ones, then every so many that `runs` are made. */
static void sweep(Run *r, uint64_t first, uint64_t last, uint64_t count, uint64_t runs)
{
    uint64_t total = last - first + 1, stride = runs && total > runs ? (total - runs / 4) / (runs - runs / 4) + 1 : 1;
    uint64_t end_of_close = stride == 1 ? last : first + (runs / 4 < CLOSE_TOGETHER ? runs / 4 : CLOSE_TOGETHER);
    r->count = count;
    for (r->from = first; r->from <= last; r->from += r->from < end_of_close ? 1 : stride)
        check(r);
    r->from = r->count = 0;
}

static void test(Run *r, bool all)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    check(r);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK(r->rc == OURO_OK);
    double each = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
    uint64_t first = r->booted + 1, last = r->allocations, runs = all ? 0 : (uint64_t)(seconds_for_script / 4 / each) + 20;
    size_t heap = r->heap;
    sweep(r, first, last, 1, all ? 0 : runs * 3);
    sweep(r, first, last, BURST, all ? (last - first) / 5 : runs);
    sweep(r, first, last, UINT64_MAX, all ? (last - first) / 20 : runs / 2);
    for (unsigned k = 1; k < 16; k++) {
        r->max_heap = heap / 16 * k;
        check(r);
    }
    r->max_heap = 0;
}

static char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *text = f ? malloc(1 << 20) : NULL;
    *n = text ? fread(text, 1, 1 << 20, f) : 0;
    if (f)
        fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0, at = argc > 3 && strcmp(argv[1], "--at") == 0;
    const char *only = all || at ? argv[2] : NULL; /* argv[argc] is NULL */
    static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t k = 0; k < sizeof signals / sizeof *signals; k++)
        signal(signals[k], on_crash);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, watchman, NULL) == 0);

    if (!only) { /* opening alone */
        Run r = {.name = "nothing", .src = "", .n = 0};
        check(&r);
        sweep(&r, 1, r.allocations, 1, all ? 0 : 400);
        sweep(&r, 1, r.allocations, BURST, all ? 0 : 100);
    }
    DIR *d = opendir(SMOKE);
    CHECK(d != NULL);
    int scripts = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char path[4096];
        size_t n = strlen(e->d_name);
        if (n < 8 || strcmp(e->d_name + n - 7, ".script") != 0 || (only && strncmp(only, e->d_name, n - 7) != 0))
            continue;
        snprintf(path, sizeof path, "%s/%s", SMOKE, e->d_name);
        Run r = {.name = e->d_name};
        char *text = read_file(path, &r.n);
        r.src = text;
        scripts++;
        if (at) {
            r.from = strtoull(argv[3], NULL, 10);
            r.count = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
            r.show = true;
            check(&r);
            printf("rc %d %s, %llu allocations, %llu of them to open\n", (int)r.rc, r.exception, (unsigned long long)r.allocations,
                   (unsigned long long)r.booted);
        } else {
            test(&r, all);
        }
        free(text);
    }
    if (d)
        closedir(d);
    CHECK(scripts > 0);
    return finish_checks();
}
