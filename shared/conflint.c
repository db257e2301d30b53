#include <config.h>

#include "conflint.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A key or a section without a title, where it stands in the text. */
struct name {
	const char *text;
	size_t length;
	int line;
};

/* Names of the sections that are open now, one behind the other, each section's from its first on. */
struct names {
	struct name *list;
	size_t count, room;
};

#define DEPTH_MAX 16 /* far more than any configuration of ours has */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_SIGN };

struct token {
	enum token_kind kind;
	const char *text; /* with its quotes */
	size_t length;
};

struct lint {
	const char *at;
	int line;
	struct names names;
	size_t first[DEPTH_MAX]; /* of each open section's names */
	unsigned depth;
	struct conflint_fault *fault;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct lint *lint, const char *format, ...)
{
	va_list arguments;

	lint->fault->line = lint->line;
	va_start(arguments, format);
	vsnprintf(lint->fault->text, sizeof(lint->fault->text), format, arguments);
	va_end(arguments);
	return -1;
}

/* ---- characters that look like others ---- */

static const struct {
	const char *bytes, *name;
} lookalikes[] = {
	{"\xef\xbb\xbf", "a byte order mark (U+FEFF)"},
	{"\xe2\x80\x98", "a typographic quote (U+2018)"},
	{"\xe2\x80\x99", "a typographic quote (U+2019)"},
	{"\xe2\x80\x9a", "a typographic quote (U+201A)"},
	{"\xe2\x80\x9b", "a typographic quote (U+201B)"},
	{"\xe2\x80\x9c", "a typographic quote (U+201C)"},
	{"\xe2\x80\x9d", "a typographic quote (U+201D)"},
	{"\xe2\x80\x9e", "a typographic quote (U+201E)"},
	{"\xe2\x80\x9f", "a typographic quote (U+201F)"},
	{"\xe2\x80\xb2", "a prime (U+2032)"},
	{"\xe2\x80\xb3", "a prime (U+2033)"},
	{"\xc2\xab", "a typographic quote (U+00AB)"},
	{"\xc2\xbb", "a typographic quote (U+00BB)"},
	{"\xc2\xa0", "a no-break space (U+00A0)"},
	{"\xe2\x80\x8b", "a zero-width space (U+200B)"},
	{"\xe2\x80\xaf", "a no-break space (U+202F)"},
	{"\xe3\x80\x80", "an ideographic space (U+3000)"},
};

static int refuse_lookalike(struct lint *lint)
{
	size_t i;

	if ((unsigned char)*lint->at < 0x80)
		return 0;
	for (i = 0; i < sizeof(lookalikes) / sizeof(lookalikes[0]); i++)
		if (strncmp(lint->at, lookalikes[i].bytes, strlen(lookalikes[i].bytes)) == 0)
			return refuse(lint, "%s: %s", lookalikes[i].name,
			              i == 0 ? "save the file without" : "a plain one is meant, or text of its own in plain quotes");
	return 0;
}

/* ---- tokens ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_sign(char c)
{
	return c != '\0' && strchr("={}(),", c) != NULL;
}

static void skip_blanks(struct lint *lint)
{
	for (; is_blank(*lint->at); lint->at++)
		if (*lint->at == '\n')
			lint->line++;
}

/* In single quotes it stays as it is; a backslash takes its meaning away. */
static bool substitutes(const char *text, size_t length, bool quoted)
{
	size_t i;

	for (i = 0; i + 1 < length; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '$' && text[i + 1] == '{')
			return true;
	}
	return false;
}

/* What stands in front of a string, and behind it, has nothing to do with it: a sign, a blank, or the end. */
static int take_string(struct lint *lint, struct token *token)
{
	char quote = *lint->at++;

	while (*lint->at != quote) {
		if (*lint->at == '\\' && lint->at[1] != '\0' && lint->at[1] != '\n')
			lint->at++;
		else if (*lint->at == '\0' || *lint->at == '\n')
			return refuse(lint, "a quote (%c) without its end on this line: what stands behind it would not be read", quote);
		lint->at++;
	}
	lint->at++;
	token->length = (size_t)(lint->at - token->text);
	if (*lint->at != '\0' && !is_blank(*lint->at) && !is_sign(*lint->at) && *lint->at != '+')
		return refuse(lint, "something right behind a closing quote (%c): is one too many, or one within the text? (\\\" stands for itself)",
		              quote);
	return 0;
}

static int take_word(struct lint *lint, struct token *token)
{
	while (*lint->at != '\0' && !is_blank(*lint->at) && !is_sign(*lint->at) && !(lint->at[0] == '+' && lint->at[1] == '=')) {
		if (*lint->at == '"' || *lint->at == '\'')
			return refuse(lint, "a quote (%c) within a word: quote the whole of it", *lint->at);
		if (refuse_lookalike(lint) == -1)
			return -1;
		if (lint->at == token->text && lint->at[0] == '/' && lint->at[1] == '*')
			return refuse(lint, "a comment without its end: what stands behind it would not be read");
		if (lint->at[0] == '$' && lint->at[1] == '{')
			lint->at += strcspn(lint->at, "}\n");
		if (*lint->at != '\0' && *lint->at != '\n')
			lint->at++;
	}
	token->length = (size_t)(lint->at - token->text);
	return 0;
}

