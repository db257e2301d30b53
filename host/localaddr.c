#include <config.h>

#include "localaddr.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"

struct localaddr {
	int fd;
	bool changed;      /* the kernel said so since we looked */
	int64_t looked_ms;
	struct address *list;
	size_t count;
	bool unreadable; /* and that was told */
};

static int open_socket(void)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int saved;

	if (fd == -1 || bind(fd, (struct sockaddr *)&local, sizeof local) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int compare(const void *a, const void *b)
{
	return address_compare(a, b);
}

static size_t take_usable(const struct ifaddrs *all, struct address *list)
{
	const struct ifaddrs *one;
	size_t count = 0;

	for (one = all; one != NULL; one = one->ifa_next) {
		if (one->ifa_addr != NULL && address_from_sockaddr(one->ifa_addr, &list[count]) == 0 &&
		    address_unusable(&list[count]) == NULL)
			count++;
	}
	qsort(list, count, sizeof *list, compare);
	return count;
}

/* 1 if they are others than before, 0 if not, -1 with errno. */
static int look(struct localaddr *localaddr)
{
	struct ifaddrs *all;
	const struct ifaddrs *one;
	struct address *list;
	size_t room = 1, count;
	bool same;

	if (getifaddrs(&all) == -1)
		return -1;
	for (one = all; one != NULL; one = one->ifa_next)
		room++;
	list = calloc(room, sizeof *list);
	if (list == NULL) {
		freeifaddrs(all);
		return -1;
	}
	count = take_usable(all, list);
	freeifaddrs(all);
	same = count == localaddr->count && (count == 0 || memcmp(list, localaddr->list, count * sizeof *list) == 0);
	free(localaddr->list);
	localaddr->list = list;
	localaddr->count = count;
	return same ? 0 : 1;
}

struct localaddr *localaddr_new(int64_t now_ms)
{
	struct localaddr *localaddr = calloc(1, sizeof *localaddr);

	if (localaddr == NULL)
		return NULL;
	localaddr->looked_ms = now_ms;
	/* The socket first, so that no change falls in between. */
	localaddr->fd = open_socket();
	if (localaddr->fd != -1 && look(localaddr) != -1)
		return localaddr;
	localaddr_free(localaddr);
	return NULL;
}

void localaddr_free(struct localaddr *localaddr)
{
	int saved = errno;

	if (localaddr == NULL)
		return;
	if (localaddr->fd != -1)
		close(localaddr->fd);
	free(localaddr->list);
	free(localaddr);
	errno = saved;
}

int localaddr_fd(const struct localaddr *localaddr)
{
	return localaddr->fd;
}

int64_t localaddr_deadline_ms(const struct localaddr *localaddr)
{
	return localaddr->changed ? localaddr->looked_ms + LOCALADDR_EVERY_MS : CLOCK_NEVER;
}

/* What the messages say does not matter, nor which were lost (ENOBUFS): we look ourselves. */
static bool drain(int fd)
{
	char message[8192];
	bool any = false;
	ssize_t length;

	do {
		length = recv(fd, message, sizeof message, MSG_DONTWAIT);
		any |= length >= 0 || errno == ENOBUFS;
	} while (length >= 0 || errno == ENOBUFS || errno == EINTR);
	return any;
}

int localaddr_step(struct localaddr *localaddr, bool readable, int64_t now_ms)
{
	int result;

	localaddr->changed |= readable && drain(localaddr->fd);
	if (!localaddr->changed || now_ms < localaddr->looked_ms + LOCALADDR_EVERY_MS)
		return 0;
	localaddr->looked_ms = now_ms;
	result = look(localaddr);
	if (result == -1) {
		if (!localaddr->unreadable)
			log_warn("this host's own addresses cannot be read: those known before stay in force, and it is tried again");
		localaddr->unreadable = true;
		return 0;
	}
	localaddr->changed = localaddr->unreadable = false;
	return result;
}

const struct address *localaddr_list(const struct localaddr *localaddr, size_t *count)
{
	*count = localaddr->count;
	return localaddr->list;
}
