/* What an operating system does to a process on a bad day, for tests of the real binary: preloaded, it
 * reads the file that LEADOPS_TEST_SHIM names at each call.
 *
 *   slow MILLISECONDS   each sync takes so much longer
 *   fail                each sync fails, as on a disk that is dying
 *   step SECONDS        the wall clock is so much ahead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long told(const char *word) {
    char text[64] = {0};
    const char *path = getenv("LEADOPS_TEST_SHIM");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    size_t size = strlen(word);
    if (length <= 0 || strncmp(text, word, size) != 0) return 0;
    return text[size] == ' ' ? atol(text + size + 1) : 1;
}

static int synced(const char *name, int file) {
    if (told("fail")) {
        errno = EIO;
        return -1;
    }
    usleep(1000 * told("slow"));
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(file);
}

int fsync(int file) { return synced("fsync", file); }
int fdatasync(int file) { return synced("fdatasync", file); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += told("step");
    return done;
}
