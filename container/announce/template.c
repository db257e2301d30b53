#include <config.h>

#include "template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/log.h"

#define VARIABLE_MAX 128
#define EXPANDED_MAX 4096 /* far more than a name: so that an error can show what is too long */

/* One {NAME} or {NAME:-DEFAULT}. */
struct variable {
	char name[VARIABLE_MAX + 1];
	const char *otherwise; /* NULL: it must be set */
	size_t length;         /* of otherwise */
};

struct template {
	const char *at, *end;
	char *error;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct template *template, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(template->error, template->size, format, arguments);
	va_end(arguments);
	return -1;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_variable_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_letter(text[i]) && text[i] != '_' && (i == 0 || !is_digit(text[i])))
			return false;
	return length > 0 && length <= VARIABLE_MAX;
}

static bool is_default(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '-' && text[i] != '.')
			return false;
	return true;
}

/* Behind the opening brace; leaves template->at behind the closing one. */
static int take_variable(struct template *template, struct variable *out)
{
	const char *close = memchr(template->at, '}', (size_t)(template->end - template->at)), *colon;
	char shown[64];
	size_t length, name;

	if (close == NULL)
		return refuse(template, "a '{' without its '}'");
	length = (size_t)(close - template->at);
	colon = memchr(template->at, ':', length);
	name = colon != NULL ? (size_t)(colon - template->at) : length;
	out->otherwise = colon != NULL ? colon + 2 : NULL;
	if (!is_variable_name(template->at, name) || (colon != NULL && (close - colon < 2 || colon[1] != '-' || !is_default(colon + 2, (size_t)(close - colon - 2)))))
		return refuse(template, "\"{%s}\": a variable is written {NAME} or {NAME:-DEFAULT}, with letters, digits and '_' in NAME",
		              log_safe(shown, sizeof(shown), template->at, length));
	out->length = colon != NULL ? (size_t)(close - colon - 2) : 0;
	memcpy(out->name, template->at, name);
	out->name[name] = '\0';
	template->at = close + 1;
	return 0;
}

/* What stands before the next variable. Its length, or -1. */
static int take_literal(struct template *template, const char **text)
{
	*text = template->at;
	while (template->at < template->end && *template->at != '{') {
		if (*template->at == '}')
			return refuse(template, "a '}' without its '{'");
		template->at++;
	}
	return (int)(template->at - *text);
}

bool template_has_variables(const char *text, size_t length)
{
	return memchr(text, '{', length) != NULL || memchr(text, '}', length) != NULL;
}

/* In capitals if there are none in it. false: there are. */
static bool capitals(const char *name, char out[VARIABLE_MAX + 1])
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++) {
		if (name[i] >= 'A' && name[i] <= 'Z')
			return false;
		out[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
	}
	out[i] = '\0';
	return true;
}

static const char *value_of(const struct variable *variable, template_lookup *lookup, void *arg)
{
	char other[VARIABLE_MAX + 1];
	const char *value = lookup(arg, variable->name);

	if ((value == NULL || value[0] == '\0') && capitals(variable->name, other))
		value = lookup(arg, other);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static int refuse_missing(const struct template *template, const char *name)
{
	char other[VARIABLE_MAX + 1];

	if (capitals(name, other) && strcmp(name, other) != 0)
		return refuse(template, "{%s}: neither %s nor %s is set in the environment", name, name, other);
	return refuse(template, "{%s}: %s is not set in the environment", name, name);
}

struct result {
	char text[EXPANDED_MAX];
	size_t used;
};

static int append(const struct template *template, struct result *out, const char *text, size_t length)
{
	if (length > sizeof(out->text) - out->used)
		return refuse(template, "with its variables filled in it is longer than %d bytes", HOSTNAME_NAME_MAX);
	memcpy(out->text + out->used, text, length);
	out->used += length;
	return 0;
}

/* lookup NULL: only look whether it is written right. */
static int walk(struct template *template, template_lookup *lookup, void *arg, struct result *out)
{
	struct variable variable;
	const char *text;
	int length;

	for (;;) {
		length = take_literal(template, &text);
		if (length == -1 || append(template, out, text, (size_t)length) == -1)
			return -1;
		if (template->at == template->end)
			return 0;
		template->at++;
		if (take_variable(template, &variable) == -1)
			return -1;
		if (lookup == NULL)
			continue;
		text = value_of(&variable, lookup, arg);
		if (text == NULL && variable.otherwise == NULL)
			return refuse_missing(template, variable.name);
		if (append(template, out, text != NULL ? text : variable.otherwise, text != NULL ? strlen(text) : variable.length) == -1)
			return -1;
	}
}

int template_check(const char *text, size_t length, char *error, size_t size)
{
	struct template template = {text, text + length, error, size};
	struct result result = {.used = 0};

	if (length > TEMPLATE_TEXT_MAX)
		return refuse(&template, "longer than %d bytes", TEMPLATE_TEXT_MAX);
	return walk(&template, NULL, NULL, &result);
}

int template_expand(const char *text, size_t length, template_lookup *lookup, void *arg, char out[HOSTNAME_NAME_SIZE], char *error, size_t size)
{
	struct template template = {text, text + length, error, size};
	struct result result = {.used = 0};
	enum hostname_error fault;
	char shown[100], whole[100];

	out[0] = '\0';
	if (length > TEMPLATE_TEXT_MAX)
		return refuse(&template, "longer than %d bytes", TEMPLATE_TEXT_MAX);
	if (walk(&template, lookup, arg, &result) == -1)
		return -1;
	fault = hostname_fold(result.text, result.used, out);
	if (fault == HOSTNAME_OK && hostname_is_localhost(out))
		fault = HOSTNAME_LOCALHOST;
	if (fault == HOSTNAME_OK)
		return 0;
	out[0] = '\0';
	return refuse(&template, "\"%s\" is \"%s\": %s", log_phrase(shown, sizeof(shown), text, length),
	              log_phrase(whole, sizeof(whole), result.text, result.used), hostname_error_text(fault));
}
