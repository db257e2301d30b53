#ifndef CALLSIGN_AGENT_HOOKSYS_H
#define CALLSIGN_AGENT_HOOKSYS_H

/*
 * The few system calls of callsign-hook, without a libc: with one a static program is 700 kB, and its start, which every container waits for, takes
 * twice as long. Where we do not know how an architecture calls its kernel, HOOKSYS_LIBC is defined and the libc's syscall(2) is used.
 * Results are the kernel's: below 0 it is -errno.
 */
#include <linux/time_types.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long hooksys(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return result;
}

/* The stack at the start: argc, argv[0] … */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall hook_start\n\thlt\n");

#elif defined(__aarch64__)

static inline long hooksys(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tand sp, x0, #-16\n\tbl hook_start\n");

#elif defined(__arm__)

/* r7 is the number's place, and the frame pointer's in Thumb: it is saved by hand. */
static inline long hooksys(long number, long a, long b, long c, long d, long e)
{
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;

	__asm__ volatile("push {r7}\n\tmov r7, %[number]\n\tsvc #0\n\tpop {r7}"
	                 : "+r"(r0)
	                 : [number] "r"(number), "r"(r1), "r"(r2), "r"(r3), "r"(r4)
	                 : "memory", "cc");
	return r0;
}

__asm__(".globl _start\n.type _start, %function\n_start:\n\tmov r0, sp\n\tbic r1, r0, #7\n\tmov sp, r1\n\tbl hook_start\n");

#elif defined(__i386__)

static inline long hooksys(long number, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return result;
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall hook_start\n\thlt\n");

#else

#define HOOKSYS_LIBC 1
#include <errno.h>
#include <unistd.h>

static inline long hooksys(long number, long a, long b, long c, long d, long e)
{
	long result = syscall(number, a, b, c, d, e);

	return result == -1 ? -errno : result;
}

#endif

/* 64-bit times everywhere: where long has 32 bits the calls have other numbers (Linux 5.1). */
#ifdef __NR_ppoll_time64
#define HOOKSYS_PPOLL __NR_ppoll_time64
#else
#define HOOKSYS_PPOLL __NR_ppoll
#endif
#ifdef __NR_clock_gettime64
#define HOOKSYS_CLOCK __NR_clock_gettime64
#else
#define HOOKSYS_CLOCK __NR_clock_gettime
#endif

#endif
