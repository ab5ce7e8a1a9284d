/* LD_PRELOAD: adds the seconds in the file $CLOCK_OFFSET (a long, native order) to the wall clock of one process. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile long *offset;

__attribute__((constructor)) static void find(void)
{
	const char *path = getenv("CLOCK_OFFSET");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mapped = file < 0 ? MAP_FAILED : mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);

	if (file >= 0)
		close(file);
	if (mapped != MAP_FAILED)
		offset = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int answer = syscall(SYS_clock_gettime, clock, now);

	if (!answer && clock == CLOCK_REALTIME && offset)
		now->tv_sec += *offset;
	return answer;
}
