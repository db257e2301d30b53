#include <config.h>

#include "hook.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "minder.h"
#include "output.h"
#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/jitter.h"
#include "shared/log.h"
#include "table.h"

#define NAME_PREFIX "hook "
#define BLIND_MS 50        /* without a pidfd: how often to look whether a run is over */
#define WRITE_BUFFER 65536
#define REASON_SIZE 160
#define SAME_FAILURE_MS 60000

struct hook {
	char name[SINK_NAME_SIZE];
	const char *title;          /* in it */
	const struct conf *conf;    /* borrowed */
	const struct hook_conf *own; /* in conf */
	char lock_path[PATH_MAX];
	struct hook_table *table;
	struct hook_output output;
	struct minder minder;
	struct backoff backoff;

	uint64_t generation; /* the newest batch */
	uint64_t running;    /* the newest that the run under way was told of */
	uint64_t done;       /* the newest that a successful run was told of */
	int64_t due_ms;      /* the next run */
	int64_t started_ms;
	int64_t end_ms;      /* when the run under way gets its next signal */
	unsigned signals;    /* that it got */
	bool forget;         /* the command is another one: when this run is over, it is told everything anew */
	bool incomplete;     /* a change could not be noted */
	unsigned failures;   /* since the last success */
	char reason[REASON_SIZE]; /* of the last failure that was logged */
	int64_t logged_ms;
	char trouble[PATH_MAX + 512];
};

/* ---- configuration ---- */

static bool hook_wanted(const struct conf *conf, size_t i, char name[SINK_NAME_SIZE], bool *required)
{
	const struct hook_conf *own = hook_conf(conf, i);

	if (own == NULL)
		return false;
	snprintf(name, SINK_NAME_SIZE, NAME_PREFIX "%s", own->name);
	*required = own->required;
	return true;
}

static const struct hook_conf *find_own(const struct conf *conf, const char *title)
{
	const struct hook_conf *own;
	size_t i = 0;

	while ((own = hook_conf(conf, i)) != NULL && strcmp(own->name, title) != 0)
		i++;
	return own;
}

/* Beside the hosts file: surely a directory that we may write to. dnsmasq passes over files that begin with a dot. */
static void choose_lock(struct hook *hook)
{
	const char *file = hook->conf->dnsmasq.hosts_file, *slash = strrchr(file, '/');

	snprintf(hook->lock_path, sizeof(hook->lock_path), "%.*s/.callsign-hook-%s.lock", (int)(slash != NULL ? slash - file : 0), file, hook->title);
}

static void take_configuration(struct hook *hook, const struct conf *conf, const struct hook_conf *own)
{
	hook->conf = conf;
	hook->own = own;
	choose_lock(hook);
	backoff_init(&hook->backoff, HOOK_RETRY_FIRST_MS, (uint32_t)own->retry_ms);
}

static bool same_command(const struct hook_conf *a, const struct hook_conf *b)
{
	size_t i;

	for (i = 0; a->command[i] != NULL && b->command[i] != NULL; i++)
		if (strcmp(a->command[i], b->command[i]) != 0)
			return false;
	return a->command[i] == b->command[i];
}

static bool sink_configure(void *self, const struct conf *conf, int64_t now_ms)
{
	struct hook *hook = self;
	const struct hook_conf *own = find_own(conf, hook->title);
	bool again = hook->incomplete; /* other domains: the view tells all anew by itself */
	bool other_command;

	if (own == NULL)
		return false; /* sinkset.c asks only those that have a section */
	other_command = !same_command(own, hook->own);
	take_configuration(hook, conf, own);
	hook->incomplete = false;
	if (other_command && hook->minder.pid != 0)
		hook->forget = true;
	else if (other_command)
		hook_table_forget(hook->table);
	/* Somebody has mended something: do not let him wait. */
	if (hook->failures > 0 && hook->minder.pid == 0)
		hook->due_ms = now_ms;
	return again;
}

/* ---- what is wrong ---- */

static const char *reason_text(const struct hook *hook, enum minder_result result, int value, char out[REASON_SIZE])
{
	if (hook->signals > 0)
		snprintf(out, REASON_SIZE, "it did not end within %" PRId64 " ms and was ended", hook->own->timeout_ms);
	else if (result == MINDER_EXITED)
		snprintf(out, REASON_SIZE, "exit status %d", value);
	else if (result == MINDER_SIGNALLED)
		snprintf(out, REASON_SIZE, "ended by signal %d", value);
	else if (result == MINDER_NOT_STARTED)
		snprintf(out, REASON_SIZE, "it cannot be run: %s", strerror(value));
	else
		snprintf(out, REASON_SIZE, "it was killed together with its minder");
	return out;
}

