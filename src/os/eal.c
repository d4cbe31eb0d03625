/* DPDK before ours: see worker.c */
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "os/eal.h"

#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HUGEPAGES "/sys/kernel/mm/hugepages"

enum { ARGS_MAX = 16 /* but for devices */, MEMORY_MB_DEFAULT = 256, PARENT_MAX = 256 };

static struct {
	char memory_kind[32];
	char runtime_dir[PARENT_MAX]; /* made by DPDK, empty, removed by us */
	bool thread_left_behind, started;
} eal = { .memory_kind = "ordinary pages" };

/* The arguments are built in one place, so that a test of one line shows what DPDK is told. */
struct args {
	char **word; /* with a NULL behind them */
	unsigned count, room;
};

static void add(struct args *args, const char *format, ...) printf_like(2, 3);
static void add(struct args *args, const char *format, ...)
{
	va_list list;
	int n;

	must(args->count + 1 < args->room);
	va_start(list, format);
	n = vasprintf(&args->word[args->count], format, list);
	va_end(list);
	must(n >= 0);
	args->count++;
}

static uint64_t free_bytes_of(const char *kind)
{
	char path[256];
	uint64_t pages = 0;
	unsigned long kb;
	FILE *file;

	if (sscanf(kind, "hugepages-%lukB", &kb) != 1)
		return 0;
	(void)snprintf(path, sizeof(path), HUGEPAGES "/%.128s/free_hugepages", kind);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	(void)fclose(file);
	return pages * kb * 1024;
}

/* Whether one size of hugepage has 'wanted_bytes' free; names it in eal.memory_kind. */
static bool find_hugepages(uint64_t wanted_bytes)
{
	struct dirent *entry;
	DIR *dir = opendir(HUGEPAGES);
	unsigned long kb;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (free_bytes_of(entry->d_name) < wanted_bytes)
			continue;
		found = sscanf(entry->d_name, "hugepages-%lukB", &kb) == 1;
		if (found)
			(void)snprintf(eal.memory_kind, sizeof(eal.memory_kind),
				       kb >= 1048576 ? "%lu GiB hugepages" : "%lu MiB hugepages",
				       kb >= 1048576 ? kb / 1048576 : kb / 1024);
	}
	closedir(dir);
	return found;
}

/* "0@(0,1),1@1,2@0": lcore 0 is the control thread on all CPUs of the process; the data threads
 * begin at its second CPU, since on the first most other things run. */
static void add_lcores(struct args *args, unsigned workers)
{
	unsigned cpus[CPU_SETSIZE];
	char text[4096];
	size_t used;
	unsigned count = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		CPU_SET(0, &set);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[count++] = cpu;
	must(count > 0);
	used = (size_t)snprintf(text, sizeof(text), "0@(%u", cpus[0]);
	for (unsigned i = 1; i < count && i < 512; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, ",%u", cpus[i]);
	used += (size_t)snprintf(text + used, sizeof(text) - used, ")");
	for (unsigned i = 0; i < workers; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, ",%u@%u", i + 1,
					 cpus[(i + 1) % count]);
	must(used < sizeof(text));
	add(args, "--lcores");
	add(args, "%s", text);
}

static void build_args(struct args *args, const struct eal_conf *conf, bool hugepages)
{
	unsigned devices = 0;

	while (conf->pci_allow && conf->pci_allow[devices])
		devices++;
	args->room = ARGS_MAX + 2 * devices;
	args->word = calloc(args->room, sizeof *args->word);
	must(args->word != NULL);
	add(args, "midplaned");
	add(args, "--no-telemetry");
	/* An own prefix for each process: two daemons never meet in DPDK's run directory. */
	add(args, "--file-prefix");
	add(args, "midplane-%d", (int)getpid());
	if (hugepages) {
		add(args, "--in-memory");
	} else {
		/* --in-memory implies what --no-huge excludes, so its other half by name */
		add(args, "--no-huge");
		add(args, "--no-shconf");
	}
	add(args, "-m");
	add(args, "%u", conf->memory_mb ? conf->memory_mb : MEMORY_MB_DEFAULT);
	add_lcores(args, conf->workers);
	if (!devices)
		add(args, "--no-pci");
	for (unsigned i = 0; i < devices; i++) {
		add(args, "-a");
		add(args, "%s", conf->pci_allow[i]);
	}
}

