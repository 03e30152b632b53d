/* Files under one folder whose writes are kept, or whose n-th call fails; and SQLite's memory, of
 * which the n-th piece cannot be had (`memory_of`, `memory_arm`).
 *
 * Loaded before the C library (LD_PRELOAD). `disk_folder` says under which folder; `disk_arm` which
 * call from now on fails, and how; `disk_log` where all that changes files is noted, in order:
 *
 *   op (1 byte), length of the path (4), of the data (4), offset (8), path, data
 *
 * ops: W write, T truncate, S sync of a file, D sync of a folder, C create, U unlink,
 * R rename (data is the new path), M mark.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 4096
static char folder[1024], *names[MOST];
static long calls, fails_at;
static int error, for_good, log_to = -1, blind;

void disk_folder(const char *path) { snprintf(folder, sizeof folder, "%s", path); }
void disk_log(int fd) { log_to = fd; }
/* 1: syncs are not noted, as if somebody had forgotten them. */
void disk_blind(int yes) { blind = yes; }
void disk_arm(long n, int err, int ever) {
    calls = 0;
    fails_at = n;
    error = err;
    for_good = ever;
}
long disk_calls(void) { return calls; }

static int ours(const char *path) {
    return folder[0] && path && strncmp(path, folder, strlen(folder)) == 0;
}

static const char *name_of(int fd) { return fd >= 0 && fd < MOST ? names[fd] : NULL; }

static void note(char op, const char *path, const void *data, size_t size, int64_t offset) {
    if (log_to < 0 || (blind && (op == 'S' || op == 'D'))) return;
    uint32_t sizes[2] = {(uint32_t)strlen(path), (uint32_t)size};
    char head[17];
    head[0] = op;
    memcpy(head + 1, sizes, 8);
    memcpy(head + 9, &offset, 8);
    syscall(SYS_write, log_to, head, sizeof head);
    syscall(SYS_write, log_to, path, sizes[0]);
    if (size) syscall(SYS_write, log_to, data, size);
}

void disk_mark(int64_t number) { note('M', "", NULL, 0, number); }

/* Does this call fail? */
static int fails(void) {
    if (!fails_at) return 0;
    calls++;
    if (calls != fails_at && !(for_good && calls > fails_at)) return 0;
    errno = error;
    return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void opened(int fd, const char *path, int flags, int existed) {
    struct stat found;
    if (fd < 0 || fd >= MOST) return;
    free(names[fd]);
    names[fd] = strdup(path);
    if (!existed && (flags & O_CREAT)) note('C', path, NULL, 0, 0);
    else if ((flags & O_TRUNC) && !fstat(fd, &found)) note('T', path, NULL, 0, 0);
}

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        REAL(name);                                                             \
        va_list rest;                                                           \
        va_start(rest, flags);                                                  \
        mode_t mode = va_arg(rest, mode_t);                                     \
        va_end(rest);                                                           \
        if (!ours(path)) return real(path, flags, mode);                        \
        if (fails()) return -1;                                                 \
        int existed = access(path, F_OK) == 0, fd = real(path, flags, mode);    \
        opened(fd, path, flags, existed);                                       \
        return fd;                                                              \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(close);
    if (name_of(fd)) {
        free(names[fd]);
        names[fd] = NULL;
    }
    return real(fd);
}

#define PWRITE(name, off)                                                       \
    ssize_t name(int fd, const void *data, size_t size, off at) {               \
        REAL(name);                                                             \
        if (!name_of(fd)) return real(fd, data, size, at);                      \
        if (fails()) return -1;                                                 \
        ssize_t done = real(fd, data, size, at);                                \
        if (done > 0) note('W', names[fd], data, (size_t)done, at);             \
        return done;                                                            \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (!name_of(fd)) return real(fd, data, size);
    if (fails()) return -1;
    int64_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, data, size);
    if (done > 0) note('W', names[fd], data, (size_t)done, at);
    return done;
}

#define READ(name, off)                                                         \
    ssize_t name(int fd, void *data, size_t size, off at) {                     \
        REAL(name);                                                             \
        if (name_of(fd) && fails()) return -1;                                  \
        return real(fd, data, size, at);                                        \
    }
READ(pread, off_t)
READ(pread64, off64_t)

ssize_t read(int fd, void *data, size_t size) {
    REAL(read);
    if (name_of(fd) && fails()) return -1;
    return real(fd, data, size);
}

#define TRUNCATE(name, off)                                                     \
    int name(int fd, off size) {                                                \
        REAL(name);                                                             \
        if (!name_of(fd)) return real(fd, size);                                \
        if (fails()) return -1;                                                 \
        int done = real(fd, size);                                              \
        if (done == 0) note('T', names[fd], NULL, 0, size);                     \
        return done;                                                            \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                              \
    int name(int fd) {                                                          \
        struct stat found;                                                      \
        REAL(name);                                                             \
        if (!name_of(fd)) return real(fd);                                      \
        if (fails()) return -1;                                                 \
        int is_folder = !fstat(fd, &found) && S_ISDIR(found.st_mode);           \
        note(is_folder ? 'D' : 'S', names[fd], NULL, 0, 0);                     \
        return 0;                                                               \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    REAL(unlink);
    if (!ours(path)) return real(path);
    if (fails()) return -1;
    int done = real(path);
    if (done == 0) note('U', path, NULL, 0, 0);
    return done;
}

int rename(const char *path, const char *to) {
    REAL(rename);
    if (!ours(path)) return real(path, to);
    if (fails()) return -1;
    int done = real(path, to);
    if (done == 0) note('R', path, to, strlen(to), 0);
    return done;
}

/* What a library asks for is told by who calls: its code lies in one range. */
static char *low, *high;
static long pieces, none_at;
static int none_ever;

static int look(struct dl_phdr_info *found, size_t size, void *name) {
    (void)size;
    if (!found->dlpi_name || !strstr(found->dlpi_name, name)) return 0;
    for (int n = 0; n < found->dlpi_phnum; n++) {
        char *from = (char *)found->dlpi_addr + found->dlpi_phdr[n].p_vaddr;
        if (found->dlpi_phdr[n].p_type != PT_LOAD) continue;
        if (!low || from < low) low = from;
        if (from + found->dlpi_phdr[n].p_memsz > high) high = from + found->dlpi_phdr[n].p_memsz;
    }
    return 1;
}

/* Is there such a library? From now on it is about its memory. */
int memory_of(char *name) { return dl_iterate_phdr(look, name); }
void memory_arm(long n, int ever) {
    pieces = 0;
    none_at = n;
    none_ever = ever;
}
long memory_pieces(void) { return pieces; }

static int none(void *caller) {
    if (!none_at || (char *)caller < low || (char *)caller >= high) return 0;
    pieces++;
    return pieces == none_at || (none_ever && pieces > none_at);
}

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
    return none(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *realloc(void *old, size_t size) {
    return none(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
