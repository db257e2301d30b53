/*
 * Only in the static emitter. libconfuse can expand "~user" in paths, translate its messages and read "\x41" in strings, and through
 * that brings in the C library's user database, message catalogues and scanf: 110 kB that no emitter uses. A static link takes
 * these definitions in their place.
 *
 * What grew with a library, and whether it is needed, a map tells: LDFLAGS=-Wl,-Map=FILE,--cref
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
int __isoc23_sscanf(const char *text, const char *format, ...); /* what the same source calls since glibc 2.38 */

static int scan(const char *text, const char *format, va_list arguments)
{
	char *end;

	*va_arg(arguments, unsigned *) = (unsigned)strtoul(text, &end, strchr(format, 'o') != NULL ? 8 : 16);
	return end != text;
}

int __isoc99_sscanf(const char *text, const char *format, ...)
{
	va_list arguments;
	int found;

	va_start(arguments, format);
	found = scan(text, format, arguments);
	va_end(arguments);
	return found;
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
	va_list arguments;
	int found;

	va_start(arguments, format);
	found = scan(text, format, arguments);
	va_end(arguments);
	return found;
}

/*
 * For libconfuse's floats, of which no key is one, and jansson's: nothing in the contract has a fraction, but a key that we do not know
 * may. All that counts is where the number ends.
 */
double strtod(const char *restrict text, char **restrict end)
{
	const char *first = text + strspn(text, "+-0123456789.eE");

	memcpy(end, &first, sizeof first);
	return 0;
}
#endif

/* With it jansson (since 2.15) writes fractions, of which there are none in what we say. Its caller makes an error of NULL. */
char *dtoa_r(double number, int mode, int digits, int *point, int *sign, char **end, char *buffer, size_t size);

char *dtoa_r(double number, int mode, int digits, int *point, int *sign, char **end, char *buffer, size_t size)
{
	(void)number, (void)mode, (void)digits, (void)point, (void)sign, (void)end, (void)buffer, (void)size;
	return NULL;
}

/*
 * The C library unwinds the stack of a thread that is cancelled or calls pthread_exit(). Ours do neither: the login's returns, and is told to
 * by its socket. Without the unwinder the emitter is 25 kB smaller. On 32-bit ARM each function's table names it, so that it comes along in any case.
 */
#ifndef __arm__
void _Unwind_Resume(void);
void _Unwind_ForcedUnwind(void);
void _Unwind_Backtrace(void);
void _Unwind_GetCFA(void);
void _Unwind_GetIP(void);
void __gcc_personality_v0(void);

void _Unwind_Resume(void)
{
	abort();
}

void _Unwind_ForcedUnwind(void)
{
	abort();
}

void _Unwind_Backtrace(void)
{
	abort();
}

void _Unwind_GetCFA(void)
{
	abort();
}

void _Unwind_GetIP(void)
{
	abort();
}

void __gcc_personality_v0(void)
{
	abort();
}
#endif

/* In the place of what OpenSSL is linked without: container/emit/unneeded.awk says which, and why. */
#ifdef WITH_TLS
void *callsign_absent(void);
const void *callsign_no_kind(void);
void callsign_unreachable(void);
extern const char callsign_nothing[64];

void *callsign_absent(void)
{
	return NULL;
}

const void *callsign_no_kind(void)
{
	return callsign_nothing;
}

void callsign_unreachable(void)
{
	abort();
}

_Alignas(16) const char callsign_nothing[64] = {0};
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
