# SPDX-License-Identifier: Apache-2.0
# Thin: meson does the work. `make demo` and `make check` set everything up by themselves.
BUILD  ?= build
PREFIX ?= /usr/local
MESON  := meson

.PHONY: all kernel demo check install clean

all: $(BUILD)/build.ninja
	$(MESON) compile -C $(BUILD)

# The guest kernel comes from a cache outside the tree; it is built when the cache is empty.
kernel: $(BUILD)/build.ninja
	scripts/link-kernel.sh $(BUILD)

demo:
	scripts/packages.sh build run demo
	scripts/qemu-user.sh
	$(MAKE) --no-print-directory all kernel
	scripts/demo.sh $(BUILD)

check:
	scripts/packages.sh build run demo check
	scripts/qemu-user.sh
	scripts/check.sh $(BUILD)

# The programs know where they are installed: what differs in the build directory is built anew.
install: $(BUILD)/build.ninja
	$(MESON) configure --prefix "$(PREFIX)" --libdir lib $(BUILD)
	$(MAKE) --no-print-directory all kernel
	DESTDIR="$(abspath $(DESTDIR))" $(MESON) install -C $(BUILD) --no-rebuild
	install -D -m 0644 $(BUILD)/guest-init/vmlinux "$(abspath $(DESTDIR))$(PREFIX)/lib/fgrun/vmlinux"

$(BUILD)/build.ninja:
	$(MESON) setup --prefix "$(PREFIX)" --libdir lib $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-clang
