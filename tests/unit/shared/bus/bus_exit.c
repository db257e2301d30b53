#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/bus/bus.h"

#define TAKEN_APART 3
#define NO_TLS 4

/* OpenSSL calls this as it takes itself apart. */
static void taken_apart(void)
{
	_exit(TAKEN_APART);
}

/* What a program does that has a bus and uses TLS, up to its exit. */
static void child(bool with_bus)
{
	static const struct bus_callbacks callbacks;
	struct bus *bus = with_bus ? bus_new(&callbacks, NULL) : NULL;
	SSL_CTX *context;

	if (with_bus && bus == NULL)
		_exit(1);
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL || OPENSSL_atexit(taken_apart) != 1)
		_exit(NO_TLS);
	SSL_CTX_free(context);
	bus_free(bus);
	exit(0);
}

static int exit_status_of(bool with_bus)
{
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		child(with_bus);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A login's thread may be in its handshake then: callsignd under valgrind, ended while it connected. */
static void exit_leaves_openssl_to_the_login_threads(void **state)
{
	(void)state;
	assert_int_equal(exit_status_of(true), 0);
}

/* That the test would see it. */
static void openssl_by_itself_is_taken_apart_at_exit(void **state)
{
	(void)state;
	assert_int_equal(exit_status_of(false), TAKEN_APART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_leaves_openssl_to_the_login_threads),
		cmocka_unit_test(openssl_by_itself_is_taken_apart_at_exit),
	};

	return cmocka_run_group_tests_name("bus_exit", tests, NULL, NULL);
}
