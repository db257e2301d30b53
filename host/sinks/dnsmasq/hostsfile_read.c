#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostsfile.h"
#include "hostsfile_line.h"
#include "registry/table.h"
#include "shared/clock.h"
#include "shared/log.h"

/* Instances that were handed out. Many at once: what is freed again one by one would leave holes between all that is made of them meanwhile. */
struct seen {
	struct table_link link;
	struct ident instance;
};

#define SEEN_BLOCK 8192

struct seen_block {
	struct seen_block *next;
	size_t used;
	struct seen list[SEEN_BLOCK];
};

struct parser {
	const struct hostsfile_domains *wanted; /* who reads it counts these */
	struct hostsfile_domains domains;
	bool has_domains; /* the file says which they are */
	bool same_boot;
	hostsfile_visit *visit;
	void *arg;
	struct hostsfile_content *out;
	struct table seen;
	struct seen_block *seen_blocks;
	bool open; /* record holds an instance that may have further lines */
	bool said; /* these say all that it has said */
	bool again; /* it was handed out before, without that */
	bool may_place; /* the last line was one of its, so that the next may say its place */
	struct hostsfile_record records[2];
	struct hostsfile_record *record, *line; /* one of them each: they are large, and change places where one would be copied */
};

/* Whether two lines say the same of one instance, apart from addresses and aliases: these may be in a domain that does not take the address. */
static bool agrees(const struct hostsfile_record *a, const struct hostsfile_record *b)
{
	const struct announcement *m = &a->message, *n = &b->message;

	if (!ident_equal(&m->instance, &n->instance) || m->has_session != n->has_session ||
	    (m->has_session && !ident_equal(&m->session, &n->session)) || strcmp(m->name, n->name) != 0 ||
	    !announcement_ports_equal(m->ports, m->nports, n->ports, n->nports) || strcmp(a->user, b->user) != 0)
		return false;
	return a->until_ms == b->until_ms;
}

/* The domains of the file by the numbers that they have now: of those that are no more nothing is left. */
static uint32_t renumber(const struct parser *parser, uint32_t bits)
{
	uint32_t out = 0;

	for (unsigned i = 0; i < parser->domains.count && bits >> i != 0; i++) {
		for (unsigned j = 0; (bits >> i & 1) != 0 && j < parser->wanted->count; j++)
			out |= (uint32_t)(strcmp(parser->domains.names[i], parser->wanted->names[j]) == 0) << j;
	}
	return out;
}

static void finish_instance(struct parser *parser)
{
	struct hostsfile_record *record = parser->record;

	if (!parser->open)
		return;
	parser->open = false;
	parser->out->instances += !parser->again;
	for (unsigned i = 0; i <= record->message.naliases; i++)
		record->listed.names[i] = renumber(parser, record->listed.names[i]);
	parser->visit(parser->arg, &record->message, record->user, parser->same_boot ? record->until_ms : CLOCK_NEVER, &record->listed);
}

static const void *seen_key(const struct table_link *link, size_t *length)
{
	const struct seen *seen = TABLE_ENTRY(link, const struct seen, link);

	*length = sizeof(seen->instance);
	return &seen->instance;
}

/* Room for one more, or NULL. */
static struct seen *seen_new(struct parser *parser)
{
	struct seen_block *block = parser->seen_blocks;

	if (block == NULL || block->used == SEEN_BLOCK) {
		block = malloc(sizeof(*block));
		if (block == NULL)
			return NULL;
		block->next = parser->seen_blocks;
		block->used = 0;
		parser->seen_blocks = block;
	}
	return &block->list[block->used++];
}

/* Whether this instance is new. */
static bool note_seen(struct parser *parser, const struct ident *instance)
{
	struct seen *seen;

	if (table_find(&parser->seen, instance, sizeof(*instance)) != NULL)
		return false;
	seen = seen_new(parser);
	if (seen == NULL)
		return false;
	seen->instance = *instance;
	table_add(&parser->seen, &seen->link);
	return true;
}

static void forget_seen(struct parser *parser)
{
	struct seen_block *block;

	table_clear(&parser->seen, NULL);
	while ((block = parser->seen_blocks) != NULL) {
		parser->seen_blocks = block->next;
		free(block);
	}
}

/* Another line of the instance that is open. */
static int take_more(struct parser *parser)
{
	return agrees(parser->record, parser->line) ? hostsfile_line_add(parser->record, parser->line) : -1;
}

/* said: what stands behind HOSTSFILE_SAID; waits: behind HOSTSFILE_WAITS. */
static int take_instance(struct parser *parser, struct text text, bool said, bool waits)
{
	struct hostsfile_record *fresh = parser->line;
	const struct announcement *message = &fresh->message;
	bool new;

	if (hostsfile_line_instance(text, &parser->domains, fresh) < 0 || (said && message->has_session))
		return -1;
	/* With a session it waits for its turn in the answers alone: the names are its own. */
	if (said || (waits && !message->has_session))
		memset(&fresh->listed, 0, sizeof(fresh->listed));
	if (parser->open && parser->said == said && ident_equal(&parser->record->message.instance, &message->instance))
		return take_more(parser);
	finish_instance(parser);
	new = note_seen(parser, &message->instance);
	if (!new && !said)
		return -1;
	parser->line = parser->record;
	parser->record = fresh;
	parser->open = true;
	parser->said = said;
	parser->again = !new;
	return 0;
}

