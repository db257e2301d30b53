#include <config.h>

#include "definitions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/command.h"

static json_t *parse(const char *text, char *why)
{
	const char *begin = text != NULL ? strchr(text, '{') : NULL; /* some versions greet first */
	json_t *definitions = NULL;
	json_error_t error;

	if (begin != NULL)
		definitions = json_loads(begin, JSON_DISABLE_EOF_CHECK, &error);
	if (definitions == NULL)
		snprintf(why, DEFINITIONS_WHY_SIZE, "rabbitmqctl export_definitions: that is no JSON");
	return definitions;
}

/* Its errors take many lines; they are wanted in one. */
static void first_words(const char *errors, char *out, size_t size)
{
	size_t used = 0;

	for (; errors != NULL && *errors != '\0' && used + 1 < size; errors++) {
		char one = *errors == '\n' || *errors == '\t' ? ' ' : *errors;

		if (one != ' ' || (used > 0 && out[used - 1] != ' '))
			out[used++] = one;
	}
	while (used > 0 && out[used - 1] == ' ')
		used--;
	out[used] = '\0';
}

json_t *definitions_fetch(char *why, unsigned timeout_s)
{
	const char *const argv[] = {"rabbitmqctl", "--quiet", "export_definitions", "-", NULL};
	char *text = NULL, *errors = NULL, words[400];
	json_t *definitions = NULL;
	int status = command_run(argv, NULL, 0, &text, &errors, timeout_s), saved = errno;

	first_words(errors, words, sizeof words);
	if (status == -1 && saved == ENOENT)
		snprintf(why, DEFINITIONS_WHY_SIZE, "there is no rabbitmqctl here");
	else if (status == -1)
		snprintf(why, DEFINITIONS_WHY_SIZE, "rabbitmqctl export_definitions: %s", strerror(saved));
	else if (status != 0)
		snprintf(why, DEFINITIONS_WHY_SIZE, "rabbitmqctl export_definitions: exit status %d: %s", status, words);
	else
		definitions = parse(text, why);
	free(text);
	free(errors);
	errno = status == -1 ? saved : EIO;
	return definitions;
}
