#include <config.h>

#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PROMPT       "\n> "
#define PAYLOAD_MARK "+ " /* the prompt for each further line of a command */

int haproxy_cli_open(struct haproxy_cli *cli, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	memset(cli, 0, sizeof(*cli));
	cli->fd = -1;
	if (length >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, length);
	cli->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (cli->fd == -1)
		return -1;
	/* A unix socket connects at once or not at all. */
	cli->in = malloc(HAPROXY_CLI_REPLY_MAX);
	if (cli->in != NULL && connect(cli->fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    haproxy_cli_send(cli, "prompt\n", strlen("prompt\n"), 1) == 0)
		return 0;
	haproxy_cli_close(cli);
	return -1;
}

void haproxy_cli_close(struct haproxy_cli *cli)
{
	int saved = errno;

	if (cli->fd != -1)
		close(cli->fd);
	free(cli->out);
	free(cli->in);
	memset(cli, 0, sizeof(*cli));
	cli->fd = -1;
	errno = saved;
}

int haproxy_cli_send(struct haproxy_cli *cli, const char *commands, size_t length, unsigned replies)
{
	size_t left = cli->out_length - cli->out_sent;
	char *out = malloc(left + length);

	if (out == NULL)
		return -1;
	if (left > 0)
		memcpy(out, cli->out + cli->out_sent, left);
	memcpy(out + left, commands, length);
	free(cli->out);
	cli->out = out;
	cli->out_length = left + length;
	cli->out_sent = 0;
	cli->awaited += replies;
	return 0;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int write_some(struct haproxy_cli *cli)
{
	size_t left = cli->out_length - cli->out_sent;
	ssize_t sent;

	if (left == 0)
		return 0;
	sent = send(cli->fd, cli->out + cli->out_sent, left, MSG_NOSIGNAL);
	if (sent == -1)
		return would_block() ? 0 : -1;
	cli->out_sent += (size_t)sent;
	return sent > INT_MAX ? INT_MAX : (int)sent;
}

static int read_some(struct haproxy_cli *cli)
{
	size_t room;
	ssize_t got;

	cli->in_length -= cli->in_used;
	memmove(cli->in, cli->in + cli->in_used, cli->in_length);
	cli->in_used = 0;
	room = HAPROXY_CLI_REPLY_MAX - cli->in_length;
	if (room == 0) {
		errno = EMSGSIZE;
		return -1;
	}
	got = recv(cli->fd, cli->in + cli->in_length, room, 0);
	if (got == -1)
		return would_block() ? 0 : -1;
	if (got == 0) {
		errno = ECONNRESET;
		return -1;
	}
	cli->in_length += (size_t)got;
	return (int)got;
}

int haproxy_cli_step(struct haproxy_cli *cli)
{
	int sent = write_some(cli);
	int got = sent != -1 ? read_some(cli) : -1;

	if (got == -1)
		return -1;
	return sent > 0 || got > 0;
}

char *haproxy_cli_take(char *text, size_t length, size_t *used)
{
	char *end = memmem(text, length, PROMPT, strlen(PROMPT)), *begin = text;

	if (end == NULL)
		return NULL;
	*used = (size_t)(end - text) + strlen(PROMPT);
	while (end - begin >= 2 && memcmp(begin, PAYLOAD_MARK, 2) == 0)
		begin += 2;
	while (begin < end && *begin == '\n')
		begin++;
	while (end > begin && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	*end = '\0';
	return begin;
}

const char *haproxy_cli_reply(struct haproxy_cli *cli)
{
	char *reply;
	size_t used;

	if (cli->in_used == cli->in_length || cli->awaited == 0)
		return NULL;
	reply = haproxy_cli_take(cli->in + cli->in_used, cli->in_length - cli->in_used, &used);
	if (reply == NULL)
		return NULL;
	cli->in_used += used;
	cli->awaited--;
	return reply;
}

short haproxy_cli_events(const struct haproxy_cli *cli)
{
	return cli->out_sent < cli->out_length ? POLLIN | POLLOUT : POLLIN;
}

int haproxy_cli_value(const char *reply, char *out, size_t size)
{
	static const char key[] = ", value=\"";
	const char *value, *end;

	if (strstr(reply, "found=no") != NULL)
		return 0;
	value = strstr(reply, "found=yes") != NULL ? strstr(reply, key) : NULL;
	if (value == NULL)
		return -1;
	value += strlen(key);
	end = strchr(value, '"');
	if (end == NULL || (size_t)(end - value) >= size)
		return -1;
	memcpy(out, value, (size_t)(end - value));
	out[end - value] = '\0';
	return 1;
}

int haproxy_cli_version(const char *reply, unsigned *version)
{
	static const char words[] = "New version created: ";
	unsigned long number;
	char *end;

	if (strncmp(reply, words, strlen(words)) != 0 || !isdigit((unsigned char)reply[strlen(words)]))
		return -1;
	errno = 0;
	number = strtoul(reply + strlen(words), &end, 10);
	if (*end != '\0' || errno != 0 || number > UINT_MAX)
		return -1;
	*version = (unsigned)number;
	return 0;
}
