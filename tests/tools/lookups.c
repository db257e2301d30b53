/* lookups NAME COUNT: look NAME up so many times with getaddrinfo(3), and print how many failed. To be built with another libc, too. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int look_up(const char *name)
{
	struct addrinfo hints, *found;
	int error;

	memset(&hints, 0, sizeof hints);
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	error = getaddrinfo(name, NULL, &hints, &found);
	if (error == 0)
		freeaddrinfo(found);
	return error;
}

int main(int argc, char **argv)
{
	long failed = 0;

	if (argc != 3)
		return 2;
	for (long left = strtol(argv[2], NULL, 10); left > 0; left--)
		failed += look_up(argv[1]) != 0;
	printf("%ld\n", failed);
	return 0;
}
