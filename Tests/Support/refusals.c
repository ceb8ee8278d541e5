/* Preloaded into a program under test: modes, times and hard links are refused, as by exFAT and many FUSE file systems. */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

static int refuse(void) {
    errno = EPERM;
    return -1;
}

int fchmod(int file, mode_t mode) {
    (void)file;
    (void)mode;
    return refuse();
}

int futimens(int file, const struct timespec times[2]) {
    (void)file;
    (void)times;
    return refuse();
}

int linkat(int directory, const char *path, int other, const char *name, int flags) {
    (void)directory;
    (void)path;
    (void)other;
    (void)name;
    (void)flags;
    return refuse();
}
