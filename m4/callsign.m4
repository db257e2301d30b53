# CALLSIGN_SONAME(VARIABLE, LIBRARY, HEADER, CALL): the name by which the run-time linker knows a library that is loaded only when it is needed.
# What the linker writes into a program that calls it; a cross compiler's does likewise.
AC_DEFUN([CALLSIGN_SONAME], [
	AC_ARG_VAR([$1_SONAME], [run-time name of $2, which is not linked but loaded when it is needed])
	AC_CHECK_TOOL([OBJDUMP], [objdump], [:])
	AC_MSG_CHECKING([for the run-time name of $2])
	callsign_saved_CFLAGS=$CFLAGS callsign_saved_LIBS=$LIBS
	CFLAGS="$CFLAGS $$1_CFLAGS" LIBS="$$1_LIBS $LIBS"
	AS_IF([test "x$$1_SONAME" = x],
		[AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <$3>]], [[return $4 == 0;]])],
			[$1_SONAME=`$OBJDUMP -p conftest$EXEEXT | sed -n 's/^ *NEEDED *\($2\.so\..*\)/\1/p'`])])
	CFLAGS=$callsign_saved_CFLAGS LIBS=$callsign_saved_LIBS
	AC_MSG_RESULT([$$1_SONAME])
	AS_IF([test "x$$1_SONAME" = x], [AC_MSG_ERROR([it cannot be found out: give $1_SONAME=$2.so.NUMBER])])
	AC_DEFINE_UNQUOTED([$1_SONAME], ["$$1_SONAME"], [Run-time name of $2.])
	$1_PACKAGE=`AS_ECHO(["$$1_SONAME"]) | sed 's/\.so\.//'`
	AC_DEFINE_UNQUOTED([$1_PACKAGE], ["$$1_PACKAGE"], [What Debian calls the package of $2.])
])

# CALLSIGN_HEADER(PREFIX, HEADER): AC_CHECK_HEADERS, with what pkg-config says for the library PREFIX.
AC_DEFUN([CALLSIGN_HEADER], [
	callsign_saved_CPPFLAGS=$CPPFLAGS
	CPPFLAGS="$CPPFLAGS $$1_CFLAGS"
	AC_CHECK_HEADERS([$2])
	CPPFLAGS=$callsign_saved_CPPFLAGS
])

# CALLSIGN_STATIC_LIBS(PREFIX, FUNCTION, [MORE]): whether a static program that calls FUNCTION can be linked with PREFIX_LIBS, and if not, which of the
# libraries MORE help. Whoever makes a library's pkg-config file tests its shared one.
AC_DEFUN([CALLSIGN_STATIC_LIBS], [
	callsign_saved_LIBS=$LIBS callsign_saved_LDFLAGS=$LDFLAGS callsign_links=no callsign_more=
	LDFLAGS="$LDFLAGS -static"
	AC_MSG_CHECKING([what a static program links for $2])
	for callsign_library in '' $3; do
		callsign_more="$callsign_more $callsign_library"
		LIBS="$$1_LIBS$callsign_more -lpthread $callsign_saved_LIBS"
		AC_LINK_IFELSE([AC_LANG_CALL([], [$2])], [callsign_links=yes; break])
	done
	LIBS=$callsign_saved_LIBS LDFLAGS=$callsign_saved_LDFLAGS
	AS_IF([test $callsign_links = no], [AC_MSG_RESULT([it does not])
		AC_MSG_ERROR([no static program can be linked with $$1_LIBS: config.log says what is missing; $1_LIBS=… gives the libraries by hand])])
	$1_LIBS=`AS_ECHO(["$$1_LIBS$callsign_more"]) | sed 's/ *$//'`
	AC_MSG_RESULT([$$1_LIBS])
])

# CALLSIGN_UNNEEDED(PREFIX, FUNCTION, VARIABLE): VARIABLE becomes the archives of OpenSSL that a static program takes, if the linker can leave out of
# them what container/emit/unneeded.awk names, and what it makes can begin a handshake (that is not tried for another processor); else nothing.
AC_DEFUN([CALLSIGN_UNNEEDED], [
	AC_CHECK_TOOL([NM], [nm], [:])
	AC_MSG_CHECKING([whether a static program can leave out what it does not need of OpenSSL])
	callsign_saved_LIBS=$LIBS callsign_saved_LDFLAGS=$LDFLAGS
	LDFLAGS="$LDFLAGS -static" LIBS="$$1_LIBS -lpthread $LIBS" $3=
	callsign_saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $OPENSSL_CFLAGS"
	AC_LANG_CONFTEST([AC_LANG_PROGRAM([[
		#include <openssl/ssl.h>
		#include <stdlib.h>
		void *callsign_absent(void) { return NULL; }
		extern const char callsign_nothing[64];
		const char callsign_nothing[64] = {0};
		const void *callsign_no_kind(void) { return callsign_nothing; }
		void callsign_unreachable(void) { abort(); }
		char $2(void);]], [[
		SSL_CTX *context = SSL_CTX_new(TLS_client_method());
		SSL *client = context != NULL ? SSL_new(context) : NULL;

		if (client == NULL || getenv("PATH") == NULL)
			return $2();
		SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		SSL_set_connect_state(client);
		return SSL_get_error(client, SSL_do_handshake(client)) != SSL_ERROR_WANT_READ || BIO_pending(SSL_get_wbio(client)) == 0;]])])
	callsign_archives=`$CC $CFLAGS $CPPFLAGS $LDFLAGS -Wl,--trace -o conftest$EXEEXT conftest.$ac_ext $LIBS 2>/dev/null |
		sed 's/^(\(.*\)).*/\1/' | grep -E '/lib(ssl|crypto)\.a$' | sort -u | tr '\n' ' '`
	$NM -A --defined-only --extern-only $callsign_archives 2>/dev/null | $AWK -f "$srcdir/container/emit/unneeded.awk" >conftest-unneeded.ld
	LIBS="conftest-unneeded.ld $LIBS"
	AS_IF([test -s conftest-unneeded.ld],
		[AC_RUN_IFELSE([], [$3=$callsign_archives], [], [AC_LINK_IFELSE([], [$3=$callsign_archives])])])
	rm -f conftest-unneeded.ld conftest$EXEEXT conftest.$ac_ext
	LIBS=$callsign_saved_LIBS LDFLAGS=$callsign_saved_LDFLAGS CFLAGS=$callsign_saved_CFLAGS
	AC_MSG_RESULT([${$3:-no}])
])

# CALLSIGN_TRY_FLAG(VARIABLE, FLAG, FLAGS): FLAG goes into VARIABLE if this compiler (or linker) takes it, in FLAGS, without a warning of its own.
AC_DEFUN([CALLSIGN_TRY_FLAG], [
	AC_MSG_CHECKING([whether $CC takes $2])
	callsign_saved_$3=$[]$3
	$3="$[]$3 -Werror $2"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [[char b[8]; memset(b, 0, sizeof b); return b[0];]])],
		[AC_MSG_RESULT([yes]); $1="$[]$1 $2"], [AC_MSG_RESULT([no])])
	$3=$callsign_saved_$3
])
