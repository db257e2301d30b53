#include <config.h>

#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "definitions.h"
#include "rights_review.h"
#include "shared/contract/legacy.h"

#define RABBITMQCTL_S 30
#define EMITTERS_MAX 256 /* of which prefixes are compared */
#define QUEUE_HEAD "callsign.host."

/* What is found out about all users together. */
struct users {
	const char *vhost;
	unsigned emitters, hosts, administrators, faults;
	char what[DOCTOR_WHAT_SIZE], mend[DOCTOR_MEND_SIZE];
	struct {
		const char *user;
		char prefix[RIGHTS_PREFIX_SIZE];
	} known[EMITTERS_MAX];
	size_t nknown;
};

static void add(char *out, size_t size, const char *between, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add(char *out, size_t size, const char *between, const char *format, ...)
{
	size_t used = strlen(out);
	va_list arguments;

	if (used > 0 && used + strlen(between) < size)
		used += (size_t)snprintf(out + used, size - used, "%s", between);
	va_start(arguments, format);
	vsnprintf(out + used, size - used, format, arguments);
	va_end(arguments);
}

static void count(struct users *users, const struct rights_finding *finding)
{
	users->hosts += finding->kind == RIGHTS_HOST;
	users->administrators += finding->kind == RIGHTS_ADMINISTRATOR;
	users->emitters += finding->kind == RIGHTS_EMITTER;
	if (finding->kind != RIGHTS_EMITTER || users->nknown == EMITTERS_MAX)
		return;
	users->known[users->nknown].user = finding->user;
	memcpy(users->known[users->nknown++].prefix, finding->name, RIGHTS_PREFIX_SIZE);
}

/* Whoever makes users on the broker chooses their names and patterns: nothing of that steers a terminal. */
static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void describe(const struct rights_finding *finding, char *out, size_t size)
{
	static const char *const kinds[] = {[RIGHTS_HOST] = "host", [RIGHTS_EMITTER] = "emitter", [RIGHTS_AGENT] = "agent of", [RIGHTS_ADMINISTRATOR] = "administrator",
	                                    [RIGHTS_OTHER] = "neither host nor emitter"};

	snprintf(out, size, "%.64s (%s%s%s):", finding->user, kinds[finding->kind], finding->name[0] != '\0' ? " " : "", finding->name);
	if (finding->unclear[0] != '\0')
		add(out, size, " ", "not checked: %s", finding->unclear);
	if (finding->few[0] != '\0')
		add(out, size, " ", "too few, may not %s", finding->few);
	if (finding->many[0] != '\0')
		add(out, size, finding->few[0] != '\0' ? "; " : " ", "too many, may %s", finding->many);
}

static void look_at(void *arg, const struct rights_finding *finding)
{
	struct users *users = arg;
	char text[1024], commands[2048];

	count(users, finding);
	if (finding->few[0] == '\0' && finding->many[0] == '\0' && finding->unclear[0] == '\0')
		return;
	users->faults++;
	describe(finding, text, sizeof text);
	make_printable(text);
	if (strlen(users->what) + strlen(text) + 32 < sizeof users->what)
		add(users->what, sizeof users->what, "; ", "%s", text);
	/* Which host's queue it should have is known to that host alone. */
	if (!is_printable(finding->user))
		snprintf(commands, sizeof commands, "rabbitmqctl list_permissions -p %.64s; its name holds odd characters", users->vhost);
	else if (finding->kind == RIGHTS_HOST && finding->name[0] == '\0')
		snprintf(commands, sizeof commands, "on that user's host: callsignctl doctor");
	else
		rights_commands(finding, users->vhost, commands, sizeof commands);
	if (finding->kind != RIGHTS_HOST && strstr(finding->few, EXCHANGE_LEGACY) != NULL)
		add(commands, sizeof commands, "\n", "what the older format needs on " EXCHANGE_LEGACY ": docs/legacy.md, Rights on the broker");
	/* Half a command would be worse than none. */
	if (commands[0] != '\0' && strlen(users->mend) + strlen(commands) + 2 < sizeof users->mend)
		add(users->mend, sizeof users->mend, "\n", "%s", commands);
}

/* Prefixes of which one begins with the other. */
static void compare_prefixes(struct users *users)
{
	for (size_t i = 0; i < users->nknown; i++) {
		for (size_t k = i + 1; k < users->nknown; k++) {
			if (!rights_overlap(users->known[i].prefix, users->known[k].prefix))
				continue;
			users->faults++;
			if (strlen(users->what) + 2 * RIGHTS_PREFIX_SIZE + 200 < sizeof users->what)
				add(users->what, sizeof users->what, "; ", "the prefixes %s (%.64s) and %s (%.64s) overlap, so each may announce names of the other's",
				    users->known[i].prefix, users->known[i].user, users->known[k].prefix, users->known[k].user);
			if (strlen(users->mend) + 200 < sizeof users->mend)
				add(users->mend, sizeof users->mend, "\n", "callsign-setup tenant %.64s ANOTHER-PREFIX", users->known[k].user);
		}
	}
}

static void judge(const struct users *users, struct doctor_finding *finding)
{
	if (users->faults > 0)
		doctor_warning(finding, users->mend, "%s", users->what);
	else
		doctor_ok(finding, "%u host%s and %u emitter%s on the vhost %s have the rights that they need and no more%s", users->hosts,
		          users->hosts == 1 ? "" : "s", users->emitters, users->emitters == 1 ? "" : "s", users->vhost,
		          users->administrators > 0 ? "; administrators may do all" : "");
}

void doctor_users(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct bus_endpoint *endpoint = &doctor->conf->bus.endpoints[doctor->endpoint];
	const char *queue = doctor->conf->queue.name;
	char why[DEFINITIONS_WHY_SIZE];
	struct users users = {.vhost = endpoint->vhost};
	json_t *definitions;

	if (!doctor_is_here(endpoint->host)) {
		doctor_skipped(finding, "not checked: only the broker's own machine, %s, can tell what its users may do "
		                        "(there: rabbitmqctl list_permissions -p %s)", endpoint->host, endpoint->vhost);
		return;
	}
	definitions = definitions_fetch(why, RABBITMQCTL_S);
	if (definitions == NULL) {
		doctor_skipped(finding, "not checked: %s", why);
		return;
	}
	rights_review(definitions, endpoint->vhost, endpoint->user,
	              strncmp(queue, QUEUE_HEAD, strlen(QUEUE_HEAD)) == 0 ? queue + strlen(QUEUE_HEAD) : "", doctor->conf->legacy, look_at, &users);
	compare_prefixes(&users);
	if (users.hosts + users.emitters + users.administrators == 0)
		doctor_skipped(finding, "not checked: the broker that rabbitmqctl speaks to has no user on a vhost %s", endpoint->vhost);
	else
		judge(&users, finding);
	json_decref(definitions);
}