static int take_token(struct lint *lint, struct token *token)
{
	skip_blanks(lint);
	*token = (struct token){.kind = TOKEN_SIGN, .text = lint->at, .length = 1};
	if (*lint->at == '\0') {
		token->kind = TOKEN_END;
		return 0;
	}
	if (*lint->at == '"' || *lint->at == '\'') {
		token->kind = TOKEN_STRING;
		return take_string(lint, token);
	}
	if (is_sign(*lint->at)) {
		lint->at++;
		return 0;
	}
	if (lint->at[0] == '+' && lint->at[1] == '=') {
		lint->at += token->length = 2;
		return 0;
	}
	token->kind = TOKEN_WORD;
	return take_word(lint, token);
}

static bool is(const struct token *token, char sign)
{
	return token->kind == TOKEN_SIGN && token->length == 1 && *token->text == sign;
}

/* ---- what is given twice ---- */

static int note_name(struct lint *lint, const struct name *name)
{
	struct names *names = &lint->names;
	size_t i;

	for (i = lint->first[lint->depth]; i < names->count; i++) {
		if (names->list[i].length != name->length || memcmp(names->list[i].text, name->text, name->length) != 0)
			continue;
		lint->line = name->line;
		return refuse(lint, "%.*s: given twice, in line %d already", (int)(name->length < 40 ? name->length : 40), name->text,
		              names->list[i].line);
	}
	if (names->count == names->room) {
		struct name *grown = reallocarray(names->list, names->room * 2 + 16, sizeof(*grown));

		if (grown == NULL)
			return refuse(lint, "out of memory");
		names->list = grown;
		names->room = names->room * 2 + 16;
	}
	names->list[names->count++] = *name;
	return 0;
}

static int open_section(struct lint *lint)
{
	if (lint->depth + 1 == DEPTH_MAX)
		return refuse(lint, "sections within sections, %d deep", DEPTH_MAX);
	lint->first[++lint->depth] = lint->names.count;
	return 0;
}

static void close_section(struct lint *lint)
{
	if (lint->depth == 0)
		return; /* libconfuse complains */
	lint->names.count = lint->first[lint->depth--];
}

/* ---- statements ---- */

/* A key by itself, or SECTION|KEY. */
static bool is_secret(const struct name *key)
{
	static const char *const secrets[] = {"password", "urls"};
	size_t i;

	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		size_t length = strlen(secrets[i]);

		if (key->length >= length && memcmp(key->text + key->length - length, secrets[i], length) == 0 &&
		    (key->length == length || key->text[key->length - length - 1] == '|'))
			return true;
	}
	return false;
}

static int check_value(struct lint *lint, const struct name *key, const struct token *token)
{
	if (!is_secret(key) || *token->text == '\'' || !substitutes(token->text, token->length, token->kind == TOKEN_STRING))
		return 0;
	return refuse(lint, "%.*s: ${...} would be taken from the environment: put it in single quotes ('...') if it is meant as it is written",
	              (int)key->length, key->text);
}

/* Behind KEY =: one value, or a list in braces. Leaves what follows. */
static int take_value(struct lint *lint, const struct name *key)
{
	struct token token;

	if (take_token(lint, &token) == -1)
		return -1;
	if (!is(&token, '{'))
		return check_value(lint, key, &token);
	while (token.kind != TOKEN_END && !is(&token, '}')) {
		if (take_token(lint, &token) == -1 || check_value(lint, key, &token) == -1)
			return -1;
	}
	return 0;
}

/* A word where a key may stand: a key with its value, or a section with a title or without one. Whatever else it is libconfuse refuses. */
static int take_statement(struct lint *lint, const struct token *word)
{
	struct name name = {word->text, word->length, lint->line};
	struct token next;

	if (take_token(lint, &next) == -1)
		return -1;
	if (is(&next, '='))
		return note_name(lint, &name) == -1 ? -1 : take_value(lint, &name);
	if (next.kind == TOKEN_SIGN && next.length == 2)
		return take_value(lint, &name);
	if (is(&next, '{'))
		return note_name(lint, &name) == -1 ? -1 : open_section(lint);
	if (next.kind == TOKEN_STRING || next.kind == TOKEN_WORD) {
		if (take_token(lint, &next) == -1)
			return -1;
		if (is(&next, '{'))
			return open_section(lint);
	}
	return 0;
}

static int walk(struct lint *lint)
{
	struct token token;

	do {
		if (take_token(lint, &token) == -1)
			return -1;
		if (token.kind == TOKEN_WORD && take_statement(lint, &token) == -1)
			return -1;
		if (is(&token, '}'))
			close_section(lint);
	} while (token.kind != TOKEN_END);
	return 0;
}

int conflint(const char *text, struct conflint_fault *fault)
{
	struct lint lint = {.at = text, .line = 1, .fault = fault};
	int result = walk(&lint);

	free(lint.names.list);
	return result;
}