static void fail(struct hook *hook, const char *reason, int64_t now_ms)
{
	uint32_t pause_ms = backoff_next(&hook->backoff, jitter_bits());

	hook->due_ms = now_ms + pause_ms;
	hook->failures++;
	snprintf(hook->trouble, sizeof(hook->trouble), "command %s has failed %u time%s: %s; it is tried again, at least each %" PRId64
	         " s, and what it says is in the log", hook->own->command[0], hook->failures, hook->failures == 1 ? "" : "s", reason,
	         (hook->own->retry_ms + 999) / 1000);
	/* The same again and again is one line a minute. */
	if (hook->failures > 1 && strcmp(reason, hook->reason) == 0 && now_ms < hook->logged_ms + SAME_FAILURE_MS)
		return;
	snprintf(hook->reason, sizeof(hook->reason), "%s", reason);
	hook->logged_ms = now_ms;
	log_warnx("hook=%s failed command=%s failures=%u again_ms=%" PRIu32 ": %s", hook->title, hook->own->command[0], hook->failures, pause_ms, reason);
}

static void succeed(struct hook *hook)
{
	if (hook->failures > 0)
		log_info("hook=%s works again after failures=%u", hook->title, hook->failures);
	hook->failures = 0;
	backoff_reset(&hook->backoff);
}

/* ---- a run ---- */

