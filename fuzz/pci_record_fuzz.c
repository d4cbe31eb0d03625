/* Any bytes as a record of what was done to a card: refused with words, or what is written of it is
 * read back the same. */
#include "os/pci_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pci_record a, b;
	static char text[PCI_RECORD_TEXT_MAX], again[PCI_RECORD_TEXT_MAX];
	struct refusal why = { 0 };
	int err = pci_record_parse((const char *)data, size, &a, &why);

	must(!err == !why.text[0]);
	must(!err || err == -EINVAL);
	if (err)
		return 0;
	must(pci_record_print(&a, text) == strlen(text));
	must(pci_record_parse(text, strlen(text), &b, &why) == 0);
	pci_record_print(&b, again);
	must(strcmp(text, again) == 0);
	return 0;
}
