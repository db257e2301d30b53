#include "jsontext.h"

/* No config.h and no libc here: callsign-hook is linked with neither. */

struct scan {
	const char *text;
	size_t length, at;
};

static bool value(struct scan *s, unsigned depth);

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_one_of(char c, const char *set)
{
	for (; *set != '\0'; set++) {
		if (*set == c)
			return true;
	}
	return false;
}

/* '\0' at the end; one within the text is nothing that JSON allows anywhere either. */
static char peek(const struct scan *s)
{
	return s->at < s->length ? s->text[s->at] : '\0';
}

static bool take(struct scan *s, char c)
{
	if (peek(s) != c)
		return false;
	s->at++;
	return true;
}

static void blanks(struct scan *s)
{
	while (s->at < s->length && is_one_of(s->text[s->at], " \t\r\n"))
		s->at++;
}

static bool word(struct scan *s, const char *expected)
{
	for (; *expected != '\0'; expected++) {
		if (!take(s, *expected))
			return false;
	}
	return true;
}

static bool escape(struct scan *s)
{
	unsigned i;

	if (take(s, 'u')) {
		for (i = 0; i < 4; i++, s->at++) {
			if (!is_hex(peek(s)))
				return false;
		}
		return true;
	}
	return is_one_of(peek(s), "\"\\/bfnrt") && s->at++ < s->length;
}

/* Whether its bytes are UTF-8 is for whoever reads the string. */
static bool string(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	while (s->at < s->length) {
		char c = s->text[s->at++];

		if (c == '"')
			return true;
		if ((unsigned char)c < 0x20 || (c == '\\' && !escape(s)))
			return false;
	}
	return false;
}

static bool digits(struct scan *s)
{
	if (!is_digit(peek(s)))
		return false;
	while (is_digit(peek(s)))
		s->at++;
	return true;
}

static bool number(struct scan *s)
{
	take(s, '-');
	if (!take(s, '0') && !digits(s))
		return false;
	if (take(s, '.') && !digits(s))
		return false;
	if (is_one_of(peek(s), "eE") && peek(s) != '\0') {
		s->at++;
		if (!take(s, '+'))
			take(s, '-');
		return digits(s);
	}
	return true;
}

static bool member(struct scan *s, bool object, unsigned depth)
{
	blanks(s);
	if (object) {
		if (!string(s))
			return false;
		blanks(s);
		if (!take(s, ':'))
			return false;
		blanks(s);
	}
	if (!value(s, depth))
		return false;
	blanks(s);
	return true;
}

static bool container(struct scan *s, bool object, unsigned depth)
{
	char end = object ? '}' : ']';

	if (depth >= JSONTEXT_DEPTH_MAX)
		return false;
	s->at++;
	blanks(s);
	if (take(s, end))
		return true;
	do {
		if (!member(s, object, depth + 1))
			return false;
	} while (take(s, ','));
	return take(s, end);
}

static bool value(struct scan *s, unsigned depth)
{
	switch (peek(s)) {
	case '{':
	case '[':
		return container(s, peek(s) == '{', depth);
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return number(s);
	}
}

bool jsontext_read(const char *text, size_t length, struct jsontext_span *out)
{
	struct scan s = {text, length, 0};

	blanks(&s);
	out->from = s.at;
	if (!value(&s, 0))
		return false;
	out->to = s.at;
	blanks(&s);
	return s.at == length;
}

bool jsontext_next(const char *text, const struct jsontext_span *outer, size_t *at, struct jsontext_member *out)
{
	struct scan s = {text, outer->to, *at == 0 ? outer->from + 1 : *at};

	blanks(&s);
	if (s.at + 1 >= outer->to)
		return false;
	take(&s, ',');
	blanks(&s);
	out->key = (struct jsontext_span){0, 0};
	if (text[outer->from] == '{') {
		out->key.from = s.at + 1;
		string(&s);
		out->key.to = s.at - 1;
		blanks(&s);
		take(&s, ':');
		blanks(&s);
	}
	out->value.from = s.at;
	if (!value(&s, 0))
		return false;
	out->value.to = *at = s.at;
	return true;
}

static bool span_is(const char *text, size_t from, size_t to, const char *expected)
{
	for (; from < to && *expected != '\0'; from++, expected++) {
		if (text[from] != *expected)
			return false;
	}
	return from == to && *expected == '\0';
}

bool jsontext_is(const char *text, const struct jsontext_span *span, const char *expected)
{
	return text[span->from] == '"' && span_is(text, span->from + 1, span->to - 1, expected);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Whether somebody could take one for the other: by an escape, or, as Go's JSON does, without regard to case. */
static bool span_may_be(const char *text, size_t from, size_t to, const char *expected)
{
	for (size_t i = from; i < to; i++) {
		if (text[i] == '\\')
			return true;
	}
	for (; from < to && *expected != '\0'; from++, expected++) {
		if (lower(text[from]) != lower(*expected))
			return false;
	}
	return from == to && *expected == '\0';
}

int jsontext_find(const char *text, const struct jsontext_span *object, const char *key, struct jsontext_span *out)
{
	struct jsontext_member member;
	size_t at = 0;
	int found = 0;

	if (text[object->from] != '{')
		return -1;
	while (jsontext_next(text, object, &at, &member)) {
		if (!span_may_be(text, member.key.from, member.key.to, key))
			continue;
		if (found++ > 0 || !span_is(text, member.key.from, member.key.to, key))
			return -1;
		*out = member.value;
	}
	return found;
}
