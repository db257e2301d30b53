#include <config.h>

#include "ward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netwatch.h"
#include "process.h"
#include "shared/clock.h"
#include "shared/contract/place.h"
#include "shared/log.h"

#define SCAN_READS_MAX 64

static struct ward *allocate(const char *id, pid_t pid, uint64_t start, const struct naming *naming, uint32_t renew_s, const struct ident *instance)
{
	struct ward *ward = calloc(1, sizeof(*ward));
	size_t size = naming->naliases * sizeof(*ward->aliases);

	if (ward == NULL)
		return NULL;
	if (size > 0 && (ward->aliases = malloc(size)) == NULL) {
		free(ward);
		return NULL;
	}
	if (size > 0)
		memcpy(ward->aliases, naming->aliases, size);
	memcpy(ward->id, id, strlen(id) + 1);
	ward->pid = pid;
	ward->start = start;
	ward->pidfd = -1;
	singer_init(&ward->singer, ward);
	announcer_init(&ward->singer.announcer, naming->name, (const char(*)[HOSTNAME_NAME_SIZE])ward->aliases, naming->naliases, renew_s, instance);
	announcer_set_ports(&ward->singer.announcer, naming->ports, naming->nports);
	return ward;
}

/* Whose number the process has now does not matter: if it is another's, this one has ended, and its name goes. */
static void tell_place(struct ward *ward)
{
	struct place place;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/ns/net", (long)ward->pid);
	if (place_of(path, addrwatch_fd(ward->watch), &place) == 0)
		announcer_set_place(&ward->singer.announcer, &place);
}

bool ward_follow(struct ward *ward, bool readable, int64_t now_ms)
{
	const char *name = ward->singer.announcer.self.name;
	bool was_lost = addrwatch_is_lost(ward->watch), was_open = addrwatch_fd(ward->watch) != -1, is_open;
	int changed = addrwatch_step(ward->watch, readable, now_ms);

	if (changed == -1 && process_lives(ward->pidfd))
		log_warn("name=%s: its network namespace cannot be looked into: its addresses stay as they were known%s", name,
		         addrwatch_deadline_ms(ward->watch) != CLOCK_NEVER ? ", and it is tried again" : "");
	else if (was_lost && !addrwatch_is_lost(ward->watch))
		log_info("name=%s: its addresses can be read again", name);
	is_open = addrwatch_fd(ward->watch) != -1;
	if (is_open && (!was_open || (changed == 1 && !place_known(&ward->singer.announcer.self.place))))
		tell_place(ward);
	return changed == 1;
}

/* The kernel answers while it is asked, so the first scan needs no loop. */
static void look(struct ward *ward, int64_t now_ms)
{
	(void)ward_follow(ward, false, now_ms);
	for (int i = 0; i < SCAN_READS_MAX && addrwatch_fd(ward->watch) != -1 && !addrwatch_ready(ward->watch); i++)
		(void)ward_follow(ward, true, now_ms);
}

struct ward *ward_new(const char *id, pid_t pid, uint64_t start, int pidfd, const struct naming *naming, uint32_t renew_s, int64_t now_ms)
{
	struct ident instance;
	struct ward *ward = ident_new(&instance) == 0 ? allocate(id, pid, start, naming, renew_s, &instance) : NULL;

	if (ward == NULL)
		return NULL;
	ward->pidfd = pidfd;
	ward->watch = addrwatch_new(netwatch_open, &ward->pidfd);
	if (ward->watch != NULL)
		look(ward, now_ms);
	if (ward->watch != NULL && (!addrwatch_is_lost(ward->watch) || process_lives(pidfd)))
		return ward;
	errno = ward->watch == NULL ? ENOMEM : ESRCH;
	ward->pidfd = -1;
	ward_free(ward);
	return NULL;
}

struct ward *ward_dead(const struct keep_entry *entry, uint32_t renew_s)
{
	return allocate(entry->id, entry->pid, entry->start, &entry->naming, renew_s, &entry->instance);
}

void ward_resume(struct ward *ward, const struct keep_entry *entry, int64_t boottime_ms)
{
	ward->singer.announcer.self.instance = entry->instance;
	announcer_resume(&ward->singer.announcer, keep_next_seq(entry, boottime_ms));
	ward->kept = entry->instance;
	ward->is_kept = true;
}

void ward_close(struct ward *ward)
{
	if (ward->pidfd != -1)
		close(ward->pidfd);
	ward->pidfd = -1;
	addrwatch_free(ward->watch);
	ward->watch = NULL;
}

void ward_free(struct ward *ward)
{
	if (ward == NULL)
		return;
	chorus_leave(&ward->singer);
	ward_close(ward);
	free(ward->aliases);
	free(ward);
}

/*
 * Our own connection to the broker says nothing about the container. So what counts is where its default route leads; without one (an internal network)
 * every address that can be announced at all.
 */
unsigned ward_addresses(const struct ward *ward, const struct addrselect_wish *wish, struct address out[ANNOUNCEMENT_ADDRESSES_MAX])
{
	static const struct address loopback = {.family = 4, .bytes = {127, 0, 0, 1}};
	static const struct addrselect_wish everything = {.subnets = {{.base = {.family = 4}}, {.base = {.family = 6}}}, .nsubnets = 2};
	const struct addrselect_facts *facts = addrwatch_ready(ward->watch) ? addrwatch_facts(ward->watch) : NULL;
	bool wished = wish->ninterfaces > 0 || wish->nsubnets > 0;

	memset(out, 0, ANNOUNCEMENT_ADDRESSES_MAX * sizeof(*out));
	if (facts == NULL)
		return 0;
	return addrselect(facts, !wished && facts->default_link == 0 ? &everything : wish, &loopback, out);
}

void ward_keep(struct ward *ward, int folder)
{
	const struct announcer_self *self = &ward->singer.announcer.self;
	static struct keep_entry entry;

	memset(&entry, 0, sizeof(entry));
	memcpy(entry.id, ward->id, sizeof(entry.id));
	entry.pid = ward->pid;
	entry.start = ward->start;
	entry.instance = self->instance;
	entry.seq = ward->singer.announcer.seq;
	memcpy(entry.naming.name, self->name, sizeof(entry.naming.name));
	if (self->naliases > 0)
		memcpy(entry.naming.aliases, self->aliases, self->naliases * sizeof(*self->aliases));
	entry.naming.naliases = self->naliases;
	memcpy(entry.naming.ports, self->ports, sizeof(entry.naming.ports));
	entry.naming.nports = self->nports;
	if (keep_write(folder, &entry) == -1) {
		log_warn("name=%s cannot be written down for the next agent", self->name);
		/* What was written before may be of an instance that has ended, which nobody may take up. */
		if (ward->is_kept && !ident_equal(&ward->kept, &entry.instance))
			ward_forget(ward, folder);
		return;
	}
	if (ward->is_kept && !ident_equal(&ward->kept, &entry.instance))
		keep_remove(folder, &ward->kept);
	ward->kept = entry.instance;
	ward->is_kept = true;
}

void ward_forget(struct ward *ward, int folder)
{
	if (ward->is_kept)
		keep_remove(folder, &ward->kept);
	ward->is_kept = false;
}
