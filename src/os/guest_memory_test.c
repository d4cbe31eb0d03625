#include "os/guest_memory.h"

#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int file_of(uint64_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void any_offset_is_mapped_and_shared(void **state)
{
	struct guest_mapping *mapping;
	int fd = file_of(8 * PAGE);
	uint8_t byte = 0;

	(void)state;
	assert_int_equal(guest_memory_map(fd, 3 * PAGE + 5, 100, &mapping), 0);
	guest_memory_bytes(mapping)[0] = 77;
	assert_int_equal(pread(fd, &byte, 1, 3 * PAGE + 5), 1);
	assert_int_equal(byte, 77);
	assert_false(guest_memory_lost(mapping));
	guest_memory_unmap(mapping);
	guest_memory_unmap(NULL);
	close(fd);
}

static void a_mapping_lies_like_the_address_that_it_stands_for(void **state)
{
	static const uint64_t likes[] = { 0, 0xc0000, UINT64_C(0x7fffdeadb000), 0x100000000, 0x3ffff000 };
	struct guest_mapping *mapping;
	int fd = file_of(16 * PAGE);

	(void)state;
	for (unsigned i = 0; i < array_len(likes); i++) {
		assert_int_equal(guest_memory_map_like(fd, 3 * PAGE, 10 * PAGE, likes[i], &mapping), 0);
		assert_int_equal(((uintptr_t)guest_memory_bytes(mapping) ^ likes[i]) % (1 << 30), 0);
		memset(guest_memory_bytes(mapping), (int)i, 10 * PAGE);
		guest_memory_unmap(mapping);
	}
	/* An offset that no page of the file begins at cannot agree, and is mapped anywhere. */
	assert_int_equal(guest_memory_map_like(fd, 5, 100, 0x1000, &mapping), 0);
	assert_int_equal((uintptr_t)guest_memory_bytes(mapping) % PAGE, 5);
	guest_memory_unmap(mapping);
	assert_int_equal(guest_memory_map_like(fd, 0, 17 * PAGE, 0x1000, &mapping), -EINVAL);
	close(fd);
}

static void what_the_file_does_not_have_is_refused(void **state)
{
	static const struct {
		uint64_t offset, size;
	} bad[] = {
		{ 0, 0 }, { 0, PAGE + 1 }, { PAGE, 1 }, { UINT64_MAX, 2 }, { 1, UINT64_MAX },
		{ UINT64_MAX - 10, 5 }, { INT64_MAX, PAGE },
	};
	struct guest_mapping *mapping;
	int fd = file_of(PAGE), pipes[2];

	(void)state;
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_int_equal(guest_memory_map(fd, bad[i].offset, bad[i].size, &mapping),
				 -EINVAL);
	assert_int_equal(guest_memory_map(-1, 0, PAGE, &mapping), -EBADF);
	assert_int_equal(pipe(pipes), 0);
	assert_true(guest_memory_map(pipes[0], 0, PAGE, &mapping) < 0);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

/* A FUSE mount needs more than a unit test has; procfs is another file system that serves itself. */
static void a_file_whose_server_may_be_silent_is_refused_and_one_on_a_disk_is_not(void **state)
{
	char name[] = "/var/tmp/guest-memory-XXXXXX";
	struct guest_mapping *mapping = NULL;
	int served = open("/proc/self/status", O_RDONLY | O_CLOEXEC), disk = mkstemp(name);
	struct stat st;

	(void)state;
	assert_true(served >= 0 && disk >= 0);
	assert_int_equal(guest_memory_map(served, 0, 1, &mapping), -EPERM);
	assert_int_equal(ftruncate(disk, PAGE), 0);
	assert_int_equal(fstat(disk, &st), 0);
	if (major(st.st_dev) != 0) /* an overlay, in some containers */
		assert_int_equal(guest_memory_map(disk, 0, PAGE, &mapping), 0);
	guest_memory_unmap(mapping);
	unlink(name);
	close(served);
	close(disk);
}

static void the_table_of_mappings_has_an_end(void **state)
{
	static struct guest_mapping *all[GUEST_MEMORY_MAPPINGS_MAX];
	struct guest_mapping *more;
	int fd = file_of(PAGE);

	(void)state;
	for (unsigned i = 0; i < array_len(all); i++)
		assert_int_equal(guest_memory_map(fd, 0, PAGE, &all[i]), 0);
	assert_int_equal(guest_memory_map(fd, 0, PAGE, &more), -ENOSPC);
	for (unsigned i = 0; i < array_len(all); i++)
		guest_memory_unmap(all[i]);
	assert_int_equal(guest_memory_map(fd, 0, PAGE, &more), 0);
	guest_memory_unmap(more);
	close(fd);
}

static void count(void *owner)
{
	++*(unsigned *)owner;
}

static void a_cut_file_reads_as_zeros_is_reported_once_and_spares_others(void **state)
{
	struct guest_mapping *cut, *other;
	int fd = file_of(8 * PAGE), fd2 = file_of(PAGE);
	unsigned losses = 0;

	(void)state;
	assert_int_equal(guest_memory_guard(), 0);
	assert_int_equal(guest_memory_guard(), 0);
	assert_int_equal(guest_memory_map(fd, 0, 8 * PAGE, &cut), 0);
	assert_int_equal(guest_memory_map(fd2, 0, PAGE, &other), 0);
	guest_memory_on_loss(cut, count, &losses);
	guest_memory_bytes(cut)[5 * PAGE] = 1;
	guest_memory_bytes(other)[0] = 9;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(guest_memory_bytes(cut)[5 * PAGE], 0);
	guest_memory_bytes(cut)[7 * PAGE] = 3;
	assert_true(guest_memory_lost(cut));
	assert_int_equal(losses, 1);
	assert_false(guest_memory_lost(other));
	assert_int_equal(guest_memory_bytes(other)[0], 9);
	guest_memory_unmap(cut);
	guest_memory_unmap(other);
	close(fd);
	close(fd2);
}

/* In a child: a bus error that is nobody's guest memory. */
static void die_elsewhere(void)
{
	int fd = memfd_create("ours", MFD_CLOEXEC);
	char *bytes = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	signal(SIGBUS, SIG_DFL);
	if (guest_memory_guard() == 0 && bytes != MAP_FAILED)
		_exit(atomic_load((_Atomic char *)bytes));
	_exit(1);
}

static void a_bus_error_elsewhere_kills_as_before(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		die_elsewhere();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_offset_is_mapped_and_shared),
		cmocka_unit_test(a_mapping_lies_like_the_address_that_it_stands_for),
		cmocka_unit_test(what_the_file_does_not_have_is_refused),
		cmocka_unit_test(a_file_whose_server_may_be_silent_is_refused_and_one_on_a_disk_is_not),
		cmocka_unit_test(the_table_of_mappings_has_an_end),
		cmocka_unit_test(a_cut_file_reads_as_zeros_is_reported_once_and_spares_others),
		cmocka_unit_test(a_bus_error_elsewhere_kills_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
