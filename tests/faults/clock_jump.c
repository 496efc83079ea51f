/* Preloaded into the program behind the mount: its wall clock is off by the seconds that the file $CLOCK_JUMP_FILE
 * holds; and by the second number there the machine seems to have slept for so many seconds. The machine's own clocks
 * are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

static long offset(clockid_t clock)
{
    const char *path = getenv("CLOCK_JUMP_FILE");
    long wall = 0, slept = 0;
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file)
        return 0;
    if (fscanf(file, "%ld %ld", &wall, &slept) < 1)
        wall = 0;
    fclose(file);
    return clock == CLOCK_BOOTTIME ? slept : wall;
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, ret_time);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_BOOTTIME))
        ret_time->tv_sec += offset(clock);
    return result;
}

/* The kernel's timers know nothing of it. (Those of the mount are set by CLOCK_BOOTTIME.) */
int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *ret_before)
{
    static int (*real)(int, int, const struct itimerspec *, struct itimerspec *);
    if (!real)
        real = (int (*)(int, int, const struct itimerspec *, struct itimerspec *))dlsym(RTLD_NEXT, "timerfd_settime");
    struct itimerspec shifted = *value;
    long slept = (flags & TFD_TIMER_ABSTIME) && value->it_value.tv_sec > 0 ? offset(CLOCK_BOOTTIME) : 0;
    if (slept > 0)
        shifted.it_value.tv_sec = value->it_value.tv_sec > slept ? value->it_value.tv_sec - slept : 0;
    if (shifted.it_value.tv_sec == 0 && shifted.it_value.tv_nsec == 0 && value->it_value.tv_sec > 0)
        shifted.it_value.tv_nsec = 1; /* long ago; 0 would be never */
    return real(fd, flags, &shifted, ret_before);
}

time_t time(time_t *ret_time)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret_time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}
