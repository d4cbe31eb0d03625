#include "pcie/device.h"
#include "pcie/sriov.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

static void tell(struct pcie_device *d, unsigned n, enum pcie_event event)
{
	if (d->notify)
		d->notify(d->owner, d, n, event);
}

bool pcie_device_has(const struct pcie_device *d, unsigned n)
{
	return n <= d->vf_count;
}

const struct pcie_kind *pcie_device_kind(const struct pcie_device *d, unsigned n)
{
	must(n <= d->total_vfs);
	return n ? d->vf_kind : d->kind;
}

/* A register of function 'n' in a capability that its kind has. */
static uint32_t get(const struct pcie_device *d, unsigned n, enum pcie_cap cap, unsigned offset,
		    unsigned size)
{
	unsigned at = pcie_kind_at(pcie_device_kind(d, n), cap, offset);

	return cfg_read(&d->functions[n], at, size);
}

static void set(struct pcie_device *d, unsigned n, enum pcie_cap cap, unsigned offset,
		unsigned size, uint32_t mask, uint32_t value)
{
	unsigned at = pcie_kind_at(pcie_device_kind(d, n), cap, offset);

	cfg_set(&d->functions[n], at, size, mask, value);
}

/* Where the PF keeps BAR 'bar' of function 'n': its own, or the VF BAR that all VFs share. */
static unsigned bar_at(const struct pcie_device *d, unsigned n, unsigned bar)
{
	if (n == 0)
		return SPEC_PCI_BAR0 + bar * 4;
	return pcie_kind_at(d->kind, PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0) + bar * 4;
}

static uint64_t system_page(const struct pcie_device *d)
{
	return (uint64_t)get(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4) << 12;
}

uint64_t pcie_device_bar_size(const struct pcie_device *d, unsigned n, unsigned bar)
{
	must(bar < PCIE_BARS_MAX && bar % 2 == 0);
	must(n <= d->total_vfs);
	if (d->kind->role == PCIE_ROLE_ROOT_PORT)
		return 0; /* those words are bus numbers and windows */

	uint32_t decoded = d->kind->map.rules[bar_at(d, n, bar) / 4].rw;
	uint64_t size = decoded & -decoded; /* the lowest address bit */

	return size && n ? max_u64(size, system_page(d)) : size;
}

/* 9.2.1.1.1: an aperture is a multiple of the System Page Size, so bits below it read 0. */
static void align_vf_bars(struct pcie_device *d)
{
	if (d->total_vfs == 0)
		return;
	for (unsigned bar = 0; bar < PCIE_BARS_MAX; bar += 2) {
		uint64_t size = pcie_device_bar_size(d, 1, bar);
		unsigned at = bar_at(d, 1, bar);

		if (size)
			cfg_set(&d->functions[0], at, 4,
				(uint32_t)(size - 1) & d->kind->map.rules[at / 4].rw, 0);
	}
}

/* 9.3.3.9: First VF Offset may depend on whether functions above 7 can be reached. */
static void update_vf_offset(struct pcie_device *d)
{
	uint32_t ari = get(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2) & SPEC_SRIOV_ARI_HIERARCHY;

	set(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_FIRST_VF_OFFSET, 2, 0xffff,
	    ari ? PCIE_VF_OFFSET_ARI : PCIE_VF_OFFSET_NO_ARI);
}

static void let_vfs_vanish(struct pcie_device *d)
{
	d->functions[0].locked = false;
	if (d->vf_count)
		tell(d, 0, PCIE_VFS_VANISH);
	d->vf_count = 0;
}

