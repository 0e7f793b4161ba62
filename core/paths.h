/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where things live; the same rule for fgd and fgrun. In order: the environment variable
 * (FGRUN_STATE_DIR, FGRUN_CACHE_DIR, FGRUN_RUN_DIR), then for root /var/lib/fgrun,
 * /var/cache/fgrun and /run/fgrun, for other users the XDG base directories. Heap strings, the
 * caller frees; nothing is created.
 */
char *fg_path_state_dir(void);
char *fg_path_cache_dir(void);
char *fg_path_run_dir(void);
/** fg_path_socket() - the socket of the user's own fgd: fgd.sock in the run directory. */
char *fg_path_socket(void);
#define FG_SYSTEM_SOCKET "/run/fgrun/fgd.sock"
/** fg_path_exe_dir() - directory of the running executable, links resolved. */
char *fg_path_exe_dir(void);
