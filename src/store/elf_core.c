#include "store/elf_core.h"

#include "base/bytes.h"
#include "spec/elf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the two classes have what. */
struct layout {
	unsigned word; /* bytes of an address or offset */
	unsigned ehdr_size, phdr_size, shdr_size;
	unsigned phoff, shoff, phentsize, phnum;
	unsigned type, offset, paddr, filesz, info;
};

static const struct layout layouts[] = {
	[ELF_CLASS_32] = { 4, ELF32_EHDR_SIZE, ELF32_PHDR_SIZE, ELF32_SHDR_SIZE, ELF32_E_PHOFF,
			   ELF32_E_SHOFF, ELF32_E_PHENTSIZE, ELF32_E_PHNUM, ELF32_P_TYPE,
			   ELF32_P_OFFSET, ELF32_P_PADDR, ELF32_P_FILESZ, ELF32_SH_INFO },
	[ELF_CLASS_64] = { 8, ELF64_EHDR_SIZE, ELF64_PHDR_SIZE, ELF64_SHDR_SIZE, ELF64_E_PHOFF,
			   ELF64_E_SHOFF, ELF64_E_PHENTSIZE, ELF64_E_PHNUM, ELF64_P_TYPE,
			   ELF64_P_OFFSET, ELF64_P_PADDR, ELF64_P_FILESZ, ELF64_SH_INFO },
};

struct core {
	int fd;
	uint64_t file_size;
	const struct layout *layout;
	uint64_t phoff;
	uint32_t count;
};

static uint64_t get_word(const struct layout *layout, const uint8_t *p)
{
	return layout->word == 8 ? get_le64(p) : get_le32(p);
}

