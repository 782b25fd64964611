// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** D1 databases: each is an internal Durable Object with an SQLite database. */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { fetchFromControl } from "../control.js";
import { dump } from "./dump.js";
import { registerStorage } from "./objects.js";

export const KIND = "d1";

/** The header with the bookmark of a session, in requests and responses. */
const BOOKMARK = "x-cf-d1-session-commit-token";
/** Bytes of the longest string or blob, and of the longest statement. */
const MAX_VALUE = 2_000_000;
const MAX_STATEMENT = 100_000;
/** Pragmas that end with the transaction on Cloudflare. The runtime keeps them while the database is open. */
const TRANSACTION_PRAGMAS = [
  "case_sensitive_like",
  "ignore_check_constraints",
  "legacy_alter_table",
  "recursive_triggers",
  "reverse_unordered_selects",
];
/** The runtime's message for a deferred constraint that is violated at the end of a transaction. */
const RESET_PREFIX = /^Durable Object was reset.* constraints were violated: /;
const FOREIGN_KEY_ERROR = "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";
/** Characters to run, or statements to write, before other requests get a turn. A blocked runtime is killed. */
const CHUNK_CHARS = 50_000;
const ROWS_PER_TURN = 500;

/** Return the database with an id. */
export function databaseOf(env, id) {
  return env.DATABASES.get(env.DATABASES.idFromName(id));
}

/** Call a method of a database: `run`, `import` or `export`. */
export async function callDatabase(env, id, method, ...args) {
  try {
    return await databaseOf(env, id)[method](id, ...args);
  } catch (error) {
    throw new Error(error.message.replace(RESET_PREFIX, ""));
  }
}

/** The backend of a binding: both protocols of the runtime's own D1 class. */
export class D1 extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/dump") {
      return Response.json({ error: "Only databases of D1's alpha period can be dumped." }, { status: 400 });
    }
    const queries = await request.json();
    const session = request.headers.get(BOOKMARK);
    try {
      const { results, bookmark } = await this.#run([queries].flat(), session);
      const shaped = results.map((result) => shapedAs(searchParams.get("resultsFormat"), result));
      return Response.json(Array.isArray(queries) ? shaped : shaped[0], {
        headers: session ? { [BOOKMARK]: bookmark } : {},
      });
    } catch (error) {
      return Response.json({ success: false, error: error.message });
    }
  }

  /** Serve the RPC protocol, for Workers with the flag `d1_binding_jsrpc`. */
  async query({ queries, bookmark: session }) {
    const { results, ...marked } = await this.#run(queries, session);
    return {
      results: results.map(({ columns, rows, meta }) => ({ meta, data: { kind: "raw", columns, rows } })),
      ...marked,
    };
  }

  #run(queries, session) {
    return callDatabase(this.env, this.ctx.props.id, "run", queries, Boolean(session));
  }
}

/** Return the result of a statement with rows as lists or as objects. */
function shapedAs(format, { columns, rows, meta }) {
  const objects = () => rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
  return { success: true, results: format === "ROWS_AND_COLUMNS" ? { columns, rows } : objects(), meta };
}

export class Database extends DurableObject {
  #registered = this.ctx.storage.kv.get("registered");
  #wiped = false;

