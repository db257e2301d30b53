#include <config.h>

#include "haproxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "reload.h"
#include "shared/clock.h"
#include "shared/log.h"

#define RELOAD_AFTER_MS 1500 /* a HAProxy that is just being restarted needs no reload */
#define RELOAD_PAUSE_MAX_MS 60000

/* ---- file and reload ---- */

static void write_file(struct haproxy *haproxy, int64_t now_ms)
{
	char marker[HAPROXY_MARKER_SIZE];

	haproxy_format_marker(haproxy, haproxy->content, marker);
	haproxy_file_write(&haproxy->file, haproxy_map_file(haproxy), haproxy->routes, marker, haproxy->content,
			   haproxy->generation, now_ms);
}

/* Never of one that hangs: a new worker asks the old one for its listening sockets, and without them serves nobody. */
static bool reload_wanted(const struct haproxy *haproxy)
{
	return haproxy->failing_ms != CLOCK_NEVER && !haproxy->hangs && haproxy->conf->reload &&
	       haproxy->loaded != haproxy->content;
}

static int64_t reload_due_ms(const struct haproxy *haproxy)
{
	int64_t due_ms = reload_wanted(haproxy) ? haproxy->failing_ms + RELOAD_AFTER_MS : CLOCK_NEVER;

	return due_ms > haproxy->reload_ms ? due_ms : haproxy->reload_ms;
}

/* The file holds the newest state, and the socket is no way to tell it. */
static void reload(struct haproxy *haproxy, int64_t now_ms)
{
	char before[HAPROXY_TEXT_SIZE];
	pid_t pid;

	haproxy->reload_ms = now_ms + haproxy->reload_pause_ms;
	if (haproxy->file.dirty)
		write_file(haproxy, now_ms);
	if (haproxy->file.dirty)
		return;
	memcpy(before, haproxy->reload_trouble, sizeof(before));
	pid = haproxy_reload(haproxy->conf->pid_file, haproxy->reload_trouble, sizeof(haproxy->reload_trouble));
	if (pid == -1) {
		if (strcmp(before, haproxy->reload_trouble) != 0)
			log_warnx("haproxy: cannot be reloaded instead: %s", haproxy->reload_trouble);
		return;
	}
	log_info("haproxy: told to reload map_file=%s pid=%ld services=%zu, because its socket does not work",
		 haproxy_map_file(haproxy), (long)pid, routes_services(haproxy->routes));
	haproxy->reload_trouble[0] = '\0';
	haproxy->reload_pause_ms =
		haproxy->reload_pause_ms * 2 < RELOAD_PAUSE_MAX_MS ? haproxy->reload_pause_ms * 2 : RELOAD_PAUSE_MAX_MS;
	haproxy->loaded = haproxy->file.content;
	haproxy->reloading = true;
	haproxy->served = haproxy->file.generation;
}

/* ---- the sink's operations ---- */

static void sink_listing(void *self, const struct listing *listing, bool records)
{
	(void)records;
	routes_listing(((struct haproxy *)self)->routes, listing);
}

static void sink_gone(void *self, const struct listing *listing)
{
	routes_gone(((struct haproxy *)self)->routes, &listing->fact->instance);
}

/* Whatever has changed makes another state. */
static void note_content(struct haproxy *haproxy, int64_t now_ms)
{
	routes_tick(haproxy->routes, now_ms);
	if (!routes_changed(haproxy->routes))
		return;
	haproxy->content++;
	haproxy->file.dirty = true;
}

static void sink_flush(void *self, uint64_t generation, int64_t now_ms)
{
	struct haproxy *haproxy = self;

	haproxy->generation = generation;
	note_content(haproxy, now_ms);
	if (haproxy->stage == IDLE && !haproxy->whole && haproxy->told == haproxy->content)
		haproxy->served = generation;
	else if (haproxy->stage == IDLE && haproxy->failing_ms == CLOCK_NEVER)
		haproxy_open_line(haproxy, now_ms);
	haproxy_talk(haproxy, now_ms);
	if (haproxy_file_due_ms(&haproxy->file) <= now_ms)
		write_file(haproxy, now_ms);
}

static uint64_t sink_served(void *self)
{
	return ((struct haproxy *)self)->served;
}

