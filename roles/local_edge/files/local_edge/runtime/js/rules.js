// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Apply the rules of static assets: redirects, headers and globs of paths. */

/** Add a regular expression to each rule. Rules that use the name of a placeholder twice never apply. */
export function compileRules(rules) {
  return rules.flatMap((rule) => {
    try {
      return [{ ...rule, regExp: regExpOf(rule.pattern) }];
    } catch {
      return [];
    }
  });
}

/** `*` is captured as `splat`. `:name` captures one segment of a path or one label of a host. */
function regExpOf(pattern) {
  const [, host, path] = /^(https:\/\/[^/]*)?(.*)$/.exec(pattern);
  return new RegExp(`^${sourceOf(host ?? "", "[^/.]+")}${sourceOf(path, "[^/]+")}$`);
}

function sourceOf(text, segment) {
  const source = text.replace(/[^\w:*]/g, "\\$&").replaceAll("*", "(?<splat>.*)");
  const placeholders = [...source.matchAll(/:([A-Za-z]\w*)/g)];
  return placeholders.reduce(
    (text, [placeholder, name]) => text.replaceAll(placeholder, `(?<${name}>${segment})`),
    source,
  );
}

/** Return the values that a rule captures from a URL, null if it does not match. The scheme is ignored. */
function valuesOf({ pattern, regExp }, { hostname, pathname }) {
  const found = regExp.exec(pattern.startsWith("/") ? pathname : `https://${hostname}${pathname}`);
  return found && Object.entries(found.groups ?? {});
}

function expand(template, values) {
  return values.reduce((text, [name, value]) => text.replaceAll(`:${name}`, value), template);
}

/** Return the redirect of a URL as `{to, status}`, or undefined. */
export function redirectOf({ static: exact, dynamic }, url) {
  if (exact[url.pathname]) return exact[url.pathname];
  for (const rule of dynamic) {
    const values = valuesOf(rule, url);
    if (values) return { to: targetOf(rule.to, values), status: rule.status };
  }
  return undefined;
}

/** Expand a target. Double slashes in a path are merged, so that a captured value cannot change the host. */
function targetOf(template, values) {
  const target = expand(template, values).trim();
  if (/^(\w+:\/\/|\/\/[^/\\\s?#])/.test(template)) return target;
  const [path] = /^[^?#]*/.exec(target);
  return path.replace(/[/\\]+/g, "/") + target.slice(path.length);
}

/** Apply the rules that match a URL. The first rule that sets a header replaces it, others append to it. */
export function withRules(rules, url, headers) {
  const set = new Set();
  for (const rule of rules) {
    const values = valuesOf(rule, url);
    if (!values) continue;
    for (const name of rule.unset) headers.delete(name);
    for (const [name, value] of Object.entries(rule.set)) {
      headers[set.has(name) ? "append" : "set"](name, expand(value, values));
      set.add(name);
    }
  }
  return headers;
}

/** Return a function that tests a path against globs. */
export function globs(patterns) {
  const sources = patterns.map((pattern) => pattern.replace(/[^\w*]/g, "\\$&").replaceAll("*", ".*"));
  const regExp = new RegExp(`^(?:${sources.join("|")})$`);
  return (path) => sources.length > 0 && regExp.test(path);
}
