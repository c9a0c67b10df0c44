/* Capabilities: without one, what it stands for is absent or PermissionError; with it (and no other) it is there. */
#include "runtime/api/ouro.h"
#include "tests/unit/check.h"

enum { ANY_FD = OURO_CAP_FS_READ | OURO_CAP_FS_WRITE | OURO_CAP_NET | OURO_CAP_PROCESS };

static const struct {
    const char *src;
    uint32_t caps; /* each of these is enough; more than one bit only where any will do */
    uint32_t all;  /* these together */
} rows[] = {
    {"open('/dev/null').close()", OURO_CAP_FS_READ, 0},
    {"open('/dev/null', 'w').close()", 0, OURO_CAP_FS_READ | OURO_CAP_FS_WRITE},
    {"import os; os.close(os.open('/dev/null', os.O_RDONLY))", OURO_CAP_FS_READ, 0},
    {"import os; os.close(os.open('/dev/null', os.O_WRONLY))", 0, OURO_CAP_FS_READ | OURO_CAP_FS_WRITE},
    {"import os; os.stat('/')", OURO_CAP_FS_READ, 0},
    {"import os; os.getcwd()", OURO_CAP_FS_READ, 0},
    {"import os; os.chdir('.')", 0, OURO_CAP_FS_READ | OURO_CAP_FS_WRITE},
    {"open(0, closefd=False)", ANY_FD, 0},
    {"import os; os.write(1, b'')", ANY_FD, 0},
    {"import os; a, b = os.pipe(); os.close(a); os.close(b)", ANY_FD, 0},
    {"import os; os.close(os.dup(1))", ANY_FD, 0},
    {"import socket; socket.socket().close()", OURO_CAP_NET, 0},
    {"import os; os.kill(os.getpid(), 0)", OURO_CAP_PROCESS, 0},
    {"import os; assert os.system('true') == 0", OURO_CAP_PROCESS, 0},
    {"import os; assert os.environ['PATH']", OURO_CAP_ENV, 0},
    {"import _thread; lock = _thread.allocate_lock(); lock.acquire(); _thread.start_new_thread(lock.release, ()); lock.acquire()",
     OURO_CAP_THREADS, 0},
    {"import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)", OURO_CAP_SIGNALS, 0},
    {"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [])", OURO_CAP_SIGNALS, 0},
};

static bool works(const char *src, uint32_t caps)
{
    ouro_config cfg;
    ouro_config_init(&cfg);
    cfg.caps = caps;
    ouro_vm *vm = ouro_open(&cfg);
    ouro_rc rc = ouro_run(vm, src, strlen(src), "test", NULL);
    ouro_val exc;
    if (rc != OURO_OK && ouro_exc_take(vm, &exc) == OURO_OK) /* refused or absent, not broken */
        CHECK(ouro_exc_is(vm, exc, "PermissionError") || ouro_exc_is(vm, exc, "ImportError") || ouro_exc_is(vm, exc, "AttributeError") ||
              ouro_exc_is(vm, exc, "KeyError"));
    CHECK(ouro_close(vm) == 0);
    return rc == OURO_OK;
}

int main(void)
{
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        bool good = true;
        for (uint32_t bit = 1; bit < OURO_CAP_ALL; bit <<= 1)
            good = good && works(rows[k].src, bit) == ((rows[k].caps & bit) != 0);
        good = good && !works(rows[k].src, 0) && works(rows[k].src, OURO_CAP_ALL);
        good = good && (!rows[k].all || (works(rows[k].src, rows[k].all) && !works(rows[k].src, OURO_CAP_ALL & ~rows[k].all)));
        CHECK(good);
        if (!good)
            printf("%s\n", rows[k].src);
    }
    return finish_checks();
}
