# SPDX-License-Identifier: Apache-2.0
"""The web tier of two-tier.json: counts visits in PostgreSQL."""

import http.server

import psycopg2


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with database, database.cursor() as cursor:
            cursor.execute("INSERT INTO visit (path) VALUES (%s) RETURNING id", (self.path,))
            body = f"visit {cursor.fetchone()[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# The containers of a task share its network: the database is on the loopback.
database = psycopg2.connect(host="localhost", user="postgres")
with database, database.cursor() as table:
    table.execute("CREATE TABLE IF NOT EXISTS visit (id serial PRIMARY KEY, path text NOT NULL)")
http.server.HTTPServer(("", 8000), Handler).serve_forever()
