/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which guest kernel and initramfs: what the configuration names, else what is installed with fgd,
 * else what the build tree of this fgd made. Heap strings; whether the file exists is vmm's check.
 */
char *fg_kernel_path(const char *configured);
char *fg_initrd_path(const char *configured);
char *fg_init_path(void); /* the guest's init as a program of the host */
