#include "pcie/dump.h"

#include <stdio.h>
#include <string.h>

void pcie_rid_text(uint16_t rid, char text[PCIE_RID_TEXT_SIZE])
{
	unsigned bus = rid >> 8, device = rid >> 3 & 0x1f, function = rid & 7;

	snprintf(text, PCIE_RID_TEXT_SIZE, "%02x:%02x.%x", bus, device, function);
}

/* "100: 01 00 02 14 ...": 16 bytes from 'at' on. */
static void dump_line(const struct cfg *cfg, unsigned at, pcie_text_fn *write, void *arg)
{
	static const char digits[] = "0123456789abcdef";
	char line[64];
	int n = snprintf(line, sizeof line, "%02x:", at);

	must(n > 0);
	for (unsigned i = 0; i < 16; i++) {
		uint32_t byte = cfg_read(cfg, at + i, 1);

		line[n++] = ' ';
		line[n++] = digits[byte >> 4];
		line[n++] = digits[byte & 0xf];
	}
	line[n++] = '\n';
	write(arg, line, (size_t)n);
}

void pcie_dump(const struct cfg *cfg, uint16_t rid, const char *title, pcie_text_fn *write,
	       void *arg)
{
	char where[PCIE_RID_TEXT_SIZE];

	pcie_rid_text(rid, where);
	write(arg, where, strlen(where));
	write(arg, " ", 1);
	write(arg, title, strlen(title));
	write(arg, "\n", 1);
	for (unsigned at = 0; at < CFG_SIZE; at += 16)
		dump_line(cfg, at, write, arg);
	write(arg, "\n", 1);
}