static void react_vf_enable(struct pcie_device *d, unsigned n, uint32_t old)
{
	struct pcie_sriov_view view;

	(void)old;
	must(n == 0);
	pcie_sriov_look(&d->functions[0], d->kind, &view);
	if (!view.enabled) {
		let_vfs_vanish(d);
		return;
	}
	if (view.num > d->total_vfs) { /* 9.3.3.7 leaves it undefined: nothing appears */
		set(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2, SPEC_SRIOV_VF_ENABLE, 0);
		d->refused++;
		return;
	}
	d->functions[0].locked = true;
	for (unsigned vf = 1; vf <= view.num; vf++)
		cfg_power_on(&d->functions[vf], &d->vf_kind->map);
	d->vf_count = view.num;
	if (d->vf_count)
		tell(d, 0, PCIE_VFS_APPEARED);
}

static void react_vf_memory(struct pcie_device *d, unsigned n, uint32_t old)
{
	tell(d, n, old & SPEC_SRIOV_VF_MEMORY ? PCIE_MEMORY_OFF : PCIE_MEMORY_ON);
}

static void react_ari(struct pcie_device *d, unsigned n, uint32_t old)
{
	(void)n, (void)old;
	update_vf_offset(d);
}

static void react_page_size(struct pcie_device *d, unsigned n, uint32_t old)
{
	uint32_t page = get(d, n, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4);

	if (!is_power_of_two(page) || !(page & SPEC_SRIOV_REQUIRED_PAGES)) {
		set(d, n, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4, UINT32_MAX, old);
		d->refused++;
	}
	align_vf_bars(d);
}

static void react_bar(struct pcie_device *d, unsigned n, uint32_t old)
{
	(void)old;
	if (d->kind->role == PCIE_ROLE_ROOT_PORT)
		return;
	align_vf_bars(d);
	tell(d, n, PCIE_BARS_MOVED);
}

static void react_flr(struct pcie_device *d, unsigned n, uint32_t old)
{
	(void)old;
	if (n == 0)
		let_vfs_vanish(d);
	cfg_reset(&d->functions[n], CFG_RESET_FUNCTION);
	if (n == 0 && d->total_vfs)
		update_vf_offset(d);
	tell(d, n, PCIE_FUNCTION_RESET);
}

static void react_power(struct pcie_device *d, unsigned n, uint32_t old)
{
	uint32_t state = get(d, n, PCIE_CAP_PM, SPEC_PM_CONTROL, 2) & SPEC_PM_POWER_STATE;

	if (state != SPEC_PM_D0 && state != SPEC_PM_D3HOT) { /* 7.5.2.2: discarded */
		set(d, n, PCIE_CAP_PM, SPEC_PM_CONTROL, 2, SPEC_PM_POWER_STATE, old);
		d->refused++;
		return;
	}
	tell(d, n, state == SPEC_PM_D0 ? PCIE_WOKE : PCIE_SLEPT);
}

static void react_master(struct pcie_device *d, unsigned n, uint32_t old)
{
	tell(d, n, old & SPEC_PCI_COMMAND_MASTER ? PCIE_BUS_MASTER_OFF : PCIE_BUS_MASTER_ON);
}

static void react_memory(struct pcie_device *d, unsigned n, uint32_t old)
{
	tell(d, n, old & SPEC_PCI_COMMAND_MEMORY ? PCIE_MEMORY_OFF : PCIE_MEMORY_ON);
}

static void react_msix(struct pcie_device *d, unsigned n, uint32_t old)
{
	(void)old;
	tell(d, n, PCIE_MSIX_CHANGED);
}

static void react_ats(struct pcie_device *d, unsigned n, uint32_t old)
{
	(void)old;
	tell(d, n, PCIE_ATS_CHANGED);
}

static void react_bridge(struct pcie_device *d, unsigned n, uint32_t old)
{
	if (d->kind->role == PCIE_ROLE_ROOT_PORT && !(old & 1 << 6))
		tell(d, n, PCIE_BUS_RESET);
}

enum { MSIX_CONTROLS = SPEC_MSIX_FUNCTION_MASK | SPEC_MSIX_ENABLE };

