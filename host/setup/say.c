#include <config.h>

#include "setup.h"

#include <stdarg.h>
#include <stdio.h>

void setup_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
}

void setup_error(struct setup *setup, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	va_start(arguments, format);
	fputs("callsign-setup: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	setup->failed = true;
}
