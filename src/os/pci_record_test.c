#include "os/pci_record.h"
#include "tests/check.h"

#include <errno.h>

#define PF    "0000:01:00.0"
#define VF(n) "0000:01:00." #n

static void a_record_is_read_back_as_it_was_written(void **state)
{
	static struct pci_record a, b;
	static char text[PCI_RECORD_TEXT_MAX], again[PCI_RECORD_TEXT_MAX];
	struct refusal why;

	(void)state;
	a = (struct pci_record){ .site = "demo",
				 .card = "nic-a",
				 .pf = PF,
				 .vfs = 4,
				 .made = true,
				 .autoprobe = 1,
				 .function_count = PCI_RECORD_FUNCTIONS_MAX };
	for (unsigned i = 0; i < a.function_count; i++) {
		a.function[i] = (struct pci_record_function){
			.vf = i, .address = VF(1), .driver = "vfdrv", .set = i % 8
		};
		memset(a.function[i].owner, 'x', sizeof a.function[i].owner - 1);
	}
	pci_record_print(&a, text);
	assert_int_equal(pci_record_parse(text, strlen(text), &b, &why), 0);
	pci_record_print(&b, again);
	assert_string_equal(text, again);
}

static void a_record_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"midplane pci record 2\n",
		"midplane pci record 1\nsite a\ncard b\npf 0000:01:00.0\nvfs 1 made\n",
		"midplane pci record 1\nsite a\ncard b\npf ../../x\nvfs 1 made\nautoprobe -\n",
		"midplane pci record 1\nsite a\ncard b\npf 0000:01:00.0\nvfs 1 lost\nautoprobe -\n",
		"midplane pci record 1\nsite a\ncard b\npf 0000:01:00.0\nvfs 1 made\nautoprobe 2\n",
		"midplane pci record 1\nsite a\ncard b\npf 0000:01:00.0\nvfs 1 made\nautoprobe -",
		"midplane pci record 1\nsite a\ncard b\npf 0000:01:00.0\nvfs 1 made\nautoprobe -\n"
		"function 0 0000:01:00.1 ../x - 0 a/b\n",
		"midplane pci record 1\nsite a\ncard b\npf 0000:01:00.0\nvfs 1 made\nautoprobe -\n"
		"function 256 0000:01:00.1 - - 0 a/b\n",
		"midplane pci record 1\nsite a\ncard b\npf 0000:01:00.0\nvfs 1 made\nautoprobe -\n"
		"function 0 0000:01:00.1 - - 0 a/b\nfunction 0 0000:01:00.2 - - 0 a/c\n",
	};
	static struct pci_record record;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct refusal why = { 0 };

		assert_int_equal(pci_record_parse(bad[i], strlen(bad[i]), &record, &why), -EINVAL);
		assert_true(why.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_back_as_it_was_written),
		cmocka_unit_test(a_record_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