/* All 'size' bytes at 'offset', which the file has. */
static int read_whole(int fd, uint8_t *bytes, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, bytes + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static bool in_file(const struct core *core, uint64_t offset, uint64_t size)
{
	return offset <= core->file_size && size <= core->file_size - offset;
}

/* e_phnum, or where it is when it does not fit there. */
static int read_count(struct core *core, const uint8_t *ehdr, struct refusal *why)
{
	const struct layout *layout = core->layout;
	uint8_t section[ELF64_SHDR_SIZE];
	uint64_t shoff = get_word(layout, ehdr + layout->shoff);
	int err;

	core->count = get_le16(ehdr + layout->phnum);
	if (core->count != ELF_PN_XNUM)
		return 0;
	if (!in_file(core, shoff, layout->shdr_size)) {
		refuse(why, "",
		       "the section header that counts the segments is at byte %" PRIu64
		       ", behind the end of the file: it is cut off",
		       shoff);
		return -EINVAL;
	}
	err = read_whole(core->fd, section, layout->shdr_size, shoff);
	core->count = err ? 0 : get_le32(section + layout->info);
	return err;
}

static int read_header(struct core *core, struct refusal *why)
{
	uint8_t ehdr[ELF64_EHDR_SIZE] = { 0 };
	int err = read_whole(core->fd, ehdr, min_u64(sizeof ehdr, core->file_size), 0);

	if (err)
		return err;
	if (ehdr[ELF_EI_CLASS] != ELF_CLASS_32 && ehdr[ELF_EI_CLASS] != ELF_CLASS_64)
		refuse(why, "", "ELF class %u is neither 1 (32 bits) nor 2 (64 bits)",
		       ehdr[ELF_EI_CLASS]);
	else if (ehdr[ELF_EI_DATA] != ELF_DATA_LITTLE_ENDIAN)
		refuse(why, "",
		       "the ELF file is not little-endian, as machines with these units are");
	else if (core->file_size < layouts[ehdr[ELF_EI_CLASS]].ehdr_size)
		refuse(why, "", "the file ends within its ELF header: it is cut off");
	else if (get_le16(ehdr + ELF_E_TYPE) != ELF_ET_CORE)
		refuse(why, "",
		       "ELF type %u is not a core (4); dump the machine's memory with QEMU's "
		       "dump-guest-memory or virsh dump --memory-only",
		       get_le16(ehdr + ELF_E_TYPE));
	else
		core->layout = &layouts[ehdr[ELF_EI_CLASS]];
	if (!core->layout)
		return -EINVAL;
	core->phoff = get_word(core->layout, ehdr + core->layout->phoff);
	err = read_count(core, ehdr, why);
	if (err)
		return err;
	if (core->count && get_le16(ehdr + core->layout->phentsize) != core->layout->phdr_size) {
		refuse(why, "", "program headers of %u bytes instead of %u",
		       get_le16(ehdr + core->layout->phentsize), core->layout->phdr_size);
		return -EINVAL;
	}
	return 0;
}

static int check_table(const struct core *core, struct refusal *why)
{
	if (core->count > ELF_CORE_SEGMENTS_MAX) {
		refuse(why, "", "%u segments; at most %u are read", core->count,
		       ELF_CORE_SEGMENTS_MAX);
		return -EINVAL;
	}
	if (!in_file(core, core->phoff, (uint64_t)core->count * core->layout->phdr_size)) {
		refuse(why, "",
		       "the %u program headers at byte %" PRIu64 " do not fit into the file's "
		       "%" PRIu64 " bytes: it is cut off",
		       core->count, core->phoff, core->file_size);
		return -EINVAL;
	}
	return 0;
}

/* One program header: segment->size is 0 when it holds no memory. */
static int read_segment(const struct core *core, const uint8_t *phdr, unsigned index,
			struct memory_segment *segment, struct refusal *why)
{
	const struct layout *layout = core->layout;

	segment->size = 0;
	if (get_le32(phdr + layout->type) != ELF_PT_LOAD)
		return 0;
	segment->offset = get_word(layout, phdr + layout->offset);
	segment->address = get_word(layout, phdr + layout->paddr);
	segment->size = get_word(layout, phdr + layout->filesz);
	if (!in_file(core, segment->offset, segment->size)) {
		refuse(why, "",
		       "segment %u (address 0x%" PRIx64 ") has %" PRIu64 " bytes at byte %" PRIu64
		       ", but the file has only %" PRIu64 ": it is cut off",
		       index, segment->address, segment->size, segment->offset, core->file_size);
		return -EINVAL;
	}
	if (segment->size > UINT64_MAX - segment->address) {
		refuse(why, "",
		       "segment %u (address 0x%" PRIx64 ") has %" PRIu64 " bytes, past the end of "
		       "all addresses",
		       index, segment->address, segment->size);
		return -EINVAL;
	}
	return 0;
}

static int read_segments(const struct core *core, struct memory_segment *segments, unsigned *used,
			 struct refusal *why)
{
	uint8_t phdr[ELF64_PHDR_SIZE];

	*used = 0;
	for (unsigned i = 0; i < core->count; i++) {
		int err = read_whole(core->fd, phdr, core->layout->phdr_size,
				     core->phoff + (uint64_t)i * core->layout->phdr_size);

		if (!err)
			err = read_segment(core, phdr, i, &segments[*used], why);
		if (err)
			return err;
		*used += segments[*used].size != 0;
	}
	if (*used)
		return 0;
	refuse(why, "", "there is no memory in this core: none of its %u segments is loaded",
	       core->count);
	return -EINVAL;
}

static int compare(const void *a, const void *b)
{
	const struct memory_segment *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->size < y->size ? 1 : x->size > y->size ? -1 : 0;
}

/* Joins sorted segments that continue each other in the file as in memory.  A dump by virtual
 * addresses names the same memory more than once; a file that gives one address two contents is
 * refused. */
static int join(struct memory_segment *segments, unsigned *count, struct refusal *why)
{
	unsigned last = 0;

	for (unsigned i = 1; i < *count; i++) {
		struct memory_segment *before = &segments[last], *now = &segments[i];
		uint64_t end = before->address + before->size;
		bool continued = now->offset - now->address == before->offset - before->address;

		if (now->address < end && !continued) {
			refuse(why, "",
			       "address 0x%" PRIx64 " is in the file twice, at bytes %" PRIu64
			       " and %" PRIu64 "; is this the core of a process? Dump the "
			       "machine's physical memory",
			       now->address, now->offset,
			       before->offset + (now->address - before->address));
			return -EINVAL;
		}
		if (now->address <= end && continued)
			before->size = max_u64(end, now->address + now->size) - before->address;
		else
			segments[++last] = *now;
	}
	*count = last + 1;
	return 0;
}

int elf_core_read(int fd, uint64_t file_size, struct memory_segment **segments, unsigned *count,
		  struct refusal *why)
{
	struct core core = { .fd = fd, .file_size = file_size };
	int err = read_header(&core, why);

	*segments = NULL;
	if (!err)
		err = check_table(&core, why);
	if (err)
		return err;
	*segments = calloc((size_t)core.count + 1, sizeof **segments);
	if (!*segments)
		return -ENOMEM;
	err = read_segments(&core, *segments, count, why);
	if (!err) {
		qsort(*segments, *count, sizeof **segments, compare);
		err = join(*segments, count, why);
	}
	if (err) {
		free(*segments);
		*segments = NULL;
	}
	return err;
}
