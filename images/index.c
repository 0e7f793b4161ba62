/* SPDX-License-Identifier: Apache-2.0 */
#include "images/index.h"

#include <string.h>

#include "core/db.h"
#include "core/str.h"
#include "images/blobstore.h"
#include "images/prepare.h"

static const char *const migrations[] = {
        "CREATE TABLE images ("
        "  manifest TEXT PRIMARY KEY, config TEXT NOT NULL, size INTEGER NOT NULL,"
        "  layers INTEGER NOT NULL, pulled_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL) STRICT;"
        "CREATE TABLE blobs ("
        "  manifest TEXT NOT NULL REFERENCES images ON DELETE CASCADE, digest TEXT NOT NULL,"
        "  PRIMARY KEY (manifest, digest)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE names ("
        "  reference TEXT PRIMARY KEY,"
        "  manifest TEXT NOT NULL REFERENCES images ON DELETE CASCADE) STRICT;"
        "CREATE INDEX names_manifest ON names (manifest);",
        "ALTER TABLE images ADD COLUMN prepared TEXT;" /* digest of a blob, "" when impossible */
        "ALTER TABLE images ADD COLUMN prepared_version INTEGER;"
        "ALTER TABLE images ADD COLUMN unprepared_why TEXT;",
        "ALTER TABLE images ADD COLUMN prepared_stamp TEXT;", /* fg_stamp() of that blob */
        NULL,
};

int fg_index_open(const char *dir, sqlite3 **ret, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/images.db", dir);

        return fg_db_open(path, migrations, ret, err);
}

static int load_blobs(sqlite3 *db, struct fg_stored *image, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        size_t cap = 0;
        int r;

        if (fg_db_prepare(db, &stmt, err, "SELECT digest FROM blobs WHERE manifest = ?", "s",
                          image->manifest) < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) > 0) {
                if (image->n_blobs == cap) {
                        cap = cap ? cap * 2 : 16;
                        image->blobs = reallocarray(image->blobs, cap, sizeof(*image->blobs));
                        if (!image->blobs)
                                abort();
                }
                (void)snprintf(image->blobs[image->n_blobs++], sizeof(*image->blobs), "%s",
                               fg_db_text(stmt, 0));
        }
        return r;
}

/* What another version of the preparer made, or what got lost, is made again. */
static void load_prepared(sqlite3_stmt *stmt, const struct fg_catalog *c, struct fg_stored *image)
{
        const char *digest = fg_db_text(stmt, 6), *why = fg_db_text(stmt, 7);

        if (!sqlite3_column_int(stmt, 8))
                return;
        if (digest && fg_catalog_has_blob(c, digest)) {
                (void)snprintf(image->prepared, sizeof(image->prepared), "%s", digest);
                (void)snprintf(image->stamp, sizeof(image->stamp), "%s", fg_db_text(stmt, 9));
        } else if (why && why[0])
                image->unprepared_why = fg_strdup(why);
}

static int load_images(sqlite3 *db, struct fg_catalog *c, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT manifest, config, size, layers, pulled_ns, used_ns, prepared,"
                          " unprepared_why, prepared_version = ?, prepared_stamp FROM images",
                          "i", (int64_t)FG_PREPARE_VERSION) < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) > 0) {
                fg_cleanup(fg_stored_freep) struct fg_stored *image = fg_calloc(1, sizeof(*image));

                (void)snprintf(image->manifest, sizeof(image->manifest), "%s", fg_db_text(stmt, 0));
                (void)snprintf(image->config, sizeof(image->config), "%s", fg_db_text(stmt, 1));
                image->size = (uint64_t)sqlite3_column_int64(stmt, 2);
                image->layers = (unsigned)sqlite3_column_int(stmt, 3);
                image->pulled_ns = (uint64_t)sqlite3_column_int64(stmt, 4);
                image->used_ns = (uint64_t)sqlite3_column_int64(stmt, 5);
                load_prepared(stmt, c, image);
                if (load_blobs(db, image, err) < 0)
                        return -1;
                if (image->n_blobs > 0 && fg_catalog_complete(c, image))
                        (void)fg_catalog_add(c, fg_take_ptr(image));
                else if (fg_index_drop(db, image->manifest, err) < 0)
                        return -1;
        }
        return r;
}

int fg_index_load(sqlite3 *db, struct fg_catalog *c, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (load_images(db, c, err) < 0 ||
            fg_db_prepare(db, &stmt, err, "SELECT reference, manifest FROM names", "") < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) > 0) {
                struct fg_stored *image = fg_catalog_image(c, fg_db_text(stmt, 1));

                if (image)
                        (void)fg_catalog_name(c, fg_db_text(stmt, 0), image);
        }
        return r;
}

static int put(sqlite3 *db, const char *reference, const struct fg_stored *image,
               struct fg_error *err)
{
        if (fg_db_run(db, err,
                      "INSERT INTO images (manifest, config, size, layers, pulled_ns, used_ns)"
                      " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (manifest)"
                      " DO UPDATE SET pulled_ns = excluded.pulled_ns, used_ns = excluded.used_ns",
                      "ssiiii", image->manifest, image->config, (int64_t)image->size,
                      (int64_t)image->layers, (int64_t)image->pulled_ns,
                      (int64_t)image->used_ns) < 0)
                return -1;
        for (size_t i = 0; i < image->n_blobs; i++)
                if (fg_db_run(db, err, "INSERT OR IGNORE INTO blobs VALUES (?, ?)", "ss",
                              image->manifest, image->blobs[i]) < 0)
                        return -1;
        return fg_db_run(db, err,
                         "INSERT INTO names VALUES (?, ?) ON CONFLICT (reference)"
                         " DO UPDATE SET manifest = excluded.manifest",
                         "ss", reference, image->manifest);
}

int fg_index_put(sqlite3 *db, const char *reference, const struct fg_stored *image,
                 struct fg_error *err)
{
        if (fg_db_exec(db, "BEGIN IMMEDIATE", err) < 0)
                return -1;
        if (put(db, reference, image, err) < 0 || fg_db_exec(db, "COMMIT", err) < 0) {
                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
                return -1;
        }
        return 0;
}

int fg_index_prepared(sqlite3 *db, const char *manifest, const struct fg_adopted *blob,
                      const char *why, struct fg_error *err)
{
        return fg_db_run(db, err,
                         "UPDATE images SET prepared = ?, prepared_stamp = ?, unprepared_why = ?,"
                         " prepared_version = ? WHERE manifest = ?",
                         "sssis", blob->digest, blob->stamp, why, (int64_t)FG_PREPARE_VERSION,
                         manifest) < 0
                       ? -1
                       : 0;
}

int fg_index_touch(sqlite3 *db, const char *manifest, uint64_t used_ns, struct fg_error *err)
{
        return fg_db_run(db, err, "UPDATE images SET used_ns = ? WHERE manifest = ?", "is",
                         (int64_t)used_ns, manifest) < 0
                       ? -1
                       : 0;
}

int fg_index_unname(sqlite3 *db, const char *reference, struct fg_error *err)
{
        return fg_db_run(db, err, "DELETE FROM names WHERE reference = ?", "s", reference) < 0 ? -1
                                                                                               : 0;
}

int fg_index_drop(sqlite3 *db, const char *manifest, struct fg_error *err)
{
        return fg_db_run(db, err, "DELETE FROM images WHERE manifest = ?", "s", manifest) < 0 ? -1
                                                                                              : 0;
}
