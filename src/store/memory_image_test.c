#include "store/memory_image.h"

#include "base/bytes.h"
#include "spec/elf.h"
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file under construction. */
static uint8_t file[1 << 16];
static size_t file_size;

static int file_fd(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, file_size), file_size);
	return fd;
}

static struct memory_image *open_good(void)
{
	struct memory_image *image;
	struct refusal why = { .text = "" };
	int err = memory_image_open_fd(file_fd(), "image", &image, &why);

	if (err)
		fail_msg("%d: %s", err, why.text);
	return image;
}

static void check_refused(const char *text)
{
	struct memory_image *image = (void *)file;
	struct refusal why;

	assert_int_equal(memory_image_open_fd(file_fd(), "image", &image, &why), -EINVAL);
	assert_null(image);
	assert_string_equal(why.path, "image");
	if (!strstr(why.text, text))
		fail_msg("'%s' does not say '%s'", why.text, text);
}

static bool has(struct memory_image *image, uint64_t address, uint64_t word)
{
	struct iommu_memory memory = memory_image_memory(image);
	uint8_t bytes[8];

	return memory.read(memory.context, address, bytes, 8) && get_le64(bytes) == word;
}

static bool there(struct memory_image *image, uint64_t address, uint32_t size)
{
	struct iommu_memory memory = memory_image_memory(image);
	uint8_t bytes[64];

	return memory.read(memory.context, address, bytes, size);
}

struct segment {
	uint32_t type;
	uint64_t offset, address, file_size, memory_size;
};

/* An ELF core with these program headers right behind its header. */
static void make_core(unsigned class, const struct segment *segments, unsigned count)
{
	const bool wide = class == ELF_CLASS_64;
	uint8_t *phdr = file + (wide ? ELF64_EHDR_SIZE : ELF32_EHDR_SIZE);

	memset(file, 0, sizeof file);
	memcpy(file, ELF_MAGIC, 4);
	file[ELF_EI_CLASS] = (uint8_t) class;
	file[ELF_EI_DATA] = ELF_DATA_LITTLE_ENDIAN;
	put_le16(file + ELF_E_TYPE, ELF_ET_CORE);
	if (wide) {
		put_le64(file + ELF64_E_PHOFF, ELF64_EHDR_SIZE);
		put_le16(file + ELF64_E_PHENTSIZE, ELF64_PHDR_SIZE);
		put_le16(file + ELF64_E_PHNUM, (uint16_t)count);
	} else {
		put_le32(file + ELF32_E_PHOFF, ELF32_EHDR_SIZE);
		put_le16(file + ELF32_E_PHENTSIZE, ELF32_PHDR_SIZE);
		put_le16(file + ELF32_E_PHNUM, (uint16_t)count);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct segment *s = &segments[i];

		if (wide) {
			put_le32(phdr + ELF64_P_TYPE, s->type);
			put_le64(phdr + ELF64_P_OFFSET, s->offset);
			put_le64(phdr + ELF64_P_PADDR, s->address);
			put_le64(phdr + ELF64_P_FILESZ, s->file_size);
			put_le64(phdr + ELF64_P_FILESZ + 8, s->memory_size);
			phdr += ELF64_PHDR_SIZE;
		} else {
			put_le32(phdr + ELF32_P_TYPE, s->type);
			put_le32(phdr + ELF32_P_OFFSET, (uint32_t)s->offset);
			put_le32(phdr + ELF32_P_PADDR, (uint32_t)s->address);
			put_le32(phdr + ELF32_P_FILESZ, (uint32_t)s->file_size);
			put_le32(phdr + ELF32_P_FILESZ + 4, (uint32_t)s->memory_size);
			phdr += ELF32_PHDR_SIZE;
		}
	}
	file_size = 0x8000;
}

static void test_a_raw_image_has_its_bytes_at_their_addresses_and_none_behind(void **state)
{
	struct memory_image *image;

	(void)state;
	memset(file, 0, sizeof file);
	file_size = 0x2804; /* ends within a page, and within a word */
	put_le64(file + 0x1008, 0x1122334455667788);
	put_le32(file + 0x2800, 0xcafe);
	image = open_good();
	assert_true(has(image, 0x1008, 0x1122334455667788));
	assert_true(has(image, 0, 0));
	assert_true(there(image, 0x2800, 4));
	assert_false(there(image, 0x2800, 5));
	assert_false(there(image, 0x2804, 1));
	assert_false(there(image, 0x3000, 8));
	assert_false(there(image, UINT64_MAX - 7, 8));
	assert_false(there(image, UINT64_C(1) << 63, 8));
	assert_int_equal(memory_image_error(image), 0);
	memory_image_close(image);
	memory_image_close(NULL);
}

