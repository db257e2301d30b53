/* A listening socket while descriptors are short. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/accepting.h"
#include "shared/clock.h"

static socklen_t address_of(struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX; /* abstract, and of a name that the kernel chooses */
	return sizeof(address->sun_family);
}

static int make_listener(struct sockaddr_un *address, socklen_t *length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*length = address_of(address);
	assert_int_equal(bind(fd, (const struct sockaddr *)address, *length), 0);
	*length = sizeof(*address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, length), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A process that has no descriptor left is not to turn: it leaves the socket alone, and who called is served once there are some again. */
static void waits_for_descriptors(void **state)
{
	struct accepting accepting = {0};
	struct sockaddr_un address;
	struct rlimit before, none;
	socklen_t length;
	int listener = make_listener(&address, &length), caller = socket(AF_UNIX, SOCK_STREAM, 0), taken;

	(void)state;
	assert_int_equal(accepting_take(&accepting, listener, "test", 1000), -1); /* nobody is there, which is no trouble */
	assert_true(accepting_polls(&accepting, 1000));
	assert_true(accepting_deadline_ms(&accepting, 1000) == CLOCK_NEVER);

	assert_int_equal(connect(caller, (const struct sockaddr *)&address, length), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	taken = accepting_take(&accepting, listener, "test", 1000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(taken, -1);
	assert_false(accepting_polls(&accepting, 1000));
	assert_true(accepting_deadline_ms(&accepting, 1000) == 1000 + ACCEPTING_PAUSE_MS);
	assert_false(accepting_polls(&accepting, 1000 + ACCEPTING_PAUSE_MS - 1));

	assert_true(accepting_polls(&accepting, 1000 + ACCEPTING_PAUSE_MS));
	taken = accepting_take(&accepting, listener, "test", 1000 + ACCEPTING_PAUSE_MS);
	assert_true(taken >= 0);
	assert_true(accepting_deadline_ms(&accepting, 1000 + ACCEPTING_PAUSE_MS) == CLOCK_NEVER);
	close(taken);
	close(caller);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_for_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