/* Every register that the device reacts to.  old: the register before the write. */
static const struct reaction {
	enum pcie_cap cap;
	uint16_t offset;
	uint32_t bits; /* of the register: any of them changed, or was triggered */
	void (*react)(struct pcie_device *, unsigned n, uint32_t old);
} reactions[] = {
	{ PCIE_HEADER, SPEC_PCI_COMMAND, SPEC_PCI_COMMAND_MASTER, react_master },
	{ PCIE_HEADER, SPEC_PCI_COMMAND, SPEC_PCI_COMMAND_MEMORY, react_memory },
	{ PCIE_HEADER, SPEC_PCI_BAR0, UINT32_MAX, react_bar },
	{ PCIE_HEADER, SPEC_PCI_BAR0 + 4, UINT32_MAX, react_bar },
	{ PCIE_HEADER, SPEC_PCI_BAR0 + 8, UINT32_MAX, react_bar },
	{ PCIE_HEADER, SPEC_PCI_BAR0 + 12, UINT32_MAX, react_bar },
	{ PCIE_HEADER, SPEC_PCI_BAR0 + 16, UINT32_MAX, react_bar },
	{ PCIE_HEADER, SPEC_PCI_BAR0 + 20, UINT32_MAX, react_bar },
	{ PCIE_HEADER, SPEC_PCI_BRIDGE_CONTROL, 1 << 6, react_bridge },
	{ PCIE_CAP_PM, SPEC_PM_CONTROL, SPEC_PM_POWER_STATE, react_power },
	{ PCIE_CAP_MSIX, SPEC_MSIX_CONTROL, MSIX_CONTROLS, react_msix },
	{ PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, SPEC_EXPRESS_INITIATE_FLR, react_flr },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, SPEC_SRIOV_ARI_HIERARCHY, react_ari },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, SPEC_SRIOV_VF_ENABLE, react_vf_enable },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, SPEC_SRIOV_VF_MEMORY, react_vf_memory },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, UINT32_MAX, react_page_size },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0, UINT32_MAX, react_bar },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + 4, UINT32_MAX, react_bar },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + 8, UINT32_MAX, react_bar },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + 12, UINT32_MAX, react_bar },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + 16, UINT32_MAX, react_bar },
	{ PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + 20, UINT32_MAX, react_bar },
	{ PCIE_CAP_ATS, SPEC_ATS_CONTROL, 0xffff, react_ats },
};

/* The values that differ between devices of one kind. */
static void set_hardware_values(struct pcie_device *d, uint64_t serial)
{
	if (d->total_vfs) {
		set(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_INITIAL_VFS, 2, 0xffff, d->total_vfs);
		set(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_TOTAL_VFS, 2, 0xffff, d->total_vfs);
	}
	if (pcie_kind_has(d->kind, PCIE_CAP_SERIAL)) {
		set(d, 0, PCIE_CAP_SERIAL, SPEC_SERIAL_LOW, 4, UINT32_MAX, (uint32_t)serial);
		set(d, 0, PCIE_CAP_SERIAL, SPEC_SERIAL_HIGH, 4, UINT32_MAX,
		    (uint32_t)(serial >> 32));
	}
}

void pcie_device_init(struct pcie_device *d, const struct pcie_device_conf *conf,
		      struct cfg *functions)
{
	must(conf->total_vfs <= PCIE_VFS_MAX);
	must((conf->total_vfs == 0) == (conf->vf_kind == NULL));
	*d = (struct pcie_device){
		.kind = conf->kind,
		.vf_kind = conf->vf_kind,
		.functions = functions,
		.total_vfs = conf->total_vfs,
		.notify = conf->notify,
		.owner = conf->owner,
	};
	for (unsigned n = 0; n <= d->total_vfs; n++)
		cfg_power_on(&functions[n], &pcie_device_kind(d, n)->map);
	set_hardware_values(d, conf->serial);
}

