// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The rules of static assets: where redirects lead, which headers an answer gets, which paths a glob means. */

/** Rules, each with what finds its values in a URL. One that gives two values the same name never applies. */
export function compiled(rules) {
  return rules.flatMap((rule) => {
    try {
      return [{ ...rule, regExp: regExpOf(rule.pattern) }];
    } catch {
      return [];
    }
  });
}

/** `*` is the value `splat`; `:name` is one segment of a path, or one label of a host. */
function regExpOf(pattern) {
  const [, host, path] = /^(https:\/\/[^/]*)?(.*)$/.exec(pattern);
  return new RegExp(`^${sourceOf(host ?? "", "[^/.]+")}${sourceOf(path, "[^/]+")}$`);
}

function sourceOf(text, segment) {
  const source = text.replace(/[^\w:*]/g, "\\$&").replaceAll("*", "(?<splat>.*)");
  return [...source.matchAll(/:([A-Za-z]\w*)/g)].reduce((whole, [placeholder, name]) => whole.replaceAll(placeholder, `(?<${name}>${segment})`), source);
}

/** The values that a rule finds in a URL, or null where it does not fit. The scheme of a pattern says nothing. */
function valuesOf({ pattern, regExp }, { hostname, pathname }) {
  const found = regExp.exec(pattern.startsWith("/") ? pathname : `https://${hostname}${pathname}`);
  return found && Object.entries(found.groups ?? {});
}

function filled(template, values) {
  return values.reduce((text, [name, value]) => text.replaceAll(`:${name}`, value), template);
}

/** Where a URL is redirected, as `{to, status}`, or undefined. */
export function redirectOf({ static: exact, dynamic }, url) {
  if (exact[url.pathname]) return exact[url.pathname];
  for (const rule of dynamic) {
    const values = valuesOf(rule, url);
    if (values) return { to: targetOf(rule.to, values), status: rule.status };
  }
  return undefined;
}

/** A path that is led to has no doubled slashes, with which a value could make another host of it. */
function targetOf(template, values) {
  const target = filled(template, values).trim();
  if (/^(\w+:\/\/|\/\/[^/\\\s?#])/.test(template)) return target;
  const [path] = /^[^?#]*/.exec(target);
  return path.replace(/[/\\]+/g, "/") + target.slice(path.length);
}

/** Headers after the rules that fit a URL: the first to set one replaces it, others add to it. */
export function withRules(rules, url, headers) {
  const set = new Set();
  for (const rule of rules) {
    const values = valuesOf(rule, url);
    if (!values) continue;
    for (const name of rule.unset) headers.delete(name);
    for (const [name, value] of Object.entries(rule.set)) {
      headers[set.has(name) ? "append" : "set"](name, filled(value, values));
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
