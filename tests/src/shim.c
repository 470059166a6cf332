/* What an operating system does to a process on a bad day, for tests of the real binary: preloaded, it
 * reads the file that TESTS_SHIM names at each call.
 *
 *   slow MILLISECONDS   each sync takes so much longer
 *   fail                each sync fails, as on a disk that is dying
 *   read-only           nothing can be made, opened for writing, written, cut or removed, as on a disk that
 *                       was mounted read-only, or that became so under a running process
 *   step SECONDS        the wall clock is so much ahead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static long ordered(const char *word) {
    char text[64] = {0};
    const char *path = getenv("TESTS_SHIM");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    size_t size = strlen(word);
    if (length <= 0 || strncmp(text, word, size) != 0) return 0;
    return text[size] == ' ' ? atol(text + size + 1) : 1;
}

static int synced(const char *name, int file) {
    if (ordered("fail")) {
        errno = EIO;
        return -1;
    }
    usleep(1000 * ordered("slow"));
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(file);
}

int fsync(int file) { return synced("fsync", file); }
int fdatasync(int file) { return synced("fdatasync", file); }

static int refused(void) {
    if (!ordered("read-only")) return 0;
    errno = EROFS;
    return 1;
}

static int opened(const char *name, const char *path, int flags, mode_t mode) {
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    int writes = (flags & O_ACCMODE) != O_RDONLY && strncmp(path, "/dev/", 5) != 0;
    return writes && refused() ? -1 : real(path, flags, mode);
}

/* The mode is there where something may be made, and not looked at elsewhere. */
#define OPEN(NAME)                                \
    int NAME(const char *path, int flags, ...) {  \
        va_list rest;                             \
        va_start(rest, flags);                    \
        mode_t mode = va_arg(rest, mode_t);       \
        va_end(rest);                             \
        return opened(#NAME, path, flags, mode);  \
    }
OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = (int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir");
    return refused() ? -1 : real(path, mode);
}

int unlink(const char *path) {
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    return refused() ? -1 : real(path);
}

int ftruncate64(int file, off64_t length) {
    int (*real)(int, off64_t) = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
    return refused() ? -1 : real(file, length);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    ssize_t (*real)(int, const void *, size_t, off64_t) =
        (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    return refused() ? -1 : real(file, bytes, length, at);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += ordered("step");
    return done;
}
