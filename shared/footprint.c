#include <config.h>

#include "footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define MMAP_THRESHOLD (96 * 1024)   /* above the buffer of a file that is written anew (atomicfile.c), at each change perhaps */
#define TRIM_THRESHOLD (1024 * 1024) /* the top of the heap comes and goes with such a buffer */

void footprint_begin(void)
{
	mallopt(M_ARENA_MAX, 1);
	/*
	 * Setting these keeps them from growing with what is freed: a large array stays on pages of its own, of which those that are never
	 * touched cost nothing, and which go with it.
	 */
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
}

/* Of a library whose code was not made for any address, the run-time linker has written into the code. Debian has none. */
static bool relocated(const struct dl_phdr_info *object)
{
	const ElfW(Dyn) *entry;

	for (int i = 0; i < object->dlpi_phnum; i++) {
		if (object->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		for (entry = (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr); entry->d_tag != DT_NULL; entry++) {
			if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
				return true;
		}
	}
	return false;
}

/* Whole pages only: the last one may be shared with what follows. */
static void release_segment(uintptr_t begin, uintptr_t end, uintptr_t page)
{
	begin = (begin + page - 1) / page * page;
	end = end / page * page;
	/* Failing costs nothing but the memory. NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are numbers in an ELF header */
	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* What must be kept stands in segments that can be written: data, and what is made read-only once it is relocated. */
static int release_object(struct dl_phdr_info *object, size_t size, void *arg)
{
	const uintptr_t *page = arg;
	const ElfW(Phdr) *segment;

	(void)size;
	/* The kernel's own, which has no file. */
	if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR) || relocated(object))
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		segment = &object->dlpi_phdr[i];
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0)
			release_segment(object->dlpi_addr + segment->p_vaddr,
			                object->dlpi_addr + segment->p_vaddr + segment->p_memsz, *page);
	}
	return 0;
}

void footprint_settle(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	malloc_trim(0);
	dl_iterate_phdr(release_object, &page);
}

#define WORTH_IT 1000 /* entries; fewer leave nothing behind that is worth a millisecond */

void footprint_note(struct footprint *footprint, size_t count, int64_t epoch_ms)
{
	footprint->most = count > footprint->most ? count : footprint->most;
	if (epoch_ms == footprint->epoch_ms && (footprint->most < WORTH_IT || count > footprint->most / 4))
		return;
	footprint_settle();
	footprint->epoch_ms = epoch_ms;
	footprint->most = count;
}
