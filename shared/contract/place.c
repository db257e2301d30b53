#include <config.h>

#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/sha256.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 (asm-generic/socket.h): what this is built with may be older than what it runs on */
#endif

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define DIGITS 16

bool place_known(const struct place *place)
{
	return (place->host | place->netns) != 0;
}

bool place_equal(const struct place *a, const struct place *b)
{
	return a->host == b->host && a->netns == b->netns;
}

static int parse_part(const char *text, uint64_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < DIGITS; i++) {
		bool decimal = text[i] >= '0' && text[i] <= '9';

		if (!decimal && (text[i] < 'a' || text[i] > 'f'))
			return -1;
		*out = *out << 4 | (uint64_t)(decimal ? text[i] - '0' : text[i] - 'a' + 10);
	}
	return 0;
}

int place_parse(const char *text, size_t length, struct place *out)
{
	struct place parsed;

	if (length != PLACE_TEXT_LENGTH || text[DIGITS] != '/' || parse_part(text, &parsed.host) == -1 ||
	    parse_part(text + DIGITS + 1, &parsed.netns) == -1)
		return -1;
	*out = parsed;
	return 0;
}

static char *put_part(char *at, uint64_t part)
{
	for (unsigned i = 0; i < DIGITS; i++)
		*at++ = "0123456789abcdef"[part >> (60 - 4 * i) & 15];
	return at;
}

const char *place_format(const struct place *place, char out[PLACE_TEXT_SIZE])
{
	char *at = put_part(out, place->host);

	*at++ = '/';
	*put_part(at, place->netns) = '\0';
	return out;
}

/* The first 64 bits. */
static uint64_t hash(const char *text)
{
	uint8_t sum[SHA256_SIZE];
	uint64_t first = 0;

	sha256(text, strlen(text), sum);
	for (unsigned i = 0; i < sizeof(first); i++)
		first = first << 8 | sum[i];
	return first;
}

void place_make(const char *boot_id, uint64_t inode, uint64_t cookie, struct place *out)
{
	char text[PLACE_BOOT_SIZE + 2 * sizeof(" 18446744073709551615")];
	int used = snprintf(text, sizeof(text), "%.36s %llu", boot_id, (unsigned long long)inode);

	if (cookie != 0)
		snprintf(text + used, sizeof(text) - (size_t)used, " %llu", (unsigned long long)cookie);
	out->netns = hash(text);
	snprintf(text, sizeof(text), "%.36s", boot_id);
	out->host = hash(text);
}

static bool is_boot_id(const char *text)
{
	for (unsigned i = 0; i < PLACE_BOOT_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : strchr("0123456789abcdef", text[i]) == NULL || text[i] == '\0')
			return false;
	}
	return true;
}

const char *place_read_boot_id(char out[PLACE_BOOT_SIZE])
{
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd == -1 ? -1 : read(fd, out, PLACE_BOOT_SIZE - 1);

	if (fd != -1)
		close(fd);
	out[length == PLACE_BOOT_SIZE - 1 && is_boot_id(out) ? length : 0] = '\0';
	return out;
}

int place_of(const char *netns, int socket, struct place *out)
{
	char boot_id[PLACE_BOOT_SIZE];
	socklen_t size = sizeof(uint64_t);
	uint64_t cookie = 0;
	struct stat status;

	*out = (struct place){0};
	if (place_read_boot_id(boot_id)[0] == '\0' || stat(netns, &status) == -1)
		return -1;
	if (getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == -1)
		cookie = 0;
	place_make(boot_id, status.st_ino, cookie, out);
	return 0;
}

int place_read(struct place *out)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result = place_of("/proc/self/ns/net", fd, out);

	if (fd != -1)
		close(fd);
	return result;
}
