/* Prints what the judge needs of one host of the fixture.
 *
 * lspci_dump HOST dump|tree|serial [ABSENT-CARD]   serial: one line a card, as lspci writes it
 * lspci_dump HOST disks   a host of the site of disks, and one line with the card's serial number */
#include "tests/lspci/disks.h"
#include "tests/lspci/fixture.h"

#include <string.h>

static void print(void *arg, const char *text, size_t size)
{
	fwrite(text, 1, size, arg);
}

static void print_serial(uint64_t serial)
{
	for (int byte = 7; byte >= 0; byte--)
		printf("%02x%c", (unsigned)(serial >> byte * 8 & 0xff), byte ? '-' : '\n');
}

static void print_serials(void)
{
	for (unsigned card = 0; card < FIXTURE_CARDS; card++)
		print_serial(hierarchy_serial(&fixture_site, card));
}

static int print_disks(unsigned host)
{
	struct hierarchy *h = disks_hierarchy(host % DISKS_HOSTS);

	print_serial(hierarchy_serial(&disks_site, 0));
	hierarchy_dump(h, print, stdout);
	free(h);
	return 0;
}

int main(int argc, char **argv)
{
	bool absent[FIXTURE_CARDS] = { false };

	if (argc < 3) {
		fprintf(stderr, "usage: %s HOST dump|tree|serial|disks [ABSENT-CARD]\n", argv[0]);
		return 2;
	}
	if (strcmp(argv[2], "disks") == 0)
		return print_disks((unsigned)strtoul(argv[1], NULL, 10));
	if (argc > 3)
		absent[strtoul(argv[3], NULL, 10) % FIXTURE_CARDS] = true;

	struct hierarchy *h = fixture_hierarchy((unsigned)strtoul(argv[1], NULL, 10), absent);

	if (strcmp(argv[2], "tree") == 0)
		hierarchy_tree(h, print, stdout);
	else if (strcmp(argv[2], "serial") == 0)
		print_serials();
	else
		hierarchy_dump(h, print, stdout);
	free(h);
	return 0;
}
