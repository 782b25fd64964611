// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The files `_redirects` and `_headers` of static assets. In a pattern `*` is `:splat`, and `:name` one segment of a path; both may be used in
 * what it leads to.
 */

const DEFAULT_STATUS = 302;
const REWRITE = 200;

/** The lines of a file that say something. */
function linesOf(text) {
  return (text ?? "").split("\n").map((line) => line.trimEnd()).filter((line) => line.trim() && !line.trim().startsWith("#"));
}

/** `{path: value}` of what a pattern finds in a path, or null. */
function found(pattern, path) {
  const names = [];
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*|:[A-Za-z]\w*/g, (part) => {
    names.push(part === "*" ? "splat" : part.slice(1));
    return part === "*" ? "(.*)" : "([^/]+)";
  });
  const match = new RegExp(`^${source}$`).exec(path);
  return match && Object.fromEntries(names.map((name, position) => [name, match[position + 1]]));
}

function filled(template, values) {
  return template.replace(/:([A-Za-z]\w*)/g, (whole, name) => values[name] ?? whole);
}

/** Where `_redirects` sends a path, as `{status, to}`; a status of 200 means another file under the same address. The first line wins. */
export function redirected(text, path) {
  for (const line of linesOf(text)) {
    const [from, to, status = DEFAULT_STATUS] = line.trim().split(/\s+/);
    const values = to && found(from, path);
    if (values) return { status: Number(status), to: filled(to, values), rewrite: Number(status) === REWRITE };
  }
  return null;
}

/** The headers of a file after `_headers`: blocks of a pattern and indented `Name: value`, or `! Name` to take one away. All that fit apply. */
export function withHeaders(text, path, headers) {
  let values = null;
  for (const line of linesOf(text)) {
    if (!/^\s/.test(line)) {
      values = found(line.replace(/^https?:\/\/[^/]+/, ""), path);
    } else if (values && line.trim().startsWith("!")) {
      headers.delete(line.trim().slice(1).trim());
    } else if (values) {
      const [, name, value] = /^([^:]+):\s*(.*)$/.exec(line.trim()) ?? [];
      if (name) headers.append(name.trim(), filled(value, values));
    }
  }
  return headers;
}
