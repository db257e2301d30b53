#include <config.h>

#include "reversezones.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reload.h"
#include "reload_trouble.h"
#include "shared/atomicfile.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/reverse.h"
#include "system/process.h"

#define COLLECT_MS 200  /* compose makes several networks at once */
#define AGAIN_MS   1000 /* what could not be written is tried again after this */
#define ZONES_SIZE (128 * (REVERSE_ZONE + 64)) /* of one network, reverse.h */

struct zone {
	struct localnet_bridge bridge;
	bool ours;
};

struct reversezones {
	struct zone *array;
	size_t count;
	int64_t due_ms;
	bool written, failed;
};

/* ---- which networks ---- */

bool reversezones_is_engines(const char *bridge)
{
	static const char *const begins[] = {"docker", "podman", "cni-podman"};
	size_t i;

	for (i = 0; i < sizeof begins / sizeof *begins; i++)
		if (strncmp(bridge, begins[i], strlen(begins[i])) == 0)
			return true;
	/* Docker's and netavark's for a network that was given no name for its bridge: the beginning of its id. */
	return strncmp(bridge, "br-", 3) == 0 && strlen(bridge) == 3 + 12 && bridge[3 + strspn(bridge + 3, "0123456789abcdef")] == '\0';
}

static bool same_bridge(const struct localnet_bridge *a, const struct localnet_bridge *b)
{
	return a->subnet.length == b->subnet.length && address_equal(&a->subnet.base, &b->subnet.base) && strcmp(a->name, b->name) == 0;
}

static bool was_ours(const struct reversezones *zones, const struct localnet_bridge *bridge)
{
	for (size_t i = 0; i < zones->count; i++)
		if (same_bridge(&zones->array[i].bridge, bridge))
			return zones->array[i].ours;
	return false;
}

/* The first time nobody waits for others: the hosts file is written then, too, and dnsmasq told once of both. */
static void due(struct reversezones *zones, int64_t now_ms)
{
	if (zones->due_ms == CLOCK_NEVER)
		zones->due_ms = zones->written ? now_ms + COLLECT_MS : now_ms;
}

void reversezones_bridges(struct reversezones *zones, const struct localnet *localnet, int64_t now_ms)
{
	size_t count, i;
	const struct localnet_bridge *bridges = localnet_bridges(localnet, &count);
	struct zone *fresh = calloc(count + 1, sizeof *fresh);

	if (fresh == NULL)
		return;
	for (i = 0; i < count; i++) {
		fresh[i].bridge = bridges[i];
		fresh[i].ours = reversezones_is_engines(bridges[i].name) || was_ours(zones, &bridges[i]);
	}
	free(zones->array);
	zones->array = fresh;
	zones->count = count;
	due(zones, now_ms);
}

static void met(struct reversezones *zones, const struct address *address, int64_t now_ms)
{
	for (size_t i = 0; i < zones->count; i++) {
		struct zone *zone = &zones->array[i];

		if (zone->ours || !prefix_contains(&zone->bridge.subnet, address))
			continue;
		zone->ours = true;
		due(zones, now_ms);
	}
}

void reversezones_listing(struct reversezones *zones, const struct listing *listing, int64_t now_ms)
{
	const struct fact *fact = listing->fact;

	for (unsigned i = 0; i < fact->naddresses; i++)
		if ((listing->addresses >> i & 1) != 0)
			met(zones, &fact->addresses[i], now_ms);
}

void reversezones_again(struct reversezones *zones, int64_t now_ms)
{
	due(zones, now_ms);
}

/* ---- the files ---- */

static void put(FILE *out, const struct zone *zone, const char *behind)
{
	char text[ZONES_SIZE];

	reverse_zones(&zone->bridge.subnet.base, zone->bridge.subnet.length, "server=/", behind, text, sizeof text);
	fputs(text, out);
}

/* A bridge that has two addresses on one network has it twice. */
static bool is_repeated(const struct reversezones *zones, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (zones->array[j].ours && zones->array[j].bridge.subnet.length == zones->array[i].bridge.subnet.length &&
		    address_equal(&zones->array[j].bridge.subnet.base, &zones->array[i].bridge.subnet.base))
			return true;
	return false;
}

/* To be freed; NULL: no memory. */
static char *render(const struct reversezones *zones, const char *behind)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	fputs("# Written by callsignd, which replaces it whole as networks come and go: do not edit.\n", out);
	for (size_t i = 0; i < zones->count; i++)
		if (zones->array[i].ours && !is_repeated(zones, i))
			put(out, &zones->array[i], behind);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* dnsmasq's notation of where the names are. false: that is not known at present. */