  /**
   * Run statements `{sql, params}` in one transaction. Return `{results: [{columns, rows, meta}], bookmark}`, the
   * bookmark only if `marked`.
   */
  async run(id, queries, marked) {
    await this.#check(id);
    const { storage } = this.ctx;
    const statements = queries.filter(({ sql }) => !isBlank(sql));
    if (!statements.length) throw new Error("No SQL statements detected.");
    let results;
    try {
      results = storage.transactionSync(() => statements.map(({ sql, params }) => this.#statement(sql, params ?? [])));
    } finally {
      if (statements.some(({ sql }) => /pragma/i.test(sql))) this.#resetPragmas();
    }
    return { results, ...(marked && { bookmark: await storage.getCurrentBookmark() }) };
  }

  /** Run the statements of a file in one transaction. Return `{num_queries, final_bookmark, meta}`. */
  async import(id, file) {
    await this.#check(id);
    const { storage } = this.ctx;
    const text = await (await fetchFromControl(this.env, `/file/${file}`)).text();
    const total = { num_queries: 0, rows_read: 0, rows_written: 0 };
    const count = ({ statementCount = 1, rowsRead, rowsWritten }) => {
      total.num_queries += statementCount;
      total.rows_read += rowsRead;
      total.rows_written += rowsWritten;
    };
    const done = this.#watch();
    const ingest = async () => {
      let rest = "";
      for (let begin = 0, end; begin < text.length; begin = end) {
        end = text.indexOf(";", begin + CHUNK_CHARS) + 1 || text.length;
        const ingested = storage.sql.ingest(rest + text.slice(begin, end));
        count(ingested);
        rest = ingested.remainder;
        if (rest.length > MAX_STATEMENT) throw new Error("statement too long: SQLITE_TOOBIG");
        await scheduler.wait(0);
      }
      if (!isBlank(rest)) count(toEnd(storage.sql.exec(rest)));
      if (storage.sql.exec("pragma foreign_key_check").toArray().length) throw new Error(FOREIGN_KEY_ERROR);
    };
    await storage.transaction(ingest).finally(() => this.#resetPragmas());
    const { num_queries, ...rows } = total;
    return { num_queries, meta: { ...done(), ...rows }, final_bookmark: await storage.getCurrentBookmark() };
  }

  /** Write the database to a file of statements, see `dump`. Return its bookmark. */
  async export(id, file, options) {
    await this.#check(id);
    const { storage } = this.ctx;
    const statements = [];
    await storage.transaction(async () => {
      for (const statement of dump(storage.sql, options)) {
        if (statements.push(statement) % ROWS_PER_TURN === 0) await scheduler.wait(0);
      }
    });
    await fetchFromControl(this.env, `/file/${file}`, { method: "PUT", body: statements.join("\n") });
    return storage.getCurrentBookmark();
  }

  async wipe() {
    this.#wiped = true;
    await this.ctx.storage.deleteAll();
  }

  /** Register the database with the control plane, once. Throw if it was deleted. */
  async #check(id) {
    const registered =
      this.#registered || (await this.ctx.blockConcurrencyWhile(() => registerStorage(this.env, KIND, id)));
    if (!registered || this.#wiped) throw new Error("The database could not be found");
    if (!this.#registered) this.ctx.storage.kv.put("registered", (this.#registered = true));
  }

  /** Reset pragmas, which must not outlive their transaction. */
  #resetPragmas() {
    for (const name of TRANSACTION_PRAGMAS) this.ctx.storage.sql.exec(`pragma ${name} = off`);
  }

  #statement(sql, params) {
    const done = this.#watch();
    const cursor = this.ctx.storage.sql.exec(sql, ...params.map(bound));
    const rows = [...cursor.raw()].map((row) =>
      row.map((value) => (value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value)),
    );
    return {
      columns: cursor.columnNames,
      rows,
      meta: { ...done(), rows_read: cursor.rowsRead, rows_written: cursor.rowsWritten },
    };
  }

  /** Start counting changes. Return a function that returns those since then as `meta`. */
  #watch() {
    const { sql } = this.ctx.storage;
    const readCounters = () => sql.exec("select total_changes() as changes, last_insert_rowid() as last").one();
    const before = { ...readCounters(), size: sql.databaseSize, time: performance.now() };
    return () => {
      const duration = performance.now() - before.time;
      const after = readCounters();
      const changes = after.changes - before.changes;
      const size = sql.databaseSize;
      return {
        served_by: "local-edge",
        served_by_colo: "LCL",
        served_by_primary: true,
        timings: { sql_duration_ms: duration },
        duration,
        changes,
        last_row_id: after.last,
        changed_db: changes > 0 || after.last !== before.last || size !== before.size,
        size_after: size,
        total_attempts: 1,
      };
    };
  }
}

/** Return whether a text has only comments. Comment signs in literals do not matter, since a keyword precedes them. */
function isBlank(sql) {
  return !/[^\s;]/.test(sql.replace(/--.*|\/\*[^]*?\*\//g, ""));
}

/** Return the cursor of a finished statement. */
function toEnd(cursor) {
  cursor.toArray();
  return cursor;
}

/** Return a parameter for SQLite. Bytes are received as lists of numbers. */
function bound(value) {
  const plain = Array.isArray(value) ? new Uint8Array(value) : typeof value === "boolean" ? Number(value) : value;
  const size = typeof plain === "string" ? new TextEncoder().encode(plain).length : (plain?.byteLength ?? 0);
  if (size > MAX_VALUE) throw new Error("string or blob too big: SQLITE_TOOBIG");
  return plain;
}
