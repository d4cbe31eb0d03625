/* store/elf_core.h -- the segments of an ELF core file that hold physical memory.
 *
 * Threads: any.  Memory: the segments are the caller's. */
#ifndef STORE_ELF_CORE_H
#define STORE_ELF_CORE_H

#include "store/memory_image.h"

enum { ELF_CORE_SEGMENTS_MAX = 1 << 20 };

/* Reads the program headers of the file, which begins with the ELF magic and has 'file_size' bytes.
 * segments  receives them, allocated, sorted by address, joined where they continue each other;
 * bytes that the file only promises (p_memsz beyond p_filesz) are not in it
 *
 * 0 with *count > 0; -EINVAL with 'why' when it is no such core; another negative errno. */
int elf_core_read(int fd, uint64_t file_size, struct memory_segment **segments, unsigned *count,
		  struct refusal *why);

#endif
