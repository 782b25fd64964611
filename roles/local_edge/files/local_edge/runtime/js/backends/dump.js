// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Export an SQLite database as statements that recreate it. */

/** Internal tables. */
const RESERVED = /^(_cf_|sqlite_(?!sequence$))/;

/** Yield the statements. `options` are those of the API: `{no_schema, no_data, tables}`, all tables by default. */
export function* dump(sql, { no_schema: bare, no_data: empty, tables = [] } = {}) {
  const isSelected = (name) => !tables.length || tables.includes(name);
  const query = "select name, sql from sqlite_schema where type = 'table' order by name = 'sqlite_sequence', rowid";
  const every = sql
    .exec(query)
    .toArray()
    .filter(({ name }) => isSelected(name) && !RESERVED.test(name));
  const virtual = every.find(({ sql: made }) => /^create virtual/i.test(made));
  if (virtual) throw new Error("D1 Export error: cannot export databases with Virtual Tables (fts5)");

  yield "PRAGMA defer_foreign_keys=TRUE;";
  for (const { name, sql: made } of every) {
    if (!bare) yield name === "sqlite_sequence" ? "DELETE FROM sqlite_sequence;" : `${made};`;
    if (!empty) yield* rows(sql, name);
  }
  if (bare) return;
  const rest =
    "select name, sql from sqlite_schema where type in ('index', 'trigger', 'view') and sql not null order by rowid";
  for (const { name, sql: made } of sql.exec(rest).toArray()) if (isSelected(name)) yield `${made};`;
}

/** Yield the rows of a table. SQLite formats the values, since JavaScript's numbers lose 64-bit precision. */
function* rows(sql, table) {
  const columns = sql
    .exec(`pragma table_info(${quoted(table)})`)
    .toArray()
    .map(({ name }) => quoted(name));
  for (const values of sql.exec(`select ${columns.map(literal)} from ${quoted(table)}`).raw()) {
    yield `INSERT INTO ${quoted(table)} (${columns}) VALUES(${values});`;
  }
}

/** Return the SQL expression of a column's value as a literal. Texts with a zero character are in hexadecimal. */
function literal(column) {
  const hexadecimal = `'CAST(X''' || hex(${column}) || ''' AS TEXT)'`;
  return `iif(typeof(${column}) = 'text' and instr(${column}, char(0)), ${hexadecimal}, quote(${column}))`;
}

function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`;
}
