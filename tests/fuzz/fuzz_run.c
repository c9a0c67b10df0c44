/* libFuzzer target: any bytes as a script, run through the public header with no capabilities and limits on everything; what
 * they leave for the loop is polled, `main()`, if it makes a coroutine, spawned. What must hold: no crash, an end within the
 * limits, no object and no byte left after ouro_close.
 * Text that begins with "#!N" makes the allocation number N fail (and with "#!N+" all from N on). Build and run: tests/fuzz/run. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/api/ouro.h"

enum { HEAP = 64 << 20, STEPS = 50000, POLLS = 30, PATIENCE_MS = 1000 };

typedef struct Host {
    size_t used;
    uint64_t count, fail_at;
    bool fail_on;
} Host;

static void *host_alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
    Host *h = ud;
    if (new_size == 0) {
        h->used -= old_size;
        free(p);
        return NULL;
    }
    h->count++;
    if (h->fail_at && (h->count == h->fail_at || (h->fail_on && h->count > h->fail_at)))
        return NULL;
    void *q = realloc(p, new_size);
    if (q)
        h->used += new_size - old_size;
    return q;
}

static void discard(void *ud, int stream, const char *s, size_t n)
{
    (void)ud, (void)stream;
    if (n && !memchr(s, s[0], n)) /* reads it */
        abort();
}

/* Scripts may wait: the watchman interrupts them now and then, from a thread of its own. */
typedef struct Watch {
    pthread_mutex_t m;
    ouro_vm *vm;
    int64_t since;
} Watch;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void *watchman(void *p)
{
    Watch *w = p;
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
        pthread_mutex_lock(&w->m);
        if (w->vm && now_ms() - w->since > PATIENCE_MS)
            ouro_interrupt(w->vm);
        pthread_mutex_unlock(&w->m);
    }
    return NULL;
}

static void watch(ouro_vm *vm)
{
    static Watch w = {.m = PTHREAD_MUTEX_INITIALIZER};
    static bool started;
    if (!started) {
        pthread_t t;
        started = pthread_create(&t, NULL, watchman, &w) == 0;
    }
    pthread_mutex_lock(&w.m);
    w.vm = vm;
    w.since = now_ms();
    pthread_mutex_unlock(&w.m);
}

static void drive(ouro_vm *vm, ouro_val module)
{
    ouro_val f, coro, task;
    ouro_loop_info info = {.alive = true};
    bool spawned = ouro_get_attr(vm, module, "main", &f) == OURO_OK && ouro_call(vm, f, 0, NULL, &coro) == OURO_OK &&
                   ouro_is(vm, coro, "coroutine") && ouro_spawn(vm, coro, "main", &task) == OURO_OK;
    ouro_report(vm);
    for (int k = 0; spawned && k < POLLS && info.alive; k++) {
        ouro_loop_poll(vm, 0, &info);
        ouro_report(vm);
    }
}

static void attempt(ouro_vm *vm, const uint8_t *data, size_t size)
{
    ouro_scope scope = ouro_scope_open(vm);
    ouro_val module;
    ouro_rc rc = ouro_run(vm, (const char *)data, size, "<fuzz>", &module);
    if ((rc == OURO_EXC || rc == OURO_LIMIT) && !ouro_exc_pending(vm))
        abort();
    if (rc == OURO_OK && ouro_exc_pending(vm))
        abort();
    ouro_report(vm);
    if (rc == OURO_OK)
        drive(vm, module);
    ouro_scope_close(vm, scope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Host host = {0};
    if (size > 2 && data[0] == '#' && data[1] == '!') {
        for (size_t k = 2; k < size && data[k] >= '0' && data[k] <= '9' && host.fail_at < 1000000; k++) {
            host.fail_at = host.fail_at * 10 + (uint64_t)(data[k] - '0');
            host.fail_on = k + 1 < size && data[k + 1] == '+';
        }
    }
    ouro_config cfg;
    ouro_config_init(&cfg);
    cfg.ud = &host;
    cfg.alloc = host_alloc;
    cfg.write = discard;
    cfg.limits = (ouro_limits){.max_heap = HEAP, .max_steps = STEPS};
    cfg.hash_seed = 1;
    ouro_vm *vm = ouro_open(&cfg);
    if (vm) {
        watch(vm);
        attempt(vm, data, size);
        host.fail_on = false;
        uint64_t left = ouro_close(vm);
        watch(NULL);
        if (left)
            fprintf(stderr, "%llu objects left\n", (unsigned long long)left), abort();
    }
    if (host.used)
        fprintf(stderr, "%zu bytes left\n", host.used), abort();
    return 0;
}