static int sink_pollfds(void *self, struct pollfd *fds)
{
	const struct haproxy *haproxy = self;

	if (haproxy->stage == IDLE)
		return 0;
	fds[0] = (struct pollfd){.fd = haproxy->cli.fd, .events = haproxy_cli_events(&haproxy->cli)};
	return 1;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t sink_deadline_ms(void *self)
{
	const struct haproxy *haproxy = self;
	int64_t due_ms = haproxy->stage == IDLE ? haproxy->next_ms : haproxy->answer_ms;

	due_ms = earlier(due_ms, haproxy_file_due_ms(&haproxy->file));
	due_ms = earlier(due_ms, routes_deadline_ms(haproxy->routes));
	return earlier(due_ms, reload_due_ms(haproxy));
}

static void sink_step(void *self, const struct pollfd *fds, int nfds, int64_t now_ms)
{
	struct haproxy *haproxy = self;

	(void)fds;
	(void)nfds;
	if (routes_deadline_ms(haproxy->routes) <= now_ms)
		note_content(haproxy, now_ms);
	if (haproxy->stage == IDLE && haproxy->next_ms <= now_ms)
		haproxy_open_line(haproxy, now_ms);
	haproxy_talk(haproxy, now_ms);
	if (haproxy_file_due_ms(&haproxy->file) <= now_ms)
		write_file(haproxy, now_ms);
	if (reload_due_ms(haproxy) <= now_ms)
		reload(haproxy, now_ms);
}

static const char *sink_trouble(void *self)
{
	struct haproxy *haproxy = self;

	if (haproxy->failing_ms == CLOCK_NEVER)
		return haproxy->file.trouble[0] != '\0' ? haproxy->file.trouble : NULL;
	/* With its bound: GCC 16 fears that the text might run on into `trouble`, which stands behind it. */
	if (haproxy->reload_trouble[0] != '\0')
		snprintf(haproxy->trouble, sizeof(haproxy->trouble), "%.*s; nor by a reload: %s", HAPROXY_TEXT_SIZE - 1,
		         haproxy->socket_trouble, haproxy->reload_trouble);
	else
		snprintf(haproxy->trouble, sizeof(haproxy->trouble), "%.*s%s", HAPROXY_TEXT_SIZE - 1, haproxy->socket_trouble,
		         haproxy->reloading ? "; names reach HAProxy through map_file and reloads meanwhile" : "");
	return haproxy->trouble;
}

static bool sink_configure(void *self, const struct conf *conf, int64_t now_ms)
{
	struct haproxy *haproxy = self;
	const struct haproxy_conf *own = haproxy_conf(conf);

	if (strcmp(haproxy->conf->map_file, own->map_file) != 0)
		haproxy->file.dirty = true;
	haproxy->conf = own;
	haproxy->whole = true;
	haproxy->failing_ms = CLOCK_NEVER;
	haproxy->reload_trouble[0] = '\0';
	haproxy_hang_up(haproxy, now_ms);
	routes_configure(haproxy->routes, &conf->policy, own->default_port, own->wildcard);
	return true;
}

static void sink_free(void *self)
{
	struct haproxy *haproxy = self;

	haproxy_cli_close(&haproxy->cli);
	routes_free(haproxy->routes);
	free(haproxy);
}

static const struct sink_operations operations = {
	.listing = sink_listing,
	.gone = sink_gone,
	.flush = sink_flush,
	.stored = sink_served,
	.served = sink_served,
	.pollfds = sink_pollfds,
	.deadline_ms = sink_deadline_ms,
	.step = sink_step,
	.configure = sink_configure,
	.trouble = sink_trouble,
	.free = sink_free,
};

static bool haproxy_wanted(const struct conf *conf, size_t i, char name[SINK_NAME_SIZE], bool *required)
{
	const struct haproxy_conf *own = haproxy_conf(conf);

	if (i > 0 || own == NULL || own->socket == NULL)
		return false;
	snprintf(name, SINK_NAME_SIZE, HAPROXY_SINK_NAME);
	*required = own->required;
	return true;
}

static int haproxy_make(const struct conf *conf, size_t i, int64_t now_ms, struct sink *out)
{
	struct haproxy *haproxy = calloc(1, sizeof(*haproxy));
	struct ident run;

	(void)i;
	if (haproxy == NULL)
		return -1;
	haproxy->routes = routes_new();
	if (haproxy->routes == NULL || ident_random(&run) == -1) {
		routes_free(haproxy->routes);
		free(haproxy);
		return -1;
	}
	ident_format(&run, haproxy->run);
	haproxy->conf = haproxy_conf(conf);
	haproxy->cli.fd = -1;
	haproxy->whole = true;
	haproxy->content = 1;
	haproxy->file.dirty = true;
	haproxy->answer_ms = haproxy->failing_ms = CLOCK_NEVER;
	haproxy->next_ms = now_ms;
	haproxy->reload_pause_ms = HAPROXY_RELOAD_PAUSE_MS;
	routes_configure(haproxy->routes, &conf->policy, haproxy->conf->default_port, haproxy->conf->wildcard);
	*out = (struct sink){.name = HAPROXY_SINK_NAME,
			     .required = haproxy->conf->required,
			     .operations = &operations,
			     .self = haproxy};
	return 0;
}

const struct sink_kind haproxy_kind = {haproxy_wanted, haproxy_make};
