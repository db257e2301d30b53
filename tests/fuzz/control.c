#include <config.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/control/client.h"

/* The control socket: what a client sends, in pieces (each with its length in front), cut into lines and read as requests. */

static void check_request(const char *line, size_t length)
{
	struct control_request request = {0};
	struct policy_domain domains[] = {{.name = (char[]){"docker"}}, {.name = (char[]){"lab.example"}}};
	const struct policy policy = {.domains = domains, .ndomains = 2};
	char error[CONTROL_ERROR_SIZE] = "";

	if (control_request_parse(line, length, &policy, &request, error) == -1) {
		fuzz_check(error[0] != '\0' && fuzz_is_line(error));
		return;
	}
	fuzz_check(memchr(request.user, '\0', sizeof request.user) != NULL);
	fuzz_check(request.pattern[0] == '\0' || hostname_pattern_valid(request.pattern));
	fuzz_check((request.op != CONTROL_WHY && request.op != CONTROL_FORGET) || request.name[0] != '\0');
}

static void answer_all(struct client *client)
{
	const char *line;
	size_t length;

	while (!client->broken && !client->closing && client_line(client, &line, &length)) {
		fuzz_check(length <= CONTROL_LINE_MAX);
		check_request(line, length);
		client_line_done(client, length, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size}, piece;
	struct client *client;
	int fds[2];

	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	client = client_new(fds[0], 0, 1, 1);
	fuzz_check(client != NULL);
	while (input.size > 0 && !client->broken && !client->closing) {
		piece = fuzz_long(&input);
		if (piece.size > 0 && send(fds[1], piece.data, piece.size, MSG_NOSIGNAL) == -1)
			break;
		client_read(client);
		answer_all(client);
		client_write(client, 1);
	}
	client_free(client);
	close(fds[1]);
	return 0;
}