/* Of the instance whose line was the last one. One without session has none. */
static int take_place(struct parser *parser, struct text text)
{
	struct announcement *message = &parser->record->message;

	if (!hostsfile_take(&text, HOSTSFILE_PLACE) || !parser->may_place || !message->has_session)
		return -1;
	return place_parse(text.at, (size_t)(text.end - text.at), &message->place);
}

static int take_serial(struct parser *parser, struct text text)
{
	uint32_t serial = hostsfile_line_serial(text, &parser->domains);

	if (serial == HOSTSFILE_SERIAL_NONE || parser->out->serial != HOSTSFILE_SERIAL_NONE)
		return -1;
	parser->out->serial = serial;
	return 0;
}

/* Before everything that it is about, and once. */
static int take_domains(struct parser *parser, struct text text)
{
	struct hostsfile_domains domains;

	if (parser->has_domains || parser->out->instances > 0 || parser->open || parser->out->serial != HOSTSFILE_SERIAL_NONE ||
	    hostsfile_line_domains(text, &domains) < 0)
		return -1;
	parser->has_domains = true;
	parser->domains = domains;
	return 0;
}

static void take_line(struct parser *parser, struct text line)
{
	struct text listed = line;
	bool said = hostsfile_take(&listed, HOSTSFILE_SAID), waits = !said && hostsfile_take(&listed, HOSTSFILE_WAITS);
	bool taken = take_instance(parser, listed, said, waits) == 0;

	if (taken) {
		parser->may_place = true;
		return;
	}
	taken = take_place(parser, line) == 0 || take_serial(parser, line) == 0 || hostsfile_line_own(line, &parser->domains) ||
	        take_domains(parser, line) == 0 || (hostsfile_take(&line, HOSTSFILE_NOTICE) && line.at == line.end);
	parser->may_place = false;
	parser->out->skipped += !taken;
}

/* The next line without its newline; one that is cut or over HOSTSFILE_LINE_MAX comes out empty, which is of nobody's
 * form. */
static struct text next_line(struct text *text)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): called only while something is left */
	const char *newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
	struct text line = {text->at, newline != NULL ? newline : text->end};

	text->at = newline != NULL ? newline + 1 : text->end;
	if (newline == NULL || line.end - line.at > HOSTSFILE_LINE_MAX)
		line.end = line.at;
	return line;
}

void hostsfile_parse(const char *text, size_t length, const struct hostsfile_domains *domains, const char *boot_id,
		     hostsfile_visit *visit, void *arg, struct hostsfile_content *out)
{
	struct parser parser = {.wanted = domains, .domains = *domains, .visit = visit, .arg = arg, .out = out, .seen = TABLE_EMPTY(seen_key)};
	struct text rest = {text, text + length}, line;
	bool ours;

	parser.record = &parser.records[0];
	parser.line = &parser.records[1];
	memset(out, 0, sizeof(*out));
	if (length == 0)
		return;
	line = next_line(&rest);
	ours = hostsfile_take(&line, HOSTSFILE_MAGIC);
	parser.same_boot = *boot_id != '\0' && hostsfile_take(&line, boot_id) && line.at == line.end;
	out->skipped += !ours;
	while (rest.at < rest.end) {
		line = next_line(&rest);
		if (ours)
			take_line(&parser, line);
		else
			out->skipped++;
	}
	finish_instance(&parser);
	forget_seen(&parser);
}

/* The whole of an open file that is length bytes long now (it is never written in place). NULL with errno. */
static char *read_all(int fd, size_t length)
{
	char *text = malloc(length + 1);
	size_t used = 0;
	ssize_t got = 0;

	if (text == NULL)
		return NULL;
	while (used < length && (got = read(fd, text + used, length - used)) > 0)
		used += (size_t)got;
	if (used == length)
		return text;
	free(text);
	if (got == 0)
		errno = ESTALE; /* somebody else writes to it */
	return NULL;
}

/* Why this file is not to be believed, as errno; 0 if it is. */
static int distrust(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return EINVAL;
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0 || (status->st_uid != 0 && status->st_uid != geteuid()))
		return EPERM;
	return status->st_size > (off_t)HOSTSFILE_SIZE_MAX ? EFBIG : 0;
}

int hostsfile_read(const char *path, const struct hostsfile_domains *domains, const char *boot_id, hostsfile_visit *visit, void *arg,
		   struct hostsfile_content *out)
{
	/* O_NONBLOCK: opening a FIFO must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), error;
	struct stat status;
	char *text = NULL;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return -1;
	error = fstat(fd, &status) < 0 ? errno : distrust(&status);
	if (error == 0 && (text = read_all(fd, (size_t)status.st_size)) == NULL)
		error = errno;
	close(fd);
	if (error != 0 || text == NULL) {
		errno = error != 0 ? error : EIO;
		return -1;
	}
	hostsfile_parse(text, (size_t)status.st_size, domains, boot_id, visit, arg, out);
	free(text);
	return 0;
}