/* The document in a file without a name: the command may read it or not, fast or slowly, and nobody waits for it. -1 with errno. */
static int write_input(struct hook *hook, FILE **out)
{
	int fd = memfd_create("callsign-hook", MFD_CLOEXEC), saved;

	*out = fd != -1 ? fdopen(fd, "w") : NULL;
	if (*out == NULL) {
		saved = errno;
		if (fd != -1)
			close(fd);
		errno = saved;
		return -1;
	}
	setvbuf(*out, NULL, _IOFBF, WRITE_BUFFER);
	hook_table_write(hook->table, hook->conf, hook->generation, *out);
	if (fflush(*out) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		return -1;
	return fd;
}

static int start_command(struct hook *hook, int input)
{
	char name[sizeof("CALLSIGN_HOOK=") + SINK_NAME_SIZE], generation[sizeof("CALLSIGN_GENERATION=") + 20];
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", language[] = "LANG=C.UTF-8";
	char *environment[] = {path, language, name, generation, NULL};

	snprintf(name, sizeof(name), "CALLSIGN_HOOK=%s", hook->title);
	snprintf(generation, sizeof(generation), "CALLSIGN_GENERATION=%" PRIu64, hook->generation);
	return minder_start(&hook->minder, hook->own->command, environment, input, hook->lock_path);
}

static void start(struct hook *hook, int64_t now_ms)
{
	int64_t began_us = clock_us();
	FILE *out = NULL;
	int input = write_input(hook, &out), started = -1;
	char reason[REASON_SIZE];

	if (input != -1)
		started = start_command(hook, input);
	if (started == -1)
		snprintf(reason, sizeof(reason), "it cannot be started: %s", strerror(errno));
	if (out != NULL)
		fclose(out);
	if (started == -1) {
		hook_table_untold(hook->table, false);
		fail(hook, reason, now_ms);
		return;
	}
	hook->running = hook->generation;
	hook->due_ms = CLOCK_NEVER;
	hook->started_ms = now_ms;
	hook->end_ms = now_ms + hook->own->timeout_ms;
	hook->signals = 0;
	log_debug("hook=%s runs generation=%" PRIu64 " prepared_us=%" PRId64, hook->title, hook->generation, clock_us() - began_us);
}

/* A change may have been taken back meanwhile. */
static void start_if_changed(struct hook *hook, int64_t now_ms)
{
	if (hook_table_changed(hook->table)) {
		start(hook, now_ms);
		return;
	}
	hook->due_ms = CLOCK_NEVER;
	hook->done = hook->generation;
}

/* What came while it ran, or was not taken, is for the next run. */
static void end(struct hook *hook, bool success, bool ran, int64_t now_ms)
{
	if (success)
		hook_table_told(hook->table);
	else
		hook_table_untold(hook->table, ran);
	if (success)
		hook->done = hook->running;
	if (hook->forget)
		hook_table_forget(hook->table);
	hook->forget = false;
	if (success && hook_table_changed(hook->table))
		hook->due_ms = now_ms + hook->own->delay_ms;
	else if (success)
		hook->done = hook->generation;
}

static void look_whether_over(struct hook *hook, int64_t now_ms)
{
	char reason[REASON_SIZE];
	enum minder_result result;
	bool success;
	int value;

	if (!minder_done(&hook->minder, &result, &value))
		return;
	if (hook->minder.output != -1)
		hook_output_read(&hook->output, hook->title, hook->minder.output, now_ms);
	hook_output_end(&hook->output, hook->title, now_ms);
	minder_clear(&hook->minder);
	success = result == MINDER_EXITED && value == 0 && hook->signals == 0;
	end(hook, success, result != MINDER_NOT_STARTED, now_ms);
	if (success) {
		log_debug("hook=%s is done generation=%" PRIu64 " ms=%" PRId64, hook->title, hook->running, now_ms - hook->started_ms);
		succeed(hook);
	} else {
		fail(hook, reason_text(hook, result, value, reason), now_ms);
	}
}

static void end_in_time(struct hook *hook, int64_t now_ms)
{
	minder_signal(&hook->minder, hook->signals > 0);
	hook->signals++;
	hook->end_ms = hook->signals == 1 ? now_ms + HOOK_KILL_MS : CLOCK_NEVER;
}

/* ---- the sink's operations ---- */

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sink_listing(void *self, const struct listing *listing, bool records)
{
	struct hook *hook = self;

	(void)records;
	if (hook_table_set(hook->table, listing, &hook->conf->policy, wall_ms(), clock_ms()) == 0)
		return;
	log_error("hook=%s: a change cannot be noted", hook->title);
	hook->incomplete = true;
}

static void sink_gone(void *self, const struct listing *listing)
{
	hook_table_remove(((struct hook *)self)->table, &listing->fact->instance);
}

static void sink_flush(void *self, uint64_t generation, int64_t now_ms)
{
	struct hook *hook = self;

	hook->generation = generation;
	if (hook->minder.pid != 0)
		return;
	if (!hook_table_changed(hook->table))
		hook->done = generation;
	else if (hook->due_ms == CLOCK_NEVER)
		hook->due_ms = now_ms + hook->own->delay_ms;
}

static uint64_t sink_done(void *self)
{
	return ((const struct hook *)self)->done;
}

static int sink_pollfds(void *self, struct pollfd *fds)
{
	const struct hook *hook = self;
	int count = 0;

	if (hook->minder.pid != 0 && hook->minder.pidfd != -1)
		fds[count++] = (struct pollfd){.fd = hook->minder.pidfd, .events = POLLIN};
	if (hook->minder.output != -1 && hook->output.pause_ms == 0)
		fds[count++] = (struct pollfd){.fd = hook->minder.output, .events = POLLIN};
	return count;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t sink_deadline_ms(void *self)
{
	const struct hook *hook = self;
	int64_t due_ms = hook->end_ms;

	if (hook->minder.pid == 0)
		return hook->due_ms;
	if (hook->minder.pidfd == -1)
		due_ms = earlier(due_ms, clock_ms() + BLIND_MS);
	return hook->output.pause_ms > 0 ? earlier(due_ms, hook->output.pause_ms) : due_ms;
}

static void read_output(struct hook *hook, int64_t now_ms)
{
	if (now_ms < hook->output.pause_ms)
		return;
	hook->output.pause_ms = 0;
	if (!hook_output_read(&hook->output, hook->title, hook->minder.output, now_ms))
		return;
	close(hook->minder.output);
	hook->minder.output = -1;
}

static void sink_step(void *self, const struct pollfd *fds, int nfds, int64_t now_ms)
{
	struct hook *hook = self;
	bool over = hook->minder.pidfd == -1;

	for (int i = 0; i < nfds; i++)
		over |= fds[i].fd == hook->minder.pidfd && fds[i].revents != 0;
	if (hook->minder.pid != 0) {
		if (hook->minder.output != -1)
			read_output(hook, now_ms);
		if (over)
			look_whether_over(hook, now_ms);
		if (hook->minder.pid != 0 && hook->end_ms <= now_ms)
			end_in_time(hook, now_ms);
	} else if (hook->due_ms <= now_ms) {
		start_if_changed(hook, now_ms);
	}
}

static const char *sink_trouble(void *self)
{
	const struct hook *hook = self;

	if (hook->incomplete)
		return "there was no memory for a change: reload callsignd";
	return hook->failures > 0 ? hook->trouble : NULL;
}

static void sink_free(void *self)
{
	struct hook *hook = self;

	minder_clear(&hook->minder);
	hook_table_free(hook->table);
	free(hook);
}

static const struct sink_operations operations = {
	.listing = sink_listing,
	.gone = sink_gone,
	.flush = sink_flush,
	.stored = sink_done,
	.served = sink_done,
	.pollfds = sink_pollfds,
	.deadline_ms = sink_deadline_ms,
	.step = sink_step,
	.configure = sink_configure,
	.trouble = sink_trouble,
	.free = sink_free,
};

static int hook_make(const struct conf *conf, size_t i, int64_t now_ms, struct sink *out)
{
	struct hook *hook = calloc(1, sizeof(*hook));
	bool required = false;

	(void)now_ms;
	if (hook == NULL)
		return -1;
	hook->table = hook_table_new();
	if (hook->table == NULL) {
		free(hook);
		return -1;
	}
	hook_wanted(conf, i, hook->name, &required);
	hook->title = hook->name + strlen(NAME_PREFIX);
	minder_init(&hook->minder);
	hook->due_ms = hook->end_ms = CLOCK_NEVER;
	take_configuration(hook, conf, hook_conf(conf, i));
	*out = (struct sink){.name = hook->name, .required = required, .operations = &operations, .self = hook};
	return 0;
}

const struct sink_kind hook_kind = {hook_wanted, hook_make};
