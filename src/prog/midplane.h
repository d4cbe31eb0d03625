/* prog/midplane.h -- the tool: commands, what a command line says, and the exit codes.
 *
 * Threads: one.  Memory: what a command allocates, it frees. */
#ifndef PROG_MIDPLANE_H
#define PROG_MIDPLANE_H

#include "tree/tree.h"

#include <jansson.h>
#include <stdio.h>

/* Documented in midplane(1). */
enum midplane_exit {
	MIDPLANE_OK,
	MIDPLANE_REFUSED,     /* the request was refused, or there are findings */
	MIDPLANE_USAGE,
	MIDPLANE_UNREACHABLE, /* no daemon answers */
	MIDPLANE_MISSING,     /* there is no such object */
};

/* Enum, short letter or 0, long name, value's placeholder or NULL, what it does. */
#define MIDPLANE_OPTIONS(X)                                                                    \
	X(SOCKET, 's', "socket", "PATH", "the daemon's socket (default: of the site that runs)") \
	X(SITE, 0, "site", "NAME", "the site to speak to, where several run")                  \
	X(OUTPUT, 'o', "output", "FORMAT", "table (default) or json")                           \
	X(HELP, 'h', "help", NULL, "say what can be done, or how")                              \
	X(VERSION, 'V', "version", NULL, "print the version")                                   \
	X(SWITCH_BACK, 0, "switch-back", NULL, "interfaces go back to the card")               \
	X(NO_SWITCH_BACK, 0, "no-switch-back", NULL, "interfaces stay where they are")         \
	X(OFF, 0, "off", NULL, "let the driver go again")                                       \
	X(IO, 0, "io", "IO", "interface of the system")                                         \
	X(CARD, 0, "card", "CARD", "card to move it to, or to go on with")                      \
	X(GIVE_UP, 0, "give-up", NULL, "what was written to the other card alone is lost")     \
	X(DUMP, 0, "dump", NULL, "configuration spaces, as lspci -F reads them")                \
	X(FOLLOW, 'f', "follow", NULL, "wait for more, until interrupted")                      \
	X(AFTER, 0, "after", "ID", "only events with a higher number")                          \
	X(MEMORY, 0, "memory", "IMAGE", "the machine's memory: raw, or an ELF core")            \
	X(REGISTERS, 0, "registers", "FILE", "the remapping unit's registers, JSON")            \
	X(SOURCE, 0, "source", "BB:DD.F", "the function that asks")                             \
	X(IOVA, 0, "iova", "ADDRESS", "the address that it asks for")                           \
	X(ACCESS, 0, "access", "r|w|-", "to read, to write, or (default) either")               \
	X(PASID, 0, "pasid", "N", "the process address space that it names")                    \
	X(ADDRESS, 0, "address", "ADDRESS", "address of the interrupt message")                 \
	X(DATA, 0, "data", "DATA", "data of the interrupt message")                             \
	X(BATCH, 0, "batch", NULL, "questions come on standard input, one a line")              \
	X(QUIRKS, 0, "quirks", "NAME", "answer as an implementation does: qemu72")              \
	X(FORMAT, 0, "format", "vtd|amd", "whose unit it is (default: Intel's VT-d)")           \
	X(HOST_WIDTH, 0, "host-width", "BITS", "width of physical addresses (default: as CAP.MGAW)") \
	X(SYSFS, 0, "sysfs", "DIR", "where sysfs is mounted (default /sys)")                    \
	X(MAC, 0, "mac", "ADDRESS", "the virtual function's address")                           \
	X(VLAN, 0, "vlan", "N", "its VLAN; 0: none")                                            \
	X(RATE, 0, "rate", "MBIT_S", "what it may send; 0: no limit")                           \
	X(SPOOF_CHECK, 0, "spoof-check", "on|off", "drop what it sends from another address")   \
	X(TRUST, 0, "trust", "on|off", "let its driver change its address and see all frames")  \
	X(INTERRUPTS, 0, "interrupts", "N", "interrupts of the function (default: one a queue pair)") \
	X(DESTRUCTIVE, 0, "destructive", NULL, "also what disturbs a function in use")          \
	X(JUNIT, 0, "junit", "FILE", "also write the report as JUnit XML")                      \
	X(TOP, 0, "top", "NAME", "the top or gate that is meant")                               \
	X(CUT_SETS, 0, "cut-sets", "N", "list so many cut sets (default 10)")                   \
	X(BY, 0, "by", "WHAT", "list them by order (default) or probability")                   \
	X(CUT_OFF, 0, "cut-off", "P", "list none less probable than this")                      \
	X(PRIME, 0, "prime-implicants", NULL, "also prime implicants, with what must work")    \
	X(APPROXIMATE, 0, "approximate", NULL, "also rare-event and min-cut approximations")   \
	X(MISSION, 0, "mission", "TIME", "time that reliability is asked for")                  \
	X(WHAT_IF, 0, "what-if", "CHANGE", "the figure with a change; several: repeat, or with ';'") \
	X(IMPROVE, 0, "improve", NULL, "look for changes that help, cheapest first")             \
	X(REPORT, 0, "report", "FILE", "write a page of HTML that needs no other file")         \
	X(DOT, 0, "dot", "FILE", "write the tree as Graphviz reads it")                          \
	X(CURVE, 0, "curve", "TIME", "unavailability at times up to this one")                  \
	X(DRAWS, 0, "draws", "N", "draw the parameters' distributions so often")                \
	X(SIMULATE, 0, "simulate", "N", "also simulate so many histories")                      \
	X(SEED, 0, "seed", "N", "of draws and simulation (default 1)")                          \
	X(THREADS, 0, "threads", "N", "of the simulation (default one a CPU)")                  \
	X(ONLY, 0, "only", "WHAT", "answer no more than probability, cut-sets or importance")  \
	X(NODES, 0, "nodes", "N", "budget of the decision diagrams")                            \
	X(MEMORY_LIMIT, 0, "memory-limit", "SIZE", "budget of memory (default half of the machine's)") \
	X(SECONDS, 0, "seconds", "N", "budget of time (default 60; 0: none)")

