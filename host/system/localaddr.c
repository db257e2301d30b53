#include <config.h>

#include "localaddr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/rtnetlink.h"

#define NEWS_SIZE (1 << 20) /* for news that wait; the kernel may allow less (net.core.rmem_max). Each container's start and end are several */

/* In the order in which the kernel told of them. */
struct entries {
	struct rtnetlink_address *array;
	size_t count, room;
	bool changed; /* since the list was made */
};

struct localaddr {
	int fd;
	bool lost;         /* news were lost, or some may have been missed: to be read again */
	int64_t read_ms;
	struct entries entries;
	struct address *list;
	size_t count;
	uint64_t changes;
	bool unreadable;   /* and that was told */
};

/* ---- one address ---- */

static bool counts(const struct rtnetlink_address *address)
{
	/* Each container's veth has a link-local IPv6 address, which is of no use to anybody here. */
	return address->address.family == 4 || address_unusable(&address->address) == NULL;
}

/* An interface may have an address more than once, with other prefixes or peers: to widen a network, the new one is added, then the old one deleted. */
static bool is_same(const struct rtnetlink_address *a, const struct rtnetlink_address *b)
{
	return a->link == b->link && a->prefix_length == b->prefix_length && address_equal(&a->address, &b->address) &&
	       address_equal(&a->peer, &b->peer);
}

static struct rtnetlink_address *find(const struct entries *entries, const struct rtnetlink_address *address)
{
	size_t i;

	for (i = 0; i < entries->count; i++) {
		if (is_same(&entries->array[i], address))
			return &entries->array[i];
	}
	return NULL;
}

/* 0, or -1 with errno. */
static int add(struct entries *entries, const struct rtnetlink_address *address)
{
	struct rtnetlink_address *known = find(entries, address), *larger;
	size_t room = entries->room == 0 ? 16 : entries->room * 2;

	entries->changed = true;
	if (known != NULL) {
		*known = *address; /* of a link that was renamed, or promoted from secondary */
		return 0;
	}
	if (entries->count == entries->room) {
		larger = reallocarray(entries->array, room, sizeof *larger);
		if (larger == NULL)
			return -1;
		entries->array = larger;
		entries->room = room;
	}
	entries->array[entries->count++] = *address;
	return 0;
}

static void take_out(struct entries *entries, const struct rtnetlink_address *address)
{
	struct rtnetlink_address *known = find(entries, address);

	if (known == NULL)
		return;
	entries->changed = true;
	entries->count--;
	memmove(known, known + 1, (size_t)(entries->array + entries->count - known) * sizeof *known);
}

/* ---- messages ---- */

static int take_message(void *arg, const struct nlmsghdr *header)
{
	struct entries *entries = arg;
	struct rtnetlink_address address;

	if ((header->nlmsg_type != RTM_NEWADDR && header->nlmsg_type != RTM_DELADDR) || rtnetlink_read_address(header, &address) == -1 ||
	    !counts(&address))
		return 0;
	if (header->nlmsg_type == RTM_NEWADDR)
		return add(entries, &address);
	take_out(entries, &address);
	return 0;
}

/* ---- reading all ---- */

/*
 * Instead of what was known. 0, or -1 with errno. Not both families at once (AF_UNSPEC): for that the kernel always takes the rtnl lock. One that does not
 * know a family answers with all others; there is nothing twice among the entries. A dump during which addresses changed may lack one that did not: better than none, but it is read
 * again.
 */
static int read_all(struct localaddr *localaddr)
{
	struct entries fresh = {.array = NULL};
	struct rtnetlink_taker taker = {.take = take_message, .arg = &fresh};

	if (rtnetlink_read_all(RTM_GETADDR, AF_INET, &taker) == -1 || rtnetlink_read_all(RTM_GETADDR, AF_INET6, &taker) == -1) {
		free(fresh.array);
		return -1;
	}
	free(localaddr->entries.array);
	localaddr->entries = fresh;
	localaddr->entries.changed = true;
	localaddr->lost = taker.inconsistent;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return address_compare(a, b);
}

