# midplane: everything a newcomer types.  The build itself is meson's.

BUILD ?= build
FUZZ_SECONDS ?= 60
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
JOBS ?= $(shell nproc)

.PHONY: all deps test unit e2e demo bench fuzz tsan test-sriov test-vfio-user test-first-stage test-hardware-nic install clean format help

all: $(BUILD)/build.ninja ## build the two programs and all tests
	ninja -C $(BUILD) -j $(JOBS)

$(BUILD)/build.ninja: | deps-build
	meson setup $(BUILD)

.PHONY: deps-build deps-test deps-demo deps-bench deps-sriov deps-nic
deps-build: ; @sh packaging/install-deps build
deps-test: ; @sh packaging/install-deps build test unpack
deps-demo: ; @sh packaging/install-deps build demo unpack
deps-bench: ; @sh packaging/install-deps build bench unpack unpack-bench
deps-sriov: ; @sh packaging/install-deps build test sriov unpack
deps-nic: ; @sh packaging/install-deps build test sriov unpack unpack-nic

deps: ## install the Debian packages for everything (packaging/debian-packages.txt)
	@sh packaging/install-deps

test: deps-test ## all tests; those with real guests need root and are run with sudo
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory unit; unit=$$?; \
		$(MAKE) --no-print-directory e2e && [ $$unit = 0 ]

unit: ## tests that need no guests and no root: unit, sim, style, judge, fuzz-smoke
	meson test -C $(BUILD) --no-rebuild --no-suite e2e --print-errorlogs

e2e: ## tests with real guests
	$(SUDO) env XDG_CACHE_HOME="$${XDG_CACHE_HOME:-$$HOME/.cache}" \
		meson test -C $(BUILD) --no-rebuild --suite e2e --logbase testlog-e2e --print-errorlogs

demo: deps-demo ## real guests share two NIC cards, and one card is pulled
	@$(MAKE) --no-print-directory all >$(BUILD)-demo.log 2>&1 || { cat $(BUILD)-demo.log; false; }
	@exec $(SUDO) env XDG_CACHE_HOME="$${XDG_CACHE_HOME:-$$HOME/.cache}" \
		python3 demo/demo.py --build $(BUILD)

bench: deps-bench ## NICs beside dpdk-testpmd and Open vSwitch, disks beside qemu-storage-daemon, and more
	@$(MAKE) --no-print-directory all
	@exec $(SUDO) env XDG_CACHE_HOME="$${XDG_CACHE_HOME:-$$HOME/.cache}" \
		python3 bench/bench.py --build $(BUILD)

fuzz: deps-test ## search with libFuzzer: FUZZ_SECONDS=60 a target, FUZZ_TARGETS="..." picks
	@sh fuzz/run "$(FUZZ_SECONDS)" $(FUZZ_TARGETS)

TSAN_TESTS = iommu/vtd_threads iommu/amdvi_threads iommu/builder iommu/guard attach/vhost_user_threads \
	media/media media/card

tsan: deps-test ## what threads share, in the remapping unit above all, under ThreadSanitizer
	@[ -e $(BUILD)-tsan/build.ninja ] || CC=clang meson setup $(BUILD)-tsan -Db_sanitize=thread \
		-Db_lundef=false
	ninja -C $(BUILD)-tsan -j $(JOBS) $(foreach test,$(TSAN_TESTS),tests/$(subst /,_,$(test))_test)
	meson test -C $(BUILD)-tsan --no-rebuild --print-errorlogs -t 4 $(TSAN_TESTS)

test-sriov: deps-sriov ## a guest's own kernel makes virtual functions of our card, and it migrates (QEMU 11)
	@$(MAKE) --no-print-directory all
	@$(SUDO) env XDG_CACHE_HOME="$${XDG_CACHE_HOME:-$$HOME/.cache}" \
		sh -c 'python3 tests/e2e/qemu_sriov.py --build $(BUILD) && \
			python3 tests/e2e/qemu_migrate.py --newer --build $(BUILD)'

test-vfio-user: deps-sriov ## QEMU 11's vfio-user-pci takes functions of ours, behind its intel-iommu
	@$(MAKE) --no-print-directory all
	@$(SUDO) env XDG_CACHE_HOME="$${XDG_CACHE_HOME:-$$HOME/.cache}" \
		sh -c 'python3 tests/e2e/qemu_vfio_user.py --build $(BUILD) && \
			python3 tests/e2e/qemu_vfio_user_net.py --build $(BUILD) && \
			python3 tests/e2e/qemu_vfio_user_intx.py --build $(BUILD) && \
			python3 tests/e2e/qemu_vfio_user_disk.py --build $(BUILD)'

test-hardware-nic: deps-nic ## network cards with SR-IOV under Linux's own drivers (QEMU 11's igb)
	@$(MAKE) --no-print-directory all
	@$(SUDO) env XDG_CACHE_HOME="$${XDG_CACHE_HOME:-$$HOME/.cache}" \
		python3 tests/e2e/hardware_nic.py --build $(BUILD)

test-first-stage: deps-sriov ## our walk of first-stage tables against QEMU 11's
	@$(MAKE) --no-print-directory all
	@python3 tests/e2e/vtd_first_stage.py --build $(BUILD)

install: all ## install below /usr/local (DESTDIR and meson's prefix are honoured)
	$(if $(DESTDIR),DESTDIR="$$(realpath -m -- "$(DESTDIR)")",$(SUDO)) meson install -C $(BUILD) --no-rebuild

clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-*

format: ## clang-format over our C files
	git ls-files '*.c' '*.h' | xargs clang-format -i

help: ## this text
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | \
		while read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done
