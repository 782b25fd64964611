// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Resolve paths to files of static assets. */

/**
 * A page is a leaf (`base.html`) or a folder (`base/index.html`). By `html_handling`: the suffix of its canonical path,
 * and the candidates for a path that ends in `.html`, in order.
 */
const HANDLINGS = {
  "auto-trailing-slash": { leaf: "", folder: "/", html: ["leaf", "folder"] },
  "force-trailing-slash": { leaf: "/", folder: "/", html: ["leaf", "itself", "folder"] },
  "drop-trailing-slash": { leaf: "", folder: "", html: ["leaf", "folder"] },
};
const NAMES = { leaf: ".html", folder: "/index.html" };

/** The candidates for a path, in order, by the suffix after its base. `itself` is the file with the same name. */
const candidatesBySuffix = ({ html }) => [
  ["/index.html", ["folder", "itself", "leaf"]],
  ["/index", ["itself", "folder", "leaf"]],
  ["/", ["folder", "leaf"]],
  [".html", html],
  ["", ["itself", "leaf", "folder"]],
];

/** The fallback for a missing file, by `not_found_handling`. */
const FALLBACKS = {
  "none": () => null,
  "single-page-application": (_path, { files }) => files["/index.html"] && { file: files["/index.html"] },
  "404-page": (path, { files }) => {
    for (const folders = path.split("/").slice(0, -1); folders.length; folders.pop()) {
      const file = files[`${folders.join("/")}/404.html`];
      if (file) return { file, status: 404 };
    }
    return null;
  },
};

/** Return whether a path is the base path of assets or below it. */
export function isWithin(path, { base_path: base }) {
  return `${path}/`.startsWith(base);
}

/** Resolve a path to `{file, status}`, to the `{address}` of a redirect, or to null. */
export function resolvePath(path, assets, { isRewritten, useFallback }) {
  if (!isWithin(path, assets)) return null;
  const prefix = assets.base_path.slice(0, -1);
  const inner = path.slice(prefix.length) || "/";
  const root = isRewritten ? null : rootOf(assets);
  if (root && inner === "/" && path !== root) return { address: root };
  const found = pageOf(inner, assets) ?? (useFallback ? FALLBACKS[assets.not_found_handling](inner, assets) : null);
  return found?.address ? { address: prefix + found.address } : found;
}

/** Return the canonical path of the page at the base path, null if there is no page or the base path is the root. */
function rootOf({ base_path: base, html_handling, files }) {
  const handling = HANDLINGS[html_handling];
  return base !== "/" && handling && files["/index.html"] ? base.slice(0, -1) + handling.folder : null;
}

/** Return the `{file}` that is served at a path, or the `{address}` of its canonical path. */
function pageOf(path, assets, redirects = true) {
  const { files } = assets;
  for (const { name, address } of candidates(path, assets)) {
    const file = files[name];
    if (!file) continue;
    if (address === path) return { file };
    if (redirects && !files[address] && pageOf(address, assets, false)?.file.hash === file.hash) return { address };
  }
  return null;
}

/** Return the candidates for a path, in order: the name of each file and its canonical path. */
function candidates(path, { html_handling }) {
  const itself = { name: path, address: path };
  const handling = HANDLINGS[html_handling];
  if (!handling) return [itself];
  const all = candidatesBySuffix(handling);
  return [all.find(([suffix]) => path.endsWith(suffix)), all.at(-1)].flatMap(([suffix, kinds]) => {
    const base = path.slice(0, path.length - suffix.length);
    return kinds.map((kind) =>
      kind === "itself" ? itself : { name: base + NAMES[kind], address: base + handling[kind] || "/" },
    );
  });
}