/* 1 if the list is another than before, 0 if not, -1 with errno. */
static int make_list(struct localaddr *localaddr)
{
	struct entries *entries = &localaddr->entries;
	struct address *list = calloc(entries->count + 1, sizeof *list);
	size_t count = 0, i;
	bool same;

	if (list == NULL)
		return -1;
	for (i = 0; i < entries->count; i++) {
		if (address_unusable(&entries->array[i].address) == NULL)
			list[count++] = entries->array[i].address;
	}
	qsort(list, count, sizeof *list, compare);
	same = count == localaddr->count && (count == 0 || memcmp(list, localaddr->list, count * sizeof *list) == 0);
	free(localaddr->list);
	localaddr->list = list;
	localaddr->count = count;
	entries->changed = false;
	localaddr->changes++;
	return same ? 0 : 1;
}

/* ---- the public functions ---- */

struct localaddr *localaddr_new(int64_t now_ms)
{
	struct localaddr *localaddr = calloc(1, sizeof *localaddr);
	int size = NEWS_SIZE;

	if (localaddr == NULL)
		return NULL;
	localaddr->read_ms = now_ms;
	/* The socket first, so that no change falls in between. */
	localaddr->fd = rtnetlink_open(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, SOCK_NONBLOCK);
	if (localaddr->fd != -1)
		(void)setsockopt(localaddr->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (localaddr->fd != -1 && read_all(localaddr) == 0 && make_list(localaddr) != -1)
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
	free(localaddr->entries.array);
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
	return localaddr->lost ? localaddr->read_ms + LOCALADDR_EVERY_MS : CLOCK_NEVER;
}

/* The news that are there. What cannot be taken, for want of memory, is as good as lost. */
static void take_news(struct localaddr *localaddr)
{
	struct rtnetlink_taker taker = {.take = take_message, .arg = &localaddr->entries};
	int result;

	do {
		result = rtnetlink_take(localaddr->fd, &taker);
		if (result == -1 && errno != EAGAIN)
			localaddr->lost = true;
	} while (result != -1 || errno == ENOBUFS);
}

int localaddr_step(struct localaddr *localaddr, bool readable, int64_t now_ms)
{
	int result = 0;

	if (readable)
		take_news(localaddr);
	if (localaddr->lost && now_ms >= localaddr->read_ms + LOCALADDR_EVERY_MS) {
		localaddr->read_ms = now_ms;
		result = read_all(localaddr);
	}
	if (result == 0 && localaddr->entries.changed)
		result = make_list(localaddr);
	if (result != -1) {
		localaddr->unreadable &= localaddr->lost;
		return result;
	}
	if (!localaddr->unreadable)
		log_warn("this host's own addresses cannot be read: those known before stay in force, and it is tried again");
	localaddr->unreadable = localaddr->lost = true;
	return 0;
}

const struct address *localaddr_list(const struct localaddr *localaddr, size_t *count)
{
	*count = localaddr->count;
	return localaddr->list;
}

const struct rtnetlink_address *localaddr_entries(const struct localaddr *localaddr, size_t *count)
{
	*count = localaddr->entries.count;
	return localaddr->entries.array;
}

uint64_t localaddr_changes(const struct localaddr *localaddr)
{
	return localaddr->changes;
}

/* Of an interface's addresses the one that the host itself would take: a primary one before secondaries. */
static int rank(const struct rtnetlink_address *address)
{
	if (address_unusable(&address->address) != NULL)
		return 1;
	return (address->flags & IFA_F_SECONDARY) != 0 ? 2 : 3;
}

int localaddr_ipv4(const struct localaddr *localaddr, const char *interface, struct address *out)
{
	const struct entries *entries = &localaddr->entries;
	int best = 0;
	size_t i;

	for (i = 0; i < entries->count; i++) {
		const struct rtnetlink_address *address = &entries->array[i];

		if (address->address.family != 4 || strcmp(address->label, interface) != 0 || rank(address) <= best)
			continue;
		best = rank(address);
		*out = address->address;
	}
	return best > 0 ? 0 : -1;
}