enum midplane_option {
#define X(name, letter, word, value, text) OPTION_##name,
	MIDPLANE_OPTIONS(X)
#undef X
	OPTION_COUNT
};

_Static_assert(OPTION_COUNT <= 64, "a command's options are bits of 64");

#define OPTION_BIT(option) (UINT64_C(1) << (option))
#define OPTIONS_OF_ALL (OPTION_BIT(OPTION_SOCKET) | OPTION_BIT(OPTION_SITE) | OPTION_BIT(OPTION_OUTPUT) | \
			OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))

struct call;

/* One row a command. */
struct command {
	const char *noun, *verb; /* verb "": the noun alone is the command */
	const char *name;  /* the operands' placeholders: "NAME", or "SOCKET REGION [SIZE]"; "[NAME]" when
	                    * it may be absent; NULL: none */
	uint64_t options;  /* OPTION_BIT(enum midplane_option), beside those of all */
	uint64_t required; /* of these */
	enum midplane_exit (*run)(const struct call *call);
	const char *help;  /* one line without its full stop */
};

extern const struct command midplane_commands[];
extern const unsigned midplane_command_count;

enum { OPERANDS_MAX = 4 };

/* What the command line says. */
struct call {
	const struct command *command;
	const char *name;                  /* NULL: none given */
	const char *more[OPERANDS_MAX - 1]; /* those after it */
	const char *option[OPTION_COUNT];  /* the value, "" without one, NULL when not given */
	bool json;
	char changes[1024]; /* the values of --what-if, joined by ';' */
};

/* "cut-sets": an option's long name. */
const char *midplane_option_word(enum midplane_option option);

/* Prints "midplane: card pull: TEXT" to standard error. */
void midplane_complain(const struct call *call, const char *format, ...) printf_like(2, 3);

/* --help: everything, one noun, or one command. */
void midplane_help(FILE *out);
void midplane_help_noun(FILE *out, const char *noun);
void midplane_help_command(FILE *out, const struct command *command);

/* The commands (midplane_run.c, midplane_event.c, midplane_check.c, midplane_guard.c,
 * midplane_iommu*.c). */
enum midplane_exit midplane_list(const struct call *call);
enum midplane_exit midplane_show(const struct call *call);
enum midplane_exit midplane_site_show(const struct call *call);
enum midplane_exit midplane_card_pull(const struct call *call);
enum midplane_exit midplane_card_insert(const struct call *call);
enum midplane_exit midplane_card_hang(const struct call *call);
enum midplane_exit midplane_card_fdb(const struct call *call);
enum midplane_exit midplane_system_switch(const struct call *call);
enum midplane_exit midplane_system_force(const struct call *call);
enum midplane_exit midplane_function_release(const struct call *call);
enum midplane_exit midplane_host_lspci(const struct call *call);
enum midplane_exit midplane_event_list(const struct call *call);
enum midplane_exit midplane_site_check(const struct call *call);
enum midplane_exit midplane_iommu_walk(const struct call *call);
enum midplane_exit midplane_iommu_remap(const struct call *call);
enum midplane_exit midplane_iommu_dump(const struct call *call);
/* Of an image when one is given, else of the running daemon. */
enum midplane_exit midplane_iommu_dump_any(const struct call *call);
enum midplane_exit midplane_iommu_check(const struct call *call);
enum midplane_exit midplane_avail_solve(const struct call *call);
enum midplane_exit midplane_pci_show(const struct call *call);
enum midplane_exit midplane_pci_read(const struct call *call);
enum midplane_exit midplane_pci_write(const struct call *call);
enum midplane_exit midplane_conform(const struct call *call);
enum midplane_exit midplane_hardware_list(const struct call *call);
enum midplane_exit midplane_hardware_show(const struct call *call);
enum midplane_exit midplane_hardware_vfs(const struct call *call);
enum midplane_exit midplane_hardware_queues(const struct call *call);
enum midplane_exit midplane_hardware_bind(const struct call *call);
enum midplane_exit midplane_hardware_release(const struct call *call);
enum midplane_exit midplane_hardware_set(const struct call *call);

#endif