static void test_pages_that_share_a_slot_of_the_cache_are_told_apart(void **state)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct memory_image *image;
	uint8_t word[8];

	(void)state;
	assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0); /* a terabyte of holes */
	for (uint64_t i = 0; i < 8; i++) {
		put_le64(word, i + 1);
		assert_int_equal(pwrite(fd, word, 8, (off_t)(i << 32 | 16)), 8);
	}
	assert_int_equal(memory_image_open_fd(fd, "image", &image, NULL), 0);
	for (uint64_t i = 0; i < 32; i++)
		assert_true(has(image, i % 8 << 32 | 16, i % 8 + 1));
	assert_true(has(image, (UINT64_C(1) << 40) - 8, 0));
	assert_false(there(image, UINT64_C(1) << 40, 1));
	memory_image_close(image);
}

static void check_core(unsigned class)
{
	const struct segment segments[] = {
		{ 4, 0x200, 0, 0x100, 0 }, /* a note is no memory */
		{ ELF_PT_LOAD, 0x3000, 0x100000, 0x2000, 0x2000 },
		{ ELF_PT_LOAD, 0x1000, 0x0, 0x1800, 0x4000 }, /* more is promised than is there */
		{ ELF_PT_LOAD, 0x5000, 0x102000, 0x1000,
		  0x1000 }, /* goes on where the first ends */
		{ ELF_PT_LOAD, 0x4000, 0x101000, 0x1000, 0x1000 }, /* is in the first, the same */
		{ ELF_PT_LOAD, 0x1000, 0x7000, 0, 0x1000 },
	};
	const struct memory_segment *found;
	struct memory_image *image;
	unsigned count;

	make_core(class, segments, array_len(segments));
	put_le64(file + 0x1010, 0xa);
	put_le64(file + 0x27f8, 0xb);
	put_le64(file + 0x3000, 0xc);
	put_le64(file + 0x5ff8, 0xd);
	image = open_good();
	found = memory_image_segments(image, &count);
	assert_int_equal(count, 2);
	assert_int_equal(found[0].size, 0x1800);
	assert_int_equal(found[1].address, 0x100000);
	assert_int_equal(found[1].size, 0x3000);
	assert_true(has(image, 0x10, 0xa));
	assert_true(has(image, 0x17f8, 0xb));
	assert_false(there(image, 0x1800, 1));
	assert_false(there(image, 0x17fc, 8));
	assert_true(has(image, 0x100000, 0xc));
	assert_true(has(image, 0x102ff8, 0xd));
	assert_false(there(image, 0x103000, 1));
	assert_false(there(image, 0x7000, 1));
	memory_image_close(image);
}

static void test_a_core_of_either_class_has_the_memory_of_its_segments(void **state)
{
	(void)state;
	check_core(ELF_CLASS_64);
	check_core(ELF_CLASS_32);
}

static void test_the_count_of_many_segments_is_in_the_first_section(void **state)
{
	const struct segment segment = { ELF_PT_LOAD, 0x1000, 0x4000, 0x1000, 0x1000 };
	struct memory_image *image;

	(void)state;
	make_core(ELF_CLASS_64, &segment, 1);
	put_le16(file + ELF64_E_PHNUM, ELF_PN_XNUM);
	put_le64(file + ELF64_E_SHOFF, 0x7000);
	put_le32(file + 0x7000 + ELF64_SH_INFO, 1);
	image = open_good();
	assert_true(there(image, 0x4000, 8));
	memory_image_close(image);
	put_le64(file + ELF64_E_SHOFF, file_size - 10);
	check_refused("behind the end of the file");
	put_le64(file + ELF64_E_SHOFF, UINT64_MAX - 2);
	check_refused("behind the end of the file");
	put_le64(file + ELF64_E_SHOFF, 0x7000);
	put_le32(file + 0x7000 + ELF64_SH_INFO, UINT32_MAX);
	check_refused("4294967295 segments; at most 1048576");
	put_le32(file + 0x7000 + ELF64_SH_INFO, 100000);
	check_refused("100000 program headers at byte 64 do not fit");
}

