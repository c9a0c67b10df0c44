/* libFuzzer target: any bytes through the lexer, the grammar, the compiler, the verifier of its output and the disassembler.
 * The first byte chooses which allocation fails, if any. A VM serves many inputs; none may leave an object behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/ouro.h"

enum { HEAP = 256 << 20, INPUTS = 500 };

typedef struct Host {
    size_t used;
    uint64_t count, fail_at;
} Host;

static void *host_alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
    Host *h = ud;
    if (new_size == 0) {
        h->used -= old_size;
        free(p);
        return NULL;
    }
    if (++h->count == h->fail_at)
        return NULL;
    void *q = realloc(p, new_size);
    if (q)
        h->used += new_size - old_size;
    return q;
}

static void discard(void *ud, int stream, const char *s, size_t n) { (void)ud, (void)stream, (void)s, (void)n; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Host host;
    static ouro_vm *vm;
    static unsigned inputs;
    if (!size)
        return 0;
    if (!vm) {
        ouro_config cfg;
        ouro_config_init(&cfg);
        cfg.ud = &host;
        cfg.alloc = host_alloc;
        cfg.write = discard;
        cfg.limits.max_heap = HEAP;
        vm = ouro_open(&cfg);
        if (!vm)
            abort();
    }
    ouro_scope scope = ouro_scope_open(vm);
    ouro_val text;
    host.fail_at = data[0] & 128 && size > 2 ? host.count + ((size_t)(data[0] & 127) << 8 | data[1]) + 1 : 0;
    size_t head = data[0] & 128 && size > 2 ? 2 : 1;
    ouro_rc rc = ouro_disassemble(vm, (const char *)data + head, size - head, "<fuzz>", &text);
    host.fail_at = 0;
    if (rc == OURO_OK ? ouro_exc_pending(vm) : !ouro_exc_pending(vm) && rc != OURO_NOMEM)
        abort();
    ouro_val exc;
    if (rc == OURO_EXC && ouro_exc_take(vm, &exc) == OURO_OK && ouro_exc_is(vm, exc, "SystemError"))
        abort(); /* the compiler lost its way */
    ouro_scope_close(vm, scope);
    if (++inputs % INPUTS == 0) {
        uint64_t left = ouro_close(vm);
        vm = NULL;
        if (left || host.used)
            fprintf(stderr, "%llu objects and %zu bytes left\n", (unsigned long long)left, host.used), abort();
    }
    return 0;
}
