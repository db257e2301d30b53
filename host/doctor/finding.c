#include <config.h>

#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void note(struct doctor_finding *finding, enum doctor_verdict verdict, const char *mend, const char *format, va_list arguments)
	__attribute__((format(printf, 4, 0)));

static void note(struct doctor_finding *finding, enum doctor_verdict verdict, const char *mend, const char *format, va_list arguments)
{
	finding->verdict = verdict;
	vsnprintf(finding->what, sizeof finding->what, format, arguments);
	snprintf(finding->mend, sizeof finding->mend, "%s", mend);
}

void doctor_ok(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(finding, DOCTOR_OK, "", format, arguments);
	va_end(arguments);
}

void doctor_warning(struct doctor_finding *finding, const char *mend, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(finding, DOCTOR_WARNING, mend, format, arguments);
	va_end(arguments);
}

void doctor_broken(struct doctor_finding *finding, const char *mend, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(finding, DOCTOR_BROKEN, mend, format, arguments);
	va_end(arguments);
}

void doctor_skipped(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(finding, DOCTOR_SKIPPED, "", format, arguments);
	va_end(arguments);
}

bool doctor_has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

const char *doctor_service(char *out, size_t size, const char *verb, const char *service)
{
	if (doctor_has_systemd())
		snprintf(out, size, "systemctl %s %s", verb, service);
	else
		snprintf(out, size, "/etc/init.d/%s %s", service, verb);
	return out;
}