static void test_a_core_that_cannot_be_is_refused_with_what_is_wrong(void **state)
{
	const struct segment good = { ELF_PT_LOAD, 0x1000, 0x4000, 0x1000, 0x1000 };
	struct segment two[] = { good, { ELF_PT_LOAD, 0x3000, 0x4800, 0x1000, 0x1000 } };

	(void)state;
	make_core(ELF_CLASS_64, &good, 1);
	file[ELF_EI_CLASS] = 3;
	check_refused("ELF class 3 is neither 1 (32 bits) nor 2 (64 bits)");
	make_core(ELF_CLASS_64, &good, 1);
	file[ELF_EI_DATA] = ELF_DATA_BIG_ENDIAN;
	check_refused("not little-endian");
	make_core(ELF_CLASS_64, &good, 1);
	put_le16(file + ELF_E_TYPE, 3);
	check_refused("ELF type 3 is not a core (4); dump the machine's memory");
	make_core(ELF_CLASS_64, &good, 1);
	put_le16(file + ELF64_E_PHENTSIZE, 32);
	check_refused("program headers of 32 bytes instead of 56");
	make_core(ELF_CLASS_64, &good, 1);
	put_le64(file + ELF64_E_PHOFF, UINT64_MAX);
	check_refused("it is cut off");
	make_core(ELF_CLASS_64, &good, 0);
	check_refused("there is no memory in this core");
	make_core(ELF_CLASS_64, two, 2);
	check_refused("address 0x4800 is in the file twice, at bytes 12288 and 6144");
	two[1].address = UINT64_MAX - 0xfff;
	two[1].file_size = 0x1001;
	make_core(ELF_CLASS_64, two, 2);
	check_refused("segment 1 (address 0xfffffffffffff000) has 4097 bytes, past the end");
	two[1].offset = UINT64_MAX - 10;
	make_core(ELF_CLASS_64, two, 2);
	check_refused("it is cut off");
}

static void test_a_core_cut_off_anywhere_is_refused_or_has_only_what_is_left(void **state)
{
	const struct segment segments[] = {
		{ ELF_PT_LOAD, 0x1000, 0x4000, 0x1000, 0x1000 },
		{ ELF_PT_LOAD, 0x2000, 0x8000, 0x1000, 0x1000 },
	};

	(void)state;
	make_core(ELF_CLASS_64, segments, 2);
	for (size_t size = 1; size < 0x3000; size += size < 200 ? 1 : 61) {
		file_size = size;
		if (size >= 4)
			check_refused("");
	}
	file_size = 0x3000;
	memory_image_close(open_good());
}

static void test_the_highest_address_can_be_in_a_segment(void **state)
{
	const struct segment segment = { ELF_PT_LOAD, 0x1000, UINT64_MAX - 0xfff, 0xfff, 0xfff };
	struct memory_image *image;

	(void)state;
	make_core(ELF_CLASS_64, &segment, 1);
	image = open_good();
	assert_true(there(image, UINT64_MAX - 8, 8));
	assert_false(there(image, UINT64_MAX - 7, 8)); /* its last byte is not in a segment */
	assert_false(there(image, UINT64_MAX - 0x1000, 1));
	memory_image_close(image);
}

static void test_other_files_are_refused_with_what_to_do(void **state)
{
	static const struct {
		const char *head, *text;
	} kinds[] = {
		{ "KDUMP   ", "kdump-compressed dump; dump again in ELF format" },
		{ "makedumpfile\0\0\0\0", "flattened kdump-compressed dump; dump again in ELF" },
		{ "DISKDUMP", "a diskdump; dump again" },
		{ "PAGEDU64", "a Windows crash dump" },
		{ "LibvirtQemudSave", "a saved domain; dump it with virsh dump --memory-only" },
		{ "QEVM", "a migration stream" },
		{ "\x1f\x8b\x08", "compressed with gzip; decompress it first" },
		{ "\xfd"
		  "7zXZ",
		  "compressed with xz" },
		{ "\x28\xb5\x2f\xfd", "compressed with zstd" },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(kinds); i++) {
		memset(file, 0, sizeof file);
		file_size = 4096;
		memcpy(file, kinds[i].head, strlen(kinds[i].head));
		check_refused(kinds[i].text);
	}
	file_size = 0;
	check_refused("the file is empty");
}

static void test_what_is_not_a_file_is_refused(void **state)
{
	char path[] = "/tmp/midplane-fifo-XXXXXX";
	struct memory_image *image;
	struct refusal why;

	(void)state;
	assert_int_equal(memory_image_open("/nonexistent", &image, &why), -ENOENT);
	assert_string_equal(why.text, "No such file or directory");
	assert_null(image);
	assert_int_equal(memory_image_open("/tmp", &image, &why), -EINVAL);
	assert_non_null(strstr(why.text, "neither a file nor a block device"));
	assert_non_null(mkdtemp(path));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(memory_image_open(path, &image, &why), -EINVAL); /* and does not wait */
	unlink(path);
}

