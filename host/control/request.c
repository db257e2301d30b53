#include <config.h>

#include "request.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "shared/log.h"

enum { TAKES_PATTERN = 1, TAKES_NAME = 2, TAKES_USER = 4, CHANGES = 8 };

static const struct {
	const char *name;
	unsigned takes;
} ops[] = {
	[CONTROL_STATUS] = {"status", 0},
	[CONTROL_LIST] = {"list", TAKES_PATTERN},
	[CONTROL_WHY] = {"why", TAKES_NAME | TAKES_USER},
	[CONTROL_WATCH] = {"watch", TAKES_PATTERN},
	[CONTROL_FORGET] = {"forget", TAKES_NAME | CHANGES},
	[CONTROL_ROLLCALL] = {"rollcall", CHANGES},
	[CONTROL_RELOAD] = {"reload", CHANGES},
	[CONTROL_METRICS] = {"metrics", 0},
	[CONTROL_WITHDRAWN] = {"withdrawn", 0},
};

#define OPS (sizeof ops / sizeof *ops)

const char *control_op_name(enum control_op op)
{
	return ops[op].name;
}

bool control_op_changes(enum control_op op)
{
	return (ops[op].takes & CHANGES) != 0;
}

static int refuse(char error[CONTROL_ERROR_SIZE], const char *what, const char *text)
{
	char safe[LOG_SAFE_MAX];

	snprintf(error, CONTROL_ERROR_SIZE, "%s%s%s", what, text[0] != '\0' ? ": " : "",
	         log_phrase(safe, sizeof safe, text, strlen(text)));
	return -1;
}

int control_name_parse(const char *text, const struct policy *policy, char out[HOSTNAME_NAME_SIZE], char error[CONTROL_ERROR_SIZE])
{
	size_t length = strlen(text);
	char whole[HOSTNAME_FQDN_SIZE];
	enum hostname_error wrong;

	if (length > 1 && text[length - 1] == '.')
		length--;
	wrong = hostname_fold_fqdn(text, length, whole);
	if (wrong != HOSTNAME_OK)
		return refuse(error, hostname_error_text(wrong), text);
	length = policy_bare_length(policy, whole, length, NULL);
	wrong = hostname_fold(whole, length, out);
	return wrong == HOSTNAME_OK ? 0 : refuse(error, hostname_error_text(wrong), text);
}

static int parse_pattern(const char *text, char out[HOSTNAME_FQDN_SIZE], char error[CONTROL_ERROR_SIZE])
{
	size_t i;

	if (!hostname_pattern_valid(text))
		return refuse(error, "not a pattern of letters, digits, '-', '.', '*' and '?'", text);
	for (i = 0; text[i] != '\0'; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	out[i] = '\0';
	return 0;
}

static int parse_user(const char *text, struct control_request *out, char error[CONTROL_ERROR_SIZE])
{
	if (strlen(text) >= sizeof out->user)
		return refuse(error, "a user longer than 255 bytes", "");
	out->has_user = true;
	snprintf(out->user, sizeof out->user, "%s", text);
	return 0;
}

static int parse_key(const char *key, const char *text, const struct policy *policy, struct control_request *out, char error[CONTROL_ERROR_SIZE])
{
	unsigned takes = ops[out->op].takes;

	if (strcmp(key, "op") == 0)
		return 0;
	if (strcmp(key, "pattern") == 0 && (takes & TAKES_PATTERN) != 0)
		return parse_pattern(text, out->pattern, error);
	if (strcmp(key, "name") == 0 && (takes & TAKES_NAME) != 0)
		return control_name_parse(text, policy, out->name, error);
	if (strcmp(key, "user") == 0 && (takes & TAKES_USER) != 0)
		return parse_user(text, out, error);
	return refuse(error, "a key that this request does not have", key);
}

static int parse_op(const json_t *root, struct control_request *out, char error[CONTROL_ERROR_SIZE])
{
	const char *text = json_string_value(json_object_get(root, "op"));
	size_t i;

	if (text == NULL)
		return refuse(error, "not a JSON object with the string \"op\"", "");
	for (i = 0; i < OPS; i++) {
		if (strcmp(text, ops[i].name) == 0) {
			out->op = (enum control_op)i;
			return 0;
		}
	}
	return refuse(error, "unknown op", text);
}

static int parse_object(json_t *root, const struct policy *policy, struct control_request *out, char error[CONTROL_ERROR_SIZE])
{
	const char *key;
	json_t *value;

	if (parse_op(root, out, error) == -1)
		return -1;
	json_object_foreach(root, key, value) {
		if (!json_is_string(value))
			return refuse(error, "not a string", key);
		if (parse_key(key, json_string_value(value), policy, out, error) == -1)
			return -1;
	}
	if ((ops[out->op].takes & TAKES_NAME) != 0 && out->name[0] == '\0')
		return refuse(error, "\"name\" is missing", "");
	return 0;
}

int control_request_parse(const char *line, size_t length, const struct policy *policy, struct control_request *out, char error[CONTROL_ERROR_SIZE])
{
	json_error_t wrong;
	json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &wrong);
	int result;

	memset(out, 0, sizeof *out);
	if (root == NULL)
		return refuse(error, "not JSON", wrong.text);
	result = parse_object(root, policy, out, error);
	json_decref(root);
	return result;
}
