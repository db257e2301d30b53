#include <config.h>

#include "rights_review.h"

#include <string.h>

struct shell {
	char *out;
	size_t size, used;
};

static void shell_text(struct shell *shell, const char *text, size_t length)
{
	for (size_t i = 0; i < length && shell->used + 1 < shell->size; i++)
		shell->out[shell->used++] = text[i];
	shell->out[shell->used] = '\0';
}

/* One word for a shell, behind a blank, whatever is in it. */
static void shell_word(struct shell *shell, const char *word)
{
	bool plain = word[0] != '\0' && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")] == '\0';

	shell_text(shell, plain ? " " : " '", plain ? 1 : 2);
	for (; *word != '\0'; word++)
		shell_text(shell, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
	shell_text(shell, "'", plain ? 0 : 1);
}

static void shell_command(struct shell *shell, const char *verb, const char *const words[])
{
	shell_text(shell, shell->used > 0 ? "\nrabbitmqctl" : "rabbitmqctl", shell->used > 0 ? 12 : 11);
	shell_word(shell, verb);
	for (size_t i = 0; words[i] != NULL; i++)
		shell_word(shell, words[i]);
}

char *rights_commands(const struct rights_finding *finding, const char *vhost, char *out, size_t size)
{
	const char *const none[] = {"-p", vhost, finding->user, NULL};
	struct shell shell = {.out = out, .size = size};
	struct rights_topic topic;
	struct rights rights;

	out[0] = '\0';
	if (finding->kind == RIGHTS_OTHER && finding->many[0] == '\0')
		return out; /* what an old program lacks stands in docs/legacy.md */
	if (finding->kind == RIGHTS_OTHER) {
		shell_command(&shell, "clear_permissions", none);
		return out;
	}
	if (finding->kind == RIGHTS_HOST)
		rights_host(finding->name, finding->legacy, &rights);
	else if (finding->kind == RIGHTS_AGENT)
		rights_agent(finding->name, &rights, &topic);
	else
		rights_emitter(finding->name, &rights, &topic);
	if (finding->wrong & RIGHTS_WRONG_PERMISSIONS)
		shell_command(&shell, "set_permissions", (const char *const[]){"-p", vhost, finding->user, rights.configure, rights.write, rights.read,
		                                                               NULL});
	if (finding->kind == RIGHTS_HOST && finding->wrong & (RIGHTS_WRONG_ANNOUNCE | RIGHTS_WRONG_WILL))
		shell_command(&shell, "clear_topic_permissions", none);
	if (finding->kind != RIGHTS_EMITTER && finding->kind != RIGHTS_AGENT)
		return out;
	if (finding->wrong & RIGHTS_WRONG_ANNOUNCE)
		shell_command(&shell, "set_topic_permissions", (const char *const[]){"-p", vhost, finding->user, "callsign", topic.announce_write,
		                                                                     topic.announce_read, NULL});
	if (finding->wrong & RIGHTS_WRONG_WILL && finding->kind == RIGHTS_EMITTER)
		shell_command(&shell, "set_topic_permissions", (const char *const[]){"-p", vhost, finding->user, "callsign.will", topic.will, topic.will,
		                                                                     NULL});
	return out;
}
