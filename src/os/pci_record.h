/* os/pci_record.h -- what we did to one physical function of this machine and to its VFs, as a
 * file: written before it is done, so that whoever comes after a crash can finish or undo it.
 *
 * A text of lines, the first of which names the form:
 *
 *     midplane pci record 1
 *     site demo
 *     card nic-a
 *     pf 0000:01:00.0
 *     vfs 4 made                                    or "found": they were there
 *     autoprobe 1                                   it is to be set back to that; or "-"
 *     function 0 0000:01:00.1 ixgbevf - 3 web/net0  VF, address, driver and override before, what
 * its PF's driver was told, and for whom
 *
 * Threads: any.  Memory: the caller's struct. */
#ifndef OS_PCI_RECORD_H
#define OS_PCI_RECORD_H

#include "base/refusal.h"
#include "os/pci_bus.h"

enum {
	PCI_RECORD_NAME_MAX = 64,   /* of a site or card, with its end */
	PCI_RECORD_OWNER_MAX = 128, /* "system/interface", with its end */
	PCI_RECORD_FUNCTIONS_MAX = 256,
	PCI_RECORD_PATH_MAX = 160,
	PCI_RECORD_TEXT_MAX = 128 << 10,
};

/* One function that is out of the hands of whoever had it. */
struct pci_record_function {
	unsigned vf; /* 0.. */
	char address[PCI_BUS_ADDRESS_MAX];
	char driver[PCI_BUS_WORD_MAX], override[PCI_BUS_WORD_MAX]; /* before; "": none */
	unsigned set;			  /* enum vf_link_set: what its PF's driver was told */
	char owner[PCI_RECORD_OWNER_MAX]; /* whom it is for */
};

struct pci_record {
	char site[PCI_RECORD_NAME_MAX], card[PCI_RECORD_NAME_MAX];
	char pf[PCI_BUS_ADDRESS_MAX];
	unsigned vfs;
	bool made;     /* the VFs: by us */
	int autoprobe; /* what to set it back to; -1: nothing */
	struct pci_record_function function[PCI_RECORD_FUNCTIONS_MAX];
	unsigned function_count;
};

/* Reads a text of 'size' bytes.  0, or -EINVAL with 'why' naming the line; never beyond the text.
 */
int pci_record_parse(const char *text, size_t size, struct pci_record *record, struct refusal *why);
/* Writes it, with its end; how many bytes it has without that: always below PCI_RECORD_TEXT_MAX. */
size_t pci_record_print(const struct pci_record *record, char text[PCI_RECORD_TEXT_MAX]);

/* Where the record of a PF is kept. */
void pci_record_path(const char *dir, const char *pf, char path[PCI_RECORD_PATH_MAX]);
/* 0; -ENOENT: there is none; -EINVAL: it is none, with 'why' and a remedy; another -errno. */
int pci_record_load(const char *path, struct pci_record *record, struct refusal *why);
/* Puts it in the place of what was there, all of it or nothing. */
int pci_record_save(const struct pci_hand *hand, const char *path, const struct pci_record *record,
		    struct refusal *why);
void pci_record_remove(const struct pci_hand *hand, const char *path);

/* The entry of VF 'vf', or NULL. */
struct pci_record_function *pci_record_find(struct pci_record *record, unsigned vf);
void pci_record_drop(struct pci_record *record, unsigned vf);

#endif
