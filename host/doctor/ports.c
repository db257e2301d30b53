#include <config.h>

#include "ports.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTENING 0x0a
#define UDP_UNCONNECTED 0x07

struct search {
	uint16_t port;
	unsigned state;
	void (*visit)(void *arg, const struct ports_listener *listener);
	void *arg;
};

/* ---- whose socket? ---- */

static bool holds(const char *pid, unsigned long inode)
{
	char path[320], link[64], wanted[64];
	const struct dirent *entry;
	bool found = false;
	DIR *folder;

	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
	folder = opendir(path);
	while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
		ssize_t length;

		snprintf(path, sizeof path, "/proc/%.16s/fd/%.32s", pid, entry->d_name);
		length = readlink(path, link, sizeof link - 1);
		link[length > 0 ? length : 0] = '\0';
		found = strcmp(link, wanted) == 0;
	}
	if (folder != NULL)
		closedir(folder);
	return found;
}

static void read_program(const char *pid, char out[16])
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fscanf(file, "%15[^\n]", out) != 1)
		snprintf(out, 16, "?");
	fclose(file);
}

static void find_owner(unsigned long inode, struct ports_listener *listener)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;

	snprintf(listener->program, sizeof listener->program, "?");
	while (processes != NULL && (entry = readdir(processes)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, inode))
			continue;
		listener->pid = (pid_t)strtol(entry->d_name, NULL, 10);
		read_program(entry->d_name, listener->program);
		break;
	}
	if (processes != NULL)
		closedir(processes);
}

/* ---- the kernel's lists ---- */

/* Eight or 32 hex digits: words as this machine keeps them. */
static int parse_address(const char *text, struct ports_listener *listener)
{
	size_t words = strlen(text) / 8;
	uint32_t word[4] = {0};

	if (words != 1 && words != 4)
		return -1;
	for (size_t i = 0; i < words; i++) {
		char digits[9] = "";

		memcpy(digits, text + i * 8, 8);
		word[i] = (uint32_t)strtoul(digits, NULL, 16);
	}
	memset(&listener->address, 0, sizeof listener->address);
	listener->address.family = words == 1 ? 4 : 6;
	memcpy(listener->address.bytes, word, words * 4);
	listener->wildcard = (word[0] | word[1] | word[2] | word[3]) == 0;
	return 0;
}

/* A whole number in that base, up to max: 0, or -1. */
static int number_of(const char *text, int base, unsigned long max, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, base);
	return errno == 0 && end != text && *end == '\0' && *out <= max ? 0 : -1;
}

/* sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode … */
enum { FIELD_LOCAL = 1, FIELD_STATE = 3, FIELD_INODE = 9, FIELDS };

static void read_line(char *line, const struct search *search)
{
	struct ports_listener listener = {.pid = 0};
	char *field[FIELDS], *rest, *colon, *text = line;
	unsigned long port, state, inode;

	for (size_t i = 0; i < FIELDS; i++, text = NULL) {
		field[i] = strtok_r(text, " \n", &rest);
		if (field[i] == NULL)
			return;
	}
	colon = strchr(field[FIELD_LOCAL], ':');
	if (colon == NULL)
		return;
	*colon = '\0';
	if (number_of(colon + 1, 16, UINT16_MAX, &port) == -1 || number_of(field[FIELD_STATE], 16, UINT8_MAX, &state) == -1 ||
	    number_of(field[FIELD_INODE], 10, ULONG_MAX, &inode) == -1)
		return;
	if (port != search->port || state != search->state || parse_address(field[FIELD_LOCAL], &listener) == -1)
		return;
	find_owner(inode, &listener);
	search->visit(search->arg, &listener);
}

static int read_list(const char *path, const struct search *search)
{
	FILE *file = fopen(path, "re");
	char line[512];

	if (file == NULL)
		return -1;
	while (fgets(line, sizeof line, file) != NULL)
		read_line(line, search);
	fclose(file);
	return 0;
}

int ports_each(uint16_t port, void (*visit)(void *arg, const struct ports_listener *listener), void *arg)
{
	struct search udp = {.port = port, .state = UDP_UNCONNECTED, .visit = visit, .arg = arg}, tcp = udp;

	tcp.state = TCP_LISTENING;
	/* Without IPv6 in the kernel the other two lists are not there. */
	(void)read_list("/proc/net/udp6", &udp);
	(void)read_list("/proc/net/tcp6", &tcp);
	return read_list("/proc/net/udp", &udp) == 0 && read_list("/proc/net/tcp", &tcp) == 0 ? 0 : -1;
}