static void test_a_file_that_becomes_shorter_is_noticed(void **state)
{
	struct memory_image *image;
	int fd;

	(void)state;
	memset(file, 0, sizeof file);
	file_size = 0x8000;
	fd = file_fd();
	assert_int_equal(memory_image_open_fd(fd, "image", &image, NULL), 0);
	assert_true(there(image, 0x1000, 8));
	assert_int_equal(ftruncate(fd, 0x2000), 0);
	assert_true(there(image, 0x1000, 8)); /* kept */
	assert_int_equal(memory_image_error(image), 0);
	assert_false(there(image, 0x3000, 8));
	assert_int_equal(memory_image_error(image), -EIO);
	memory_image_close(image);
}

static void test_an_image_cannot_be_written(void **state)
{
	struct memory_image *image;
	struct iommu_memory memory;
	uint64_t word = 1;

	(void)state;
	memset(file, 0, sizeof file);
	file_size = 0x1000;
	image = open_good();
	memory = memory_image_memory(image);
	assert_false(memory.write(memory.context, 0, &word, 8));
	assert_false(memory.replace(memory.context, 0, 0, 1));
	assert_true(has(image, 0, 0));
	memory_image_close(image);
}

/* Segments at random, against a plain map of bytes. */
static void test_random_segments_read_as_a_plain_map_does(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		enum { SPACE = 0x4000 };
		int map[SPACE]; /* offset in the file, or -1 */
		struct segment segments[6];
		bool contradicts = false, any = false;
		unsigned count = 1 + (unsigned)(rand_u64(&seed) % 6);
		struct memory_image *image;

		memset(map, -1, sizeof map);
		for (unsigned i = 0; i < count; i++) {
			/* Few bases, so that some agree where they overlap. */
			uint64_t delta = 0x1000 + rand_u64(&seed) % 2 * 0x10;
			uint64_t address = rand_u64(&seed) % (SPACE - 0x800);
			uint64_t size = rand_u64(&seed) % 0x800;

			segments[i] = (struct segment){ ELF_PT_LOAD, address + delta, address, size,
							size };
			for (uint64_t at = 0; at < size; at++) {
				int offset = (int)(address + delta + at);

				any = true;
				contradicts |=
					map[address + at] >= 0 && map[address + at] != offset;
				map[address + at] = offset;
			}
		}
		make_core(ELF_CLASS_64, segments, count);
		for (unsigned i = 0x1000; i < file_size; i++)
			file[i] = (uint8_t)rand_u64(&seed);
		if (contradicts || !any) {
			check_refused(any ? "is in the file twice" : "no memory");
			continue;
		}
		image = open_good();
		for (unsigned i = 0; i < 500; i++) {
			uint64_t address = rand_u64(&seed) % SPACE;
			uint32_t size = 1 + (uint32_t)(rand_u64(&seed) % 64);
			struct iommu_memory memory = memory_image_memory(image);
			uint8_t bytes[64];
			bool want = true, got;

			size = (uint32_t)min_u64(size, 4096 - address % 4096);
			got = memory.read(memory.context, address, bytes, size);
			for (uint32_t at = 0; at < size; at++)
				want &= map[address + at] >= 0;
			assert_int_equal(got, want);
			for (uint32_t at = 0; want && at < size; at++)
				assert_int_equal(bytes[at], file[map[address + at]]);
		}
		memory_image_close(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_raw_image_has_its_bytes_at_their_addresses_and_none_behind),
		cmocka_unit_test(test_pages_that_share_a_slot_of_the_cache_are_told_apart),
		cmocka_unit_test(test_a_core_of_either_class_has_the_memory_of_its_segments),
		cmocka_unit_test(test_the_count_of_many_segments_is_in_the_first_section),
		cmocka_unit_test(test_a_core_that_cannot_be_is_refused_with_what_is_wrong),
		cmocka_unit_test(test_a_core_cut_off_anywhere_is_refused_or_has_only_what_is_left),
		cmocka_unit_test(test_the_highest_address_can_be_in_a_segment),
		cmocka_unit_test(test_other_files_are_refused_with_what_to_do),
		cmocka_unit_test(test_what_is_not_a_file_is_refused),
		cmocka_unit_test(test_a_file_that_becomes_shorter_is_noticed),
		cmocka_unit_test(test_an_image_cannot_be_written),
		cmocka_unit_test(test_random_segments_read_as_a_plain_map_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