static bool server_of(const struct conf_dnsmasq *conf, const struct localaddr *localaddr, char behind[ADDRESS_TEXT_SIZE + 16])
{
	struct address server;
	char text[ADDRESS_TEXT_SIZE];

	if (conf->server != NULL ? address_parse(conf->server, strlen(conf->server), &server) < 0
				 : localaddr_ipv4(localaddr, RELOAD_DEFAULT_INTERFACE, &server) < 0)
		return false;
	snprintf(behind, ADDRESS_TEXT_SIZE + 16, "/%s#%u\n", address_format(&server, text), conf->port);
	return true;
}

/* Whether path is a regular file that holds just this. A file that was there before this daemon counts, too. */
static bool holds(const char *path, const char *text)
{
	size_t length = strlen(text), used = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	char part[4096];
	ssize_t got = -1;

	if (fd == -1)
		return false;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (size_t)status.st_size == length)
		while ((got = read(fd, part, sizeof part)) > 0 && used + (size_t)got <= length && memcmp(part, text + used, (size_t)got) == 0)
			used += (size_t)got;
	close(fd);
	return got == 0 && used == length;
}

/* 0, or -1 with errno. */
static int path_beside(const struct conf *conf, const char *name, char path[PATH_MAX])
{
	const char *hosts = conf->dnsmasq.hosts_file, *slash = strrchr(hosts, '/');

	if (snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - hosts), hosts, name) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* 1: it is another now; 0: it was so already; -1 with errno. */
static int replace(const struct conf *conf, const char *name, const char *text)
{
	char path[PATH_MAX];

	if (path_beside(conf, name, path) == -1)
		return -1;
	if (holds(path, text))
		return 0;
	return atomicfile_replace(path, 0644, text, strlen(text)) == 0 ? 1 : -1;
}

static int write_one(const struct reversezones *zones, const struct conf *conf, const char *name, const char *behind)
{
	char *text = render(zones, behind);
	int result = text != NULL ? replace(conf, name, text) : -1, saved = errno;

	free(text);
	errno = saved;
	return result;
}

/* ---- who reads them ---- */

/* One that is away, or no dnsmasq, reads the file when it starts. The one that has the names is told by way of the hosts file's serial. */
static void tell_forwarders(const struct conf_dnsmasq *conf)
{
	char reason[PROCESS_REASON_SIZE];
	struct process process;

	for (size_t i = 0; i < conf->nforwarders; i++) {
		if (strcmp(conf->forwarders[i], conf->pid_file) == 0 ||
		    process_open(conf->forwarders[i], RELOAD_PROCESS_NAME, &process, reason) != PROCESS_FOUND)
			continue;
		if (process_signal(&process, SIGHUP) == 0)
			log_info("dnsmasq process=%d asks for reverse names of other networks from now on", (int)process.pid);
		else if (errno != ESRCH)
			log_warn("dnsmasq process=%d (%s) cannot be told that networks have changed", (int)process.pid, conf->forwarders[i]);
		process_close(&process);
	}
}

bool reversezones_step(struct reversezones *zones, const struct conf *conf, const struct localaddr *localaddr, int64_t now_ms)
{
	char behind[ADDRESS_TEXT_SIZE + 16];
	int reverse = 0, forward = 0;

	if (zones->due_ms > now_ms)
		return false;
	zones->due_ms = CLOCK_NEVER;
	if (!conf->dnsmasq.enabled)
		return false;
	reverse = write_one(zones, conf, "reverse", "/\n");
	if (reverse != -1 && server_of(&conf->dnsmasq, localaddr, behind))
		forward = write_one(zones, conf, "forward", behind);
	if (forward == 1)
		tell_forwarders(&conf->dnsmasq);
	if (reverse == -1 || forward == -1) {
		if (!zones->failed)
			log_warn("the reverse zones of this host's networks cannot be written beside %s; it is tried again each second", conf->dnsmasq.hosts_file);
		zones->due_ms = now_ms + AGAIN_MS;
	}
	zones->written |= reverse != -1;
	zones->failed = reverse == -1 || forward == -1;
	return reverse == 1;
}

bool reversezones_untold(const struct conf *conf)
{
	struct stat zones, hosts;
	char path[PATH_MAX];

	if (path_beside(conf, "reverse", path) == -1 || stat(path, &zones) == -1 || stat(conf->dnsmasq.hosts_file, &hosts) == -1)
		return false;
	return zones.st_mtim.tv_sec > hosts.st_mtim.tv_sec ||
	       (zones.st_mtim.tv_sec == hosts.st_mtim.tv_sec && zones.st_mtim.tv_nsec > hosts.st_mtim.tv_nsec);
}

int64_t reversezones_deadline_ms(const struct reversezones *zones)
{
	return zones->due_ms;
}

struct reversezones *reversezones_new(void)
{
	struct reversezones *zones = calloc(1, sizeof *zones);

	if (zones != NULL)
		zones->due_ms = CLOCK_NEVER;
	return zones;
}

void reversezones_free(struct reversezones *zones)
{
	if (zones == NULL)
		return;
	free(zones->array);
	free(zones);
}
