/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"
#include "core/json.h"
#include "core/secret.h"

/*
 * Secrets and parameters under the names that AWS Secrets Manager and SSM Parameter Store give
 * them, in a database of their own (secrets.db) in which every value is sealed (core/seal.h), and
 * what a container definition says of them. A vault belongs to one lane thread; everything here
 * blocks. docs/secrets.md
 *
 * What is known of a secret is given as a JSON object with AWS's member names, times in nanoseconds
 * since the epoch; values are never part of it. Errors: NOT_FOUND, with sys ENODATA when only the
 * version is missing; INVALID, with E2BIG for too many tags; CONFLICT with sys EEXIST (the name is
 * taken), EBUSY (it is marked for deletion) or 0.
 */
struct fg_vault;

#define FG_SECRET_VALUE_MAX 65536 /* bytes, as in Secrets Manager */
#define FG_PARAMETER_MAX    8192  /* bytes, as an advanced parameter */

struct fg_vault_config {
        const char *db, *key;         /* paths; borrowed */
        const char *region, *account; /* of ARNs; borrowed */
};

/** fg_vault_open() - CONFLICT when the database was sealed with another key than the one in @key.
 */
int fg_vault_open(const struct fg_vault_config *config, struct fg_vault **ret,
                  struct fg_error *err);
void fg_vault_free(struct fg_vault *v);
FG_DEFINE_CLEANUP(struct fg_vault *, fg_vault_free)

/* ---- Secrets Manager; @id: a name, an ARN, or an ARN without the six characters at its end ----
 */

struct fg_secret_input { /* everything borrowed; NULL: absent */
        const char *id;
        const char *arn;     /* create: take its six characters; for definitions made for AWS */
        const char *version; /* the version's id; NULL: a new one */
        const char *description, *kms_key;
        struct json_object *tags;   /* array of {"Key","Value"} */
        struct json_object *stages; /* array of strings; NULL: AWSCURRENT */
        const char *value;          /* NULL: none */
        size_t len;
        bool binary;
};

/** fg_secret_name_check() - of a new one; INVALID. */
int fg_secret_name_check(const char *name, struct fg_error *err);
/** fg_secret_create() - {"ARN","Name","VersionId"} (no VersionId without a value). */
struct json_object *fg_secret_create(struct fg_vault *v, const struct fg_secret_input *in,
                                     struct fg_error *err);
/** fg_secret_put() - a new version: {"ARN","Name","VersionId","VersionStages"}. The same version
 * with the same value again is no error. */
struct json_object *fg_secret_put(struct fg_vault *v, const struct fg_secret_input *in,
                                  struct fg_error *err);
/** fg_secret_update() - description, key and value, what is given: {"ARN","Name"[,"VersionId"]}. */
struct json_object *fg_secret_update(struct fg_vault *v, const struct fg_secret_input *in,
                                     struct fg_error *err);
/** fg_secret_get() - the version with this id, and with this stage; both NULL: AWSCURRENT. */
struct json_object *fg_secret_get(struct fg_vault *v, const char *id, const char *version,
                                  const char *stage, struct fg_secret *ret_value, bool *ret_binary,
                                  struct fg_error *err);
struct json_object *fg_secret_describe(struct fg_vault *v, const char *id, struct fg_error *err);
struct fg_secret_staging { /* borrowed */
        const char *stage;
        const char *to, *from; /* ids of versions; NULL: none */
};
/** fg_secret_stage() - move a stage to a version, or take it from one: {"ARN","Name"}. */
struct json_object *fg_secret_stage(struct fg_vault *v, const char *id,
                                    const struct fg_secret_staging *staging, struct fg_error *err);
/** fg_secret_versions() - {"ARN","Name","Versions":[{"VersionId","VersionStages","CreatedDate"}]}:
 * at most @limit with an id behind @after; those without a stage only @with_unstaged. */
struct json_object *fg_secret_versions(struct fg_vault *v, const char *id, const char *after,
                                       unsigned limit, bool with_unstaged, struct fg_error *err);
/** fg_secret_list() - {"SecretList":[...]}: at most @limit with a name behind @after. */
struct json_object *fg_secret_list(struct fg_vault *v, const char *after, unsigned limit,
                                   bool with_deleted, struct fg_error *err);
/** fg_secret_delete() - {"ARN","Name","DeletionDate"}: in @days, or at once with 0. */
struct json_object *fg_secret_delete(struct fg_vault *v, const char *id, unsigned days,
                                     struct fg_error *err);
