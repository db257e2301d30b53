/*
 * path: what the daemon does with an announcement, without bus, clock and dnsmasq: taken and decoded, applied to the facts, viewed, and the
 * hosts file written. For counting instructions (tests/bench/instructions), and for a look with perf.
 *
 *   path STAGE COUNT FILE
 *
 * STAGE: encode (the messages alone, which all others need, too), take, view or write: up to and including that. FILE is written by the last one,
 * and removed.
 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/bus/intake.h"
#include "host/registry/view.h"
#include "host/sinks/dnsmasq/hostsfile.h"
#include "shared/clock.h"

#define COUNT_MAX 1000000
#define USER "bench"
#define NOW_MS 5000000

enum stage { ENCODE, TAKE, VIEW, WRITE };

struct path {
	struct policy policy;
	struct registry *registry;
	struct view *view;
	struct hostsfile *file;
	struct intake intake;
};

/* ---- wired together as host/loop.c does ---- */

static uint32_t name_domains(void *arg, const char *user, const char *name)
{
	return policy_name_domains(&((const struct path *)arg)->policy, user, name);
}

static uint32_t address_domains(void *arg, const char *user, const struct address *address)
{
	return policy_address_domains(&((const struct path *)arg)->policy, user, address);
}

static void listed(void *arg, const struct listing *listing, bool records)
{
	(void)records;
	hostsfile_listing(((struct path *)arg)->file, listing);
}

static int path_open(struct path *path)
{
	static const struct registry_options options = {.resync_timeout_ms = 8000, .max_lease_s = ANNOUNCEMENT_LEASE_MAX_S,
	                                                .max_ended_per_user = 10000};
	const struct view_policy policy = {.domains = {{.name = "docker", .conflict = VIEW_ALL}}, .ndomains = 1, .arg = path,
	                                   .name_domains = name_domains, .address_domains = address_domains};
	const struct hostsfile_domains domains = {.names = {"docker"}, .count = 1};
	struct registry_watcher watcher;

	policy_init(&path->policy);
	path->view = view_new(VIEW_ALL, &policy);
	path->file = hostsfile_new(&domains);
	if (path->view == NULL || path->file == NULL)
		return -1;
	view_set_watcher(path->view, &(struct view_watcher){.listing = listed, .arg = path});
	watcher = view_registry_watcher(path->view);
	path->registry = registry_new(&options, &watcher, NOW_MS);
	path->intake = (struct intake){.policy = &path->policy, .registry = path->registry, .refusals = refusals_new(),
	                               .rates = rates_new()};
	if (path->registry == NULL || path->intake.refusals == NULL || path->intake.rates == NULL)
		return -1;
	registry_connected(path->registry, NOW_MS);
	return 0;
}

static void path_close(struct path *path)
{
	registry_free(path->registry);
	view_free(path->view);
	hostsfile_free(path->file);
	refusals_free(path->intake.refusals);
	rates_free(path->intake.rates);
	policy_clear(&path->policy);
}

/* ---- messages ---- */

static int encode(unsigned i, char body[ANNOUNCEMENT_BODY_MAX], char key[ANNOUNCEMENT_KEY_MAX + 1])
{
	static struct announcement message;
	unsigned b;

	memset(&message, 0, sizeof(message));
	message.op = ANNOUNCEMENT_UP;
	snprintf(message.name, sizeof(message.name), "host%u", i);
	for (b = 0; b < 4; b++) {
		message.instance.bytes[2 + b] = message.session.bytes[12 + b] = (unsigned char)(i >> (24 - 8 * b));
		message.addresses[0].bytes[b] = (unsigned char)((0xc6140001U + i) >> (24 - 8 * b));
	}
	message.instance.bytes[6] = 0x70;
	message.instance.bytes[8] = 0x80;
	message.session.bytes[0] = 1;
	message.has_session = true;
	message.seq = 2;
	message.lease_s = 360;
	message.naddresses = 1;
	message.addresses[0].family = 4;
	announcement_key(message.op, message.name, key);
	return announcement_encode(&message, body);
}

static struct bus_text text(const char *data)
{
	return (struct bus_text){data, strlen(data)};
}

static bool take(struct path *path, const char *body, size_t length, const char *key)
{
	static struct announcement message;
	const struct bus_delivery delivery = {.body_length = length, .exchange = text(EXCHANGE_ANNOUNCE), .routing_key = text(key),
	                                      .body = {body, length}, .content_type = text(ANNOUNCEMENT_CONTENT_TYPE),
	                                      .type = text(ANNOUNCEMENT_TYPE), .user_id = text(USER)};
	struct intake_outcome outcome;

	intake_take(&path->intake, &delivery, &message, NOW_MS, &outcome);
	if (outcome.result != INTAKE_TAKEN)
		fprintf(stderr, "path: %s: %s\n", key, outcome.reason);
	return outcome.result == INTAKE_TAKEN;
}

static bool run(struct path *path, enum stage stage, unsigned count, const char *file)
{
	char body[ANNOUNCEMENT_BODY_MAX], key[ANNOUNCEMENT_KEY_MAX + 1];
	unsigned i;
	int length;

	for (i = 0; i < count; i++) {
		length = encode(i, body, key);
		if (length == -1 || (stage >= TAKE && !take(path, body, (size_t)length, key)))
			return false;
	}
	if (stage >= VIEW)
		view_refresh(path->view);
	if (stage < WRITE)
		return true;
	if (hostsfile_write(path->file, file, HOSTSFILE_SERIAL_MIN, "00000000-0000-0000-0000-000000000000", NULL, 0) == -1) {
		perror(file);
		return false;
	}
	return unlink(file) == 0;
}

int main(int argc, char **argv)
{
	static const char *const stages[] = {"encode", "take", "view", "write"};
	static struct path path;
	unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned stage = 0;
	bool good;

	while (argc == 4 && stage < 4 && strcmp(argv[1], stages[stage]) != 0)
		stage++;
	if (argc != 4 || stage == 4 || count == 0 || count > COUNT_MAX) {
		fprintf(stderr, "Usage: path encode|take|view|write COUNT FILE\n");
		return 2;
	}
	json_object_seed(1); /* else each run's tables are ordered otherwise, and no two cost the same */
	good = path_open(&path) == 0 && run(&path, (enum stage)stage, (unsigned)count, argv[3]);
	path_close(&path);
	return good ? 0 : 1;
}
