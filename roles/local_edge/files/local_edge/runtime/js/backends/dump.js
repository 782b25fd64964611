// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Export an SQLite database as statements that recreate it. */

/** Tables that are not the user's. */
const RESERVED = /^(_cf_|sqlite_(?!sequence$))/;

/** The statements, each in its order; `options` are those of the API: `{no_schema, no_data, tables}`, no tables meaning all. */
export function* dump(sql, { no_schema: bare, no_data: empty, tables = [] } = {}) {
  const isSelected = (name) => !tables.length || tables.includes(name);
  const query = "select name, sql from sqlite_schema where type = 'table' order by name = 'sqlite_sequence', rowid";
  const every = sql.exec(query).toArray().filter(({ name }) => isSelected(name) && !RESERVED.test(name));
  const virtual = every.find(({ sql: made }) => /^create virtual/i.test(made));
  if (virtual) throw new Error("D1 Export error: cannot export databases with Virtual Tables (fts5)");

  yield "PRAGMA defer_foreign_keys=TRUE;";
  for (const { name, sql: made } of every) {
    if (!bare) yield name === "sqlite_sequence" ? "DELETE FROM sqlite_sequence;" : `${made};`;
    if (!empty) yield* rows(sql, name);
  }
  if (bare) return;
  const rest = "select name, sql from sqlite_schema where type in ('index', 'trigger', 'view') and sql not null order by rowid";
  for (const { name, sql: made } of sql.exec(rest).toArray()) if (isSelected(name)) yield `${made};`;
}

/** The rows of a table. SQLite itself writes the values: JavaScript's numbers hold no 64 bits. */
function* rows(sql, table) {
  const columns = sql.exec(`pragma table_info(${quoted(table)})`).toArray().map(({ name }) => quoted(name));
  for (const values of sql.exec(`select ${columns.map(literal)} from ${quoted(table)}`).raw()) {
    yield `INSERT INTO ${quoted(table)} (${columns}) VALUES(${values});`;
  }
}

/** The expression of a column's value as a literal: a text with a zero character is none. */
function literal(column) {
  return `iif(typeof(${column}) = 'text' and instr(${column}, char(0)), 'CAST(X''' || hex(${column}) || ''' AS TEXT)', quote(${column}))`;
}

function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`;
}
