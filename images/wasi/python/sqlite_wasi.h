// What SQLite wants of a Unix and wasi-libc does not have. A cell is the only user of its files: locks always succeed,
// owners and modes do not exist.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef F_RDLCK
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#endif
#ifndef F_GETLK
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7
#endif

static inline int hc_fchmod(int fd, mode_t mode) { return (void)fd, (void)mode, 0; }
static inline int hc_fchown(int fd, uid_t user, gid_t group) { return (void)fd, (void)user, (void)group, 0; }
static inline uid_t hc_geteuid(void) { return 1000; }

static inline int hc_fcntl(int fd, int command, ...)
{
    va_list more;
    int result = 0;
    va_start(more, command);
    if (command == F_GETLK) {
        va_arg(more, struct flock *)->l_type = F_UNLCK;
    } else if (command != F_SETLK && command != F_SETLKW) {
        result = fcntl(fd, command, va_arg(more, long));
    }
    va_end(more);
    return result;
}

#define fchmod hc_fchmod
#define fchown hc_fchown
#define geteuid hc_geteuid
#define fcntl hc_fcntl
