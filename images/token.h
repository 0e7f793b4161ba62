/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "images/auth.h"
#include "images/registry.h"
#include "images/transfer.h"

/**
 * fg_token_answer() - the Authorization value that answers @challenge
 * Bearer: a token is fetched from the realm, with the registry's credentials when there are any.
 * Return: heap string; NULL: DENIED (refused, or credentials are needed), UPSTREAM.
 * @ret_transient: trying again may help
 */
char *fg_token_answer(struct fg_transfer *http, const struct fg_registry_config *config,
                      const struct fg_reference *ref, const char *challenge, bool plain,
                      bool *ret_transient, struct fg_error *err);
