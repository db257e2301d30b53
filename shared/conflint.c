#include <config.h>

#include "conflint.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A key or a section without a title, where it stands in the text, without its quotes. */
struct name {
	const char *text;
	size_t length;
	int line;
	bool appended; /* given with +=, which may follow */
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
	{"\xe2\x80\xb9", "a typographic quote (U+2039)"},
	{"\xe2\x80\xba", "a typographic quote (U+203A)"},
	{"\xc2\xb4", "an acute accent (U+00B4)"},
	{"\xef\xbc\x82", "a full-width quote (U+FF02)"},
	{"\xef\xbc\x87", "a full-width quote (U+FF07)"},
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

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\0') || c == 0x7f;
}

/* A line ends where libconfuse sees its end: at a line feed. */
static int skip_blanks(struct lint *lint)
{
	for (; is_blank(*lint->at); lint->at++) {
		size_t returns = strspn(lint->at, "\r");

		if (returns > 0 && lint->at[returns] != '\n' && lint->at[returns] != '\0')
			return refuse(lint, "a carriage return that ends no line: write line feeds (what stands behind it may be taken for part of a comment)");
		if (*lint->at == '\n')
			lint->line++;
	}
	return 0;
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
		if (is_control(*lint->at) && *lint->at != '\t')
			return refuse(lint, "a control character within quotes");
		lint->at++;
	}
	lint->at++;
	token->length = (size_t)(lint->at - token->text);
	if (*lint->at != '\0' && !is_blank(*lint->at) && !is_sign(*lint->at) && *lint->at != '+')
		return refuse(lint, "something right behind a closing quote (%c): is one too many, or one within the text? (\\\" stands for itself)",
		              quote);
	return 0;
}

/* What libconfuse would leave out of a word without saying so, or take for its end. */
static int refuse_in_word(struct lint *lint, bool first)
{
	if (*lint->at == '"' || *lint->at == '\'')
		return refuse(lint, "a quote (%c) within a word: quote the whole of it", *lint->at);
	if (first && lint->at[0] == '/' && lint->at[1] == '*')
		return refuse(lint, "a comment without its end: what stands behind it would not be read");
	if (*lint->at == '*' || *lint->at == '+')
		return refuse(lint, "a %c outside of quotes, where it would be left out: quote the whole word", *lint->at);
	if (*lint->at == '#')
		return refuse(lint, "a # right behind a word: quote the whole of it, or put a blank before a comment");
	if (is_control(*lint->at))
		return refuse(lint, "a control character");
	return refuse_lookalike(lint);
}

static int take_word(struct lint *lint, struct token *token)
{
	while (*lint->at != '\0' && !is_blank(*lint->at) && !is_sign(*lint->at) && !(lint->at[0] == '+' && lint->at[1] == '=')) {
		if (refuse_in_word(lint, lint->at == token->text) == -1)
			return -1;
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
	if (skip_blanks(lint) == -1)
		return -1;
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

/* ---- names ---- */

#define SHOWN_MAX 40

/* As much of a name as an error shows. */
static int shown(const struct name *name)
{
	return (int)(name->length < SHOWN_MAX ? name->length : SHOWN_MAX);
}

static int refuse_path(struct lint *lint, const struct name *name)
{
	const char *bar = memrchr(name->text, '|', name->length);
	struct name key = *name;

	if (bar == NULL)
		return 0;
	key.length -= (size_t)(bar + 1 - key.text);
	key.text = bar + 1;
	return refuse(lint, "%.*s: belongs into its section: SECTION { %.*s ... }", shown(&key), key.text, shown(&key), key.text);
}

/* libconfuse takes the same key in quotes, from the environment, and for another section's as SECTION|KEY. */
static int take_name(struct lint *lint, const struct token *token, struct name *name)
{
	*name = (struct name){.text = token->text, .length = token->length, .line = lint->line};
	if (token->kind == TOKEN_STRING) {
		name->text++;
		name->length -= 2;
	}
	if (memchr(name->text, '\\', name->length) != NULL || substitutes(name->text, name->length, false))
		return refuse(lint, "a key is written as it is called, without a backslash and without ${...}");
	return refuse_path(lint, name);
}

static bool is_called(const struct name *name, const char *key)
{
	return name->length == strlen(key) && memcmp(name->text, key, name->length) == 0;
}

/* += may follow = and += ; nothing else may be there twice. */
static int note_name(struct lint *lint, const struct name *name)
{
	struct names *names = &lint->names;
	size_t i;

	for (i = lint->first[lint->depth]; i < names->count; i++) {
		if (names->list[i].length != name->length || memcmp(names->list[i].text, name->text, name->length) != 0)
			continue;
		if (name->appended)
			return 0;
		lint->line = name->line;
		return refuse(lint, "%.*s: given twice, in line %d already", shown(name), name->text, names->list[i].line);
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

/* ---- values ---- */

static bool is_secret(const struct name *key)
{
	return is_called(key, "password") || is_called(key, "urls");
}

/*
 * In double quotes libconfuse makes \n, \x41 and \101 one character each, as C does, and of any other \c a plain c. Only in a command, which is a
 * program's text, can the first be meant; the second is not what was written anywhere.
 */
static int check_escapes(struct lint *lint, const struct name *key, const struct token *token)
{
	const char *plain = is_called(key, "command") ? "\"'\\$abefnrtv" : "\"'\\$";
	size_t i;

	for (i = 1; i + 1 < token->length; i++) {
		if (token->text[i] != '\\')
			continue;
		if (strchr(plain, token->text[++i]) == NULL)
			return refuse(lint, "%.*s: a backslash in double quotes changes what stands behind it: write \\\\ for one, or put the text in single quotes",
			              shown(key), key->text);
	}
	return 0;
}

static int check_value(struct lint *lint, const struct name *key, const struct token *token)
{
	if (token->kind == TOKEN_STRING && *token->text == '"' && check_escapes(lint, key, token) == -1)
		return -1;
	if (!is_secret(key) || token->kind == TOKEN_SIGN || token->kind == TOKEN_END)
		return 0;
	if (memchr(token->text, '\t', token->length) != NULL)
		return refuse(lint, "%.*s: a control character (a tab) in it", shown(key), key->text);
	if (*token->text == '\'' || !substitutes(token->text, token->length, token->kind == TOKEN_STRING))
		return 0;
	return refuse(lint, "%.*s: ${...} would be taken from the environment: put it in single quotes ('...') if it is meant as it is written",
	              shown(key), key->text);
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

/* ---- statements ---- */

/* What may be a key with its value, or a section with a title or without one. Whatever else it is libconfuse refuses. */
static int take_statement(struct lint *lint, const struct token *first)
{
	struct name name;
	struct token next;

	if (take_name(lint, first, &name) == -1 || take_token(lint, &next) == -1)
		return -1;
	if (is(&next, '=') || (next.kind == TOKEN_SIGN && next.length == 2)) {
		name.appended = next.length == 2;
		return note_name(lint, &name) == -1 ? -1 : take_value(lint, &name);
	}
	if (is(&next, '{'))
		return note_name(lint, &name) == -1 ? -1 : open_section(lint);
	if (next.kind == TOKEN_STRING || next.kind == TOKEN_WORD) {
		if (check_value(lint, &name, &next) == -1 || take_token(lint, &next) == -1)
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
		if ((token.kind == TOKEN_WORD || token.kind == TOKEN_STRING) && take_statement(lint, &token) == -1)
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
