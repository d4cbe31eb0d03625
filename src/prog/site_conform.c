#include "prog/site_conform.h"
#include "conform/device.h"
#include "fabric/hierarchy.h"
#include "pcie/kinds_nvme.h"
#include "prog/conform_json.h"
#include "prog/conform_sysfs.h"
#include "prog/site_external.h"
#include "prog/site_hardware.h"
#include "spec/pcie_sriov.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A card as it comes out of its box. */
struct specimen {
	struct pcie_kinds kinds;
	struct pcie_kinds_nvme nvme_kinds;
	struct pcie_device device;
	struct conform_device target;
	struct conform_report report;
	struct cfg spaces[]; /* 1 + the card's VFs */
};

static void enable_vfs(struct pcie_device *device, unsigned count)
{
	unsigned num = pcie_kind_at(device->kind, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS);
	unsigned control = pcie_kind_at(device->kind, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL);

	pcie_device_write(device, 0, num, 2, count);
	pcie_device_write(device, 0, control, 2, SPEC_SRIOV_VF_ENABLE);
}

static struct specimen *make(struct site_run *run, const struct run_card *card, unsigned vf)
{
	bool disk = card->place.card->card_class == SITE_CARD_DISK;
	unsigned vfs = card->place.card->vfs;
	struct specimen *s = calloc(1, sizeof *s + (1 + vfs) * sizeof(struct cfg));

	if (!s)
		return NULL;
	pcie_kinds_build(&s->kinds);
	pcie_kinds_nvme_build(&s->nvme_kinds);
	pcie_device_init(
		&s->device,
		&(struct pcie_device_conf){ .kind = disk ? &s->nvme_kinds.pf : &s->kinds.nic_pf,
					    .vf_kind = disk ? &s->nvme_kinds.vf : &s->kinds.nic_vf,
					    .total_vfs = (uint16_t)vfs,
					    .serial = hierarchy_serial(run->site, card->index) },
		s->spaces);
	if (vf)
		enable_vfs(&s->device, vfs);
	conform_device_init(&s->target, &s->device, vf);
	return s;
}

/* The function itself, as far as that is known: nobody is disturbed either. */
static int conform_external(struct run_card *card, unsigned vf, enum conform_care care, char **text,
			    struct refusal *why)
{
	struct conform_report *report = calloc(1, sizeof *report);
	int err = report ? site_external_conform(card, vf, care, report, why) : -ENOMEM;
	json_t *json = err ? NULL : conform_json(report);

	*text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	json_decref(json);
	free(report);
	if (err || *text)
		return err;
	refuse(why, "", "no memory for a report");
	return -ENOMEM;
}

/* A real function is judged itself, not a model of it. */
static int judge_real(const struct run_card *card, unsigned vf, enum conform_care care, char **text,
		      struct refusal *why)
{
	struct conform_sysfs *sysfs;
	struct conform_report *report;
	json_t *json;
	int err = conform_sysfs_open(&sysfs, site_hardware_address(card, vf),
				     care == CONFORM_DESTRUCTIVE ? CONFORM_SYSFS_DESTRUCTIVE
								 : CONFORM_SYSFS_GENTLE,
				     why);

	if (err)
		return err;
	report = malloc(sizeof *report);
	must(report != NULL);
	conform_run(report, conform_sysfs_target(sysfs), care);
	conform_sysfs_close(sysfs);
	json = conform_json(report);
	*text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	json_decref(json);
	free(report);
	return *text ? 0 : -ENOMEM;
}

int site_conform(struct site_run *run, const char *name, enum conform_care care, char **text,
		 struct refusal *why)
{
	const char *slash = strchr(name, '/');
	char card_name[SITE_NAME_MAX + 1];
	struct run_card *card;
	struct specimen *s;
	unsigned vf;
	json_t *json;

	snprintf(card_name, sizeof card_name, "%.*s", slash ? (int)(slash - name) : SITE_NAME_MAX,
		 name);
	card = site_run_card(run, card_name);
	must(card != NULL); /* the server has looked */
	vf = slash ? (unsigned)strtoul(slash + strlen("/vf"), NULL, 10) : 0;
	if (card->external)
		return conform_external(card, vf, care, text, why);
	if (card->hardware)
		return judge_real(card, vf, care, text, why);
	s = make(run, card, vf);
	if (!s) {
		refuse(why, "", "no memory for a report");
		return -ENOMEM;
	}
	conform_run(&s->report, &s->target.target, care);
	json = conform_json(&s->report);
	*text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	json_decref(json);
	free(s);
	if (*text)
		return 0;
	refuse(why, "", "no memory for a report");
	return -ENOMEM;
}
