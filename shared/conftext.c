#include <config.h>

#include "conftext.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conflint.h"
#include "log.h"

/* Behind a quoted string: its end, or the end of the text. */
static char *skip_string(char *at)
{
	char quote = *at++;

	while (*at != '\0' && *at != quote)
		at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
	return *at == '\0' ? at : at + 1;
}

static char *blank(char *at, const char *end)
{
	for (; at < end; at++)
		if (*at != '\n' && *at != '\r')
			*at = ' ';
	return at;
}

/* Behind the comment that begins here, which is blank then; NULL if none does. */
static char *blank_comment(char *at, bool in_word)
{
	char *end;

	if (in_word)
		return NULL;
	if (*at == '#' || (at[0] == '/' && at[1] == '/'))
		return blank(at, at + strcspn(at, "\n"));
	if (at[0] != '/' || at[1] != '*')
		return NULL;
	end = strstr(at + 2, "*/");
	return end == NULL ? NULL : blank(at, end + 2);
}

void conftext_blank(char *text)
{
	bool in_word = false;
	char *behind;

	while (*text != '\0') {
		behind = blank_comment(text, in_word);
		if (behind == NULL && (*text == '"' || *text == '\''))
			behind = skip_string(text);
		in_word = behind == NULL && strchr(" \t\r\n={}()+,", *text) == NULL;
		text = behind != NULL ? behind : text + 1;
	}
}

/* The whole file, terminated, its length without that in *length. NULL with errno. */
static char *read_all(FILE *file, size_t *length)
{
	char *text = malloc(CONFTEXT_SIZE_MAX + 2);

	if (text == NULL)
		return NULL;
	*length = fread(text, 1, CONFTEXT_SIZE_MAX + 1, file);
	text[*length] = '\0';
	if (!ferror(file)) {
		if (*length <= CONFTEXT_SIZE_MAX && strlen(text) == *length)
			return text;
		errno = *length > CONFTEXT_SIZE_MAX ? EFBIG : EILSEQ;
	}
	explicit_bzero(text, *length);
	free(text);
	return NULL;
}

static int parse_text(cfg_t *cfg, char *text, size_t length)
{
	FILE *stream = fmemopen(text, length, "r");
	int result;

	if (stream == NULL)
		return CFG_FILE_ERROR;
	setvbuf(stream, NULL, _IONBF, 0); /* a buffer would be one more copy of a password */
	result = cfg_parse_fp(cfg, stream);
	fclose(stream);
	return result;
}

/* Before libconfuse sees it, which would take it and read something else. */
static int check_text(cfg_t *cfg, const char *text)
{
	struct conflint_fault fault;

	if (conflint(text, &fault) == 0)
		return CFG_SUCCESS;
	cfg->line = fault.line;
	cfg_error(cfg, "%s", fault.text);
	return CFG_PARSE_ERROR;
}

int conftext_parse(cfg_t *cfg, FILE *file)
{
	size_t length = 0;
	char *text;
	int result;

	setvbuf(file, NULL, _IONBF, 0);
	text = read_all(file, &length);
	if (text == NULL)
		return CFG_FILE_ERROR;
	conftext_blank(text);
	result = check_text(cfg, text);
	if (result == CFG_SUCCESS)
		result = parse_text(cfg, text, length);
	explicit_bzero(text, length);
	free(text);
	return result;
}

const char *conftext_place(char out[CONFTEXT_PLACE_SIZE], const char *path, int line)
{
	if (line > 0)
		snprintf(out, CONFTEXT_PLACE_SIZE, "%s:%d", path, line);
	else
		snprintf(out, CONFTEXT_PLACE_SIZE, "%s", path);
	return out;
}

FILE *conftext_open(const char *path, bool *others_may_read)
{
	struct stat status;
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		log_error("%s: cannot be read", path);
		return NULL;
	}
	if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode)) {
		*others_may_read = (status.st_mode & S_IRWXO) != 0;
		return file;
	}
	log_errorx("%s: not a regular file", path);
	fclose(file);
	return NULL;
}