void pcie_device_hot_reset(struct pcie_device *d)
{
	let_vfs_vanish(d);
	cfg_reset(&d->functions[0], CFG_RESET_CONVENTIONAL);
	tell(d, 0, PCIE_FUNCTION_RESET);
}

uint16_t pcie_device_rid(const struct pcie_device *d, unsigned n)
{
	struct pcie_sriov_view view;

	must(n <= d->total_vfs);
	if (n == 0)
		return d->rid;
	pcie_sriov_look(&d->functions[0], d->kind, &view);
	return pcie_sriov_rid(&view, d->rid, n);
}

int pcie_device_find(const struct pcie_device *d, uint16_t rid)
{
	struct pcie_sriov_view view;

	if (rid == d->rid)
		return 0;
	if (d->vf_count == 0)
		return -1;
	pcie_sriov_look(&d->functions[0], d->kind, &view);

	unsigned distance = (uint16_t)(rid - d->rid - view.offset);

	if (distance % view.stride || distance / view.stride >= d->vf_count)
		return -1;
	return (int)(distance / view.stride) + 1;
}

uint32_t pcie_device_read(const struct pcie_device *d, unsigned n, unsigned offset, unsigned size)
{
	must(cfg_is_access(offset, size));
	if (!pcie_device_has(d, n))
		return bits32(size * 8 - 1, 0);
	return cfg_read(&d->functions[n], offset, size);
}

void pcie_device_write(struct pcie_device *d, unsigned n, unsigned offset, unsigned size,
		       uint32_t value)
{
	must(cfg_is_access(offset, size));
	if (!pcie_device_has(d, n))
		return;

	const struct pcie_kind *kind = pcie_device_kind(d, n);
	uint32_t old = d->functions[n].word[offset / 4];
	uint32_t changed = cfg_write(&d->functions[n], offset, size, value);

	for (unsigned i = 0; changed && i < array_len(reactions); i++) {
		const struct reaction *r = &reactions[i];

		if (!pcie_kind_has(kind, r->cap))
			continue;

		unsigned at = pcie_kind_at(kind, r->cap, r->offset), shift = at % 4 * 8;

		if (at / 4 == offset / 4 && (changed >> shift & r->bits) != 0)
			r->react(d, n, old >> shift);
	}
}

static bool is_awake(const struct pcie_device *d, unsigned n)
{
	if (!pcie_kind_has(pcie_device_kind(d, n), PCIE_CAP_PM))
		return true;
	return (get(d, n, PCIE_CAP_PM, SPEC_PM_CONTROL, 2) & SPEC_PM_POWER_STATE) == SPEC_PM_D0;
}

bool pcie_device_masters(const struct pcie_device *d, unsigned n)
{
	if (!pcie_device_has(d, n) || !is_awake(d, n) || !is_awake(d, 0))
		return false;
	return get(d, n, PCIE_HEADER, SPEC_PCI_COMMAND, 2) & SPEC_PCI_COMMAND_MASTER;
}

static bool decodes(const struct pcie_device *d, unsigned n)
{
	if (!pcie_device_has(d, n) || !is_awake(d, n) || !is_awake(d, 0))
		return false;
	if (n)
		return get(d, 0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2) & SPEC_SRIOV_VF_MEMORY;
	return get(d, 0, PCIE_HEADER, SPEC_PCI_COMMAND, 2) & SPEC_PCI_COMMAND_MEMORY;
}

bool pcie_device_bar(const struct pcie_device *d, unsigned n, unsigned bar, uint64_t *address)
{
	if (!decodes(d, n))
		return false;

	uint64_t size = pcie_device_bar_size(d, n, bar);
	unsigned at = bar_at(d, n, bar);
	uint64_t low = cfg_read(&d->functions[0], at, 4) & ~(uint32_t)SPEC_PCI_BAR_FLAGS;

	if (!size)
		return false;
	*address = (uint64_t)cfg_read(&d->functions[0], at + 4, 4) << 32 | low;
	*address += n ? (n - 1) * size : 0;
	return true;
}