/* DPDK reorders what it is given, so that gets a copy. */
static int init_eal(const struct args *args)
{
	char **vector = calloc(args->room, sizeof *vector);
	int err;

	must(vector != NULL);
	memcpy(vector, args->word, args->count * sizeof *vector);
	err = rte_eal_init((int)args->count, vector) < 0 ? -rte_errno : 0;
	free(vector);
	for (unsigned i = 0; i < args->count; i++)
		free(args->word[i]);
	free(args->word);
	return err;
}

/* DPDK's lines become ours, one call site for all: what it floods is held back.  What it calls an
 * error is mostly a driver's refusal, which the caller tells the operator in better words. */
static ssize_t write_dpdk_line(void *cookie, const char *text, size_t size)
{
	static struct log_site site;
	int level = rte_log_cur_msg_loglevel();
	size_t length = size;

	(void)cookie;
	while (length > 0 && text[length - 1] == '\n')
		length--;
	if (length > 0)
		log_line(&site, level <= (int)RTE_LOG_CRIT ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
			 "dpdk", "%.*s", (int)length, text);
	return (ssize_t)size;
}

static int redirect_log(void)
{
	cookie_io_functions_t functions = { .write = write_dpdk_line };
	FILE *stream = fopencookie(NULL, "w", functions);

	if (!stream)
		return -errno;
	(void)setvbuf(stream, NULL, _IOLBF, 0);
	rte_log_set_global_level(log_get_level() == LOG_LEVEL_DEBUG ? RTE_LOG_INFO :
								      RTE_LOG_WARNING);
	return rte_openlog_stream(stream);
}

/* DPDK makes a directory even when it shares nothing. */
static void remove_runtime_dir(void)
{
	char *slash;

	if (!eal.runtime_dir[0])
		return;
	(void)rmdir(eal.runtime_dir);
	slash = strrchr(eal.runtime_dir, '/');
	if (slash && slash != eal.runtime_dir) {
		*slash = '\0';
		(void)rmdir(eal.runtime_dir); /* stays when others have something in it */
	}
	eal.runtime_dir[0] = '\0';
}

int eal_start(const struct eal_conf *conf, struct refusal *why)
{
	unsigned memory_mb = conf->memory_mb ? conf->memory_mb : MEMORY_MB_DEFAULT;
	bool hugepages = find_hugepages((uint64_t)memory_mb << 20);
	struct args args = { .count = 0 };
	int err;

	must(conf->workers >= 1 && conf->workers <= EAL_WORKERS_MAX);
	must(!eal.started);
	err = redirect_log();
	if (err < 0)
		return err;
	build_args(&args, conf, hugepages);
	err = init_eal(&args);
	if (err < 0) {
		refuse(why, "", "DPDK's environment does not start for site '%s' with %u MB of "
		       "%s and %u workers: %s; MIDPLANE_LOG=debug shows what DPDK says",
		       conf->name, memory_mb, eal.memory_kind, conf->workers, strerror(-err));
		return err;
	}
	eal.started = true;
	(void)snprintf(eal.runtime_dir, sizeof(eal.runtime_dir), "%s", rte_eal_get_runtime_dir());
	remove_runtime_dir();
	return 0;
}

void eal_thread_left_behind(void)
{
	eal.thread_left_behind = true;
}

void eal_stop(void)
{
	if (!eal.started)
		return;
	eal.started = false;
	if (!eal.thread_left_behind)
		(void)rte_eal_cleanup();
}

const char *eal_memory_kind(void)
{
	return eal.memory_kind;
}