/** fg_secret_restore() - it is not to be deleted any more: {"ARN","Name"}. */
struct json_object *fg_secret_restore(struct fg_vault *v, const char *id, struct fg_error *err);

/* ---- Parameter Store; @id: a name or an ARN, for get also with ":VERSION" behind it ---- */

struct fg_parameter_input { /* borrowed; NULL: absent */
        const char *name, *type, *description, *kms_key, *pattern, *tier;
        struct json_object *tags;
        const char *value;
        size_t len;
        bool overwrite;
};

/** fg_parameter_name_check() - of a new one; INVALID. */
int fg_parameter_name_check(const char *name, struct fg_error *err);
/** fg_parameter_put() - {"Version","Tier"}. */
struct json_object *fg_parameter_put(struct fg_vault *v, const struct fg_parameter_input *in,
                                     struct fg_error *err);
/** fg_parameter_get() - {"Name","Type","Version","LastModifiedDate","ARN","DataType"}, "Selector"
 * when @id has one. A SecureString is opened only with @decrypt; without it its value is the sealed
 * bytes in base64. */
struct json_object *fg_parameter_get(struct fg_vault *v, const char *id, bool decrypt,
                                     struct fg_secret *ret_value, struct fg_error *err);
/** fg_parameter_list() - array of descriptions: names behind @after that begin with @prefix ("":
 * all) and hold @part, of @type (NULL: any); at most @limit. */
struct json_object *fg_parameter_list(struct fg_vault *v, const char *after, const char *prefix,
                                      const char *part, const char *type, unsigned limit,
                                      struct fg_error *err);
int fg_parameter_delete(struct fg_vault *v, const char *id, struct fg_error *err);

enum fg_value_kind { FG_VALUE_SECRET, FG_VALUE_PARAMETER };

/* ---- tags ---- */

struct fg_vault_tagging {         /* borrowed; NULL: none */
        struct json_object *set;  /* array of {"Key","Value"} */
        struct json_object *drop; /* array of keys */
};

/** fg_vault_tags() - array of {"Key","Value"}. */
struct json_object *fg_vault_tags(struct fg_vault *v, enum fg_value_kind kind, const char *id,
                                  struct fg_error *err);
int fg_vault_tag(struct fg_vault *v, enum fg_value_kind kind, const char *id,
                 const struct fg_vault_tagging *tagging, struct fg_error *err);

/* ---- valueFrom ---- */

struct fg_value_from { /* strings are owned; NULL: not said */
        enum fg_value_kind kind;
        char *id; /* ARN or name */
        char *json_key, *stage, *version;
};

/** fg_value_from_parse() - `secrets[].valueFrom` of a container definition. -1: INVALID. */
int fg_value_from_parse(const char *text, struct fg_value_from *ret, struct fg_error *err);
void fg_value_from_finish(struct fg_value_from *from);
/** fg_value_from_resolve() - the value, as text for an environment variable (no NUL in it). */
int fg_value_from_resolve(struct fg_vault *v, const char *text, struct fg_secret *ret,
                          struct fg_error *err);

/* ---- environment files ---- */

/** One line; strings are borrowed. Return: 0, or -1 to end with @err. */
typedef int (*fg_envfile_fn)(void *userdata, const char *name, size_t name_len, const char *value,
                             size_t value_len, struct fg_error *err);

#define FG_ENVFILE_MAX (256 * 1024) /* bytes */

/**
 * fg_envfile_parse() - the lines of a .env file as ECS reads them
 * NAME=VALUE, as it stands: no quotes, no escapes, no variables. Empty lines and lines that begin
 * with # are skipped. -1: INVALID with @what and the number of the line, never with its text.
 */
int fg_envfile_parse(const char *what, const char *text, size_t len, fg_envfile_fn fn,
                     void *userdata, struct fg_error *err);
/**
 * fg_envfile_locate() - "BUCKET/KEY" of an ARN of S3 that ends in .env, into @ret; caller frees
 * Return: 0, or -1: INVALID.
 */
int fg_envfile_locate(const char *arn, char **ret, struct fg_error *err);
/** fg_envfile_read() - the object below @root, whatever links lie in between: never outside. */
int fg_envfile_read(const char *root, const char *arn, struct fg_secret *ret, struct fg_error *err);
