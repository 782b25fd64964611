// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** D1 databases: each is a Durable Object of the edge's own with an SQLite database. */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { announce } from "./objects.js";

export const KIND = "d1";

/** The database of an id. */
export function databaseOf(env, id) {
  return env.DATABASES.get(env.DATABASES.idFromName(id));
}

/** What a binding reaches: the protocol that the runtime's own class of D1 bindings speaks. */
export class D1 extends WorkerEntrypoint {
  async fetch(request) {
    const queries = await request.json();
    const rows = new URL(request.url).searchParams.get("resultsFormat");
    const { id } = this.ctx.props;
    try {
      const results = await databaseOf(this.env, id).run(id, [queries].flat());
      const shaped = results.map((result) => shapedAs(rows, result));
      return Response.json(Array.isArray(queries) ? shaped : shaped[0]);
    } catch (error) {
      return Response.json({ success: false, error: error.message }, { status: 500 });
    }
  }
}

/** The result of a statement in a format: rows under their columns, objects, or nothing. */
export function shapedAs(format, { columns, rows, meta }) {
  const objects = () => rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
  const results = { NONE: () => [], ROWS_AND_COLUMNS: () => ({ columns, rows }) }[format] ?? objects;
  return { success: true, results: results(), meta };
}

export class Database extends DurableObject {
  #known = this.ctx.storage.kv.get("known");

  /** Run `{sql, params}` one after the other, all or none; of each `{columns, rows, meta}`. */
  async run(id, queries) {
    if (!this.#known) {
      await announce(this.env, KIND, id);
      this.ctx.storage.kv.put("known", (this.#known = true));
    }
    return this.ctx.storage.transactionSync(() => queries.map(({ sql, params = [] }) => this.#statement(sql, params)));
  }

  async wipe() {
    await this.ctx.storage.deleteAll();
    this.#known = false;
  }

  #statement(sql, params) {
    const database = this.ctx.storage.sql;
    const counted = () => database.exec("select total_changes() as changes").one().changes;
    const before = counted();
    const size = database.databaseSize;
    const begin = performance.now();
    const cursor = database.exec(sql, ...params.map((value) => (Array.isArray(value) ? new Uint8Array(value) : value)));
    const rows = [...cursor.raw()].map((row) => row.map((value) => (value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value)));
    const duration = performance.now() - begin;
    const changes = counted() - before;
    return {
      columns: cursor.columnNames,
      rows,
      meta: {
        served_by: "local-edge",
        duration,
        changes,
        last_row_id: database.exec("select last_insert_rowid() as id").one().id,
        changed_db: changes > 0 || database.databaseSize !== size,
        size_after: database.databaseSize,
        rows_read: cursor.rowsRead,
        rows_written: cursor.rowsWritten,
      },
    };
  }
}
