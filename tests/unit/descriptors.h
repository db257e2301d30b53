#ifndef CALLSIGN_TESTS_DESCRIPTORS_H
#define CALLSIGN_TESTS_DESCRIPTORS_H

#include <sys/resource.h>
#include <unistd.h>

/* After <cmocka.h>. So many descriptors from the lowest unused one on; *before is for setrlimit(RLIMIT_NOFILE) afterwards. */
static inline void leave_descriptors(unsigned count, struct rlimit *before)
{
	int lowest = dup(0);

	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = (rlim_t)lowest + count, .rlim_max = before->rlim_max}), 0);
}

#endif
