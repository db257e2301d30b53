#ifndef CALLSIGN_TESTS_DESCRIPTORS_H
#define CALLSIGN_TESTS_DESCRIPTORS_H

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether this thread is alone (proc(5): a folder for each in /proc/self/task, beside . and ..). */
static inline int is_alone(void)
{
	struct stat tasks;

	return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}

/*
 * After <cmocka.h>. So many descriptors from the lowest unused one on; *before is for setrlimit(RLIMIT_NOFILE) afterwards. Another thread, as that of a
 * connection which is being made, would give one back afterwards: waits until there is none.
 */
static inline void leave_descriptors(unsigned count, struct rlimit *before)
{
	int lowest;

	for (int i = 0; i < 1000 && !is_alone(); i++)
		poll(NULL, 0, 10);
	assert_true(is_alone());
	lowest = dup(0);
	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = (rlim_t)lowest + count, .rlim_max = before->rlim_max}), 0);
}

#endif
