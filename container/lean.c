/*
 * Only in the static emitter. libconfuse can expand "~user" in paths, translate its messages and read "\x41" in strings, and through
 * that brings in the C library's user database, message catalogues and scanf: 110 kB that no emitter uses. A static link takes
 * these definitions in their place.
 */
#include <config.h>

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

char *bindtextdomain(const char *domain, const char *directory);
char *dcgettext(const char *domain, const char *message, int category);
char *__dcgettext(const char *domain, const char *message, int category);
char *dgettext(const char *domain, const char *message);

/* As on a system without users: no home directory is known, and the path stays as it is written. */
struct passwd *getpwnam(const char *name)
{
	(void)name;
	return NULL;
}

struct passwd *getpwuid(uid_t uid)
{
	(void)uid;
	return NULL;
}

/*
 * For libconfuse's lexer, which calls it with "%x" or "%o" on digits that it has checked already. OpenSSL has other uses for it,
 * and with TLS its size matters little.
 */
#ifndef WITH_TLS
int __isoc99_sscanf(const char *text, const char *format, ...);

int __isoc99_sscanf(const char *text, const char *format, ...)
{
	va_list arguments;
	char *end;

	va_start(arguments, format);
	*va_arg(arguments, unsigned *) = (unsigned)strtoul(text, &end, strchr(format, 'o') != NULL ? 8 : 16);
	va_end(arguments);
	return end != text;
}
#endif

char *bindtextdomain(const char *domain, const char *directory)
{
	(void)domain;
	(void)directory;
	return NULL;
}

/* Messages stay as they are in the source. */
static char *untranslated(const char *message)
{
	char *same;

	memcpy(&same, &message, sizeof same);
	return same;
}

char *dgettext(const char *domain, const char *message)
{
	(void)domain;
	return untranslated(message);
}

char *dcgettext(const char *domain, const char *message, int category)
{
	(void)domain;
	(void)category;
	return untranslated(message);
}

char *__dcgettext(const char *domain, const char *message, int category)
{
	return dcgettext(domain, message, category);
}
