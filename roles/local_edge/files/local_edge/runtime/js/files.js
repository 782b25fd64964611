// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Which file of static assets a path means. */

/**
 * A page has one of two names: `base.html` is a leaf, `base/index.html` a folder. By `html_handling`: how the address of each goes on after its
 * base, and what a path that ends in `.html` may mean, in turn.
 */
const HANDLINGS = {
  "auto-trailing-slash": { leaf: "", folder: "/", html: ["leaf", "folder"] },
  "force-trailing-slash": { leaf: "/", folder: "/", html: ["leaf", "itself", "folder"] },
  "drop-trailing-slash": { leaf: "", folder: "", html: ["leaf", "folder"] },
};
const NAMES = { leaf: ".html", folder: "/index.html" };

/** What a path may mean, in turn, by what it ends in after its base; `itself` is the file of just this name. */
const turns = ({ html }) => [
  ["/index.html", ["folder", "itself", "leaf"]],
  ["/index", ["itself", "folder", "leaf"]],
  ["/", ["folder", "leaf"]],
  [".html", html],
  ["", ["itself", "leaf", "folder"]],
];

/** By `not_found_handling`: what stands in for a file that is not there. */
const STAND_INS = {
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

/** Whether a path is the base path of assets, or below it. */
export function isWithin(path, { base_path: base }) {
  return `${path}/`.startsWith(base);
}

/** What a path means: `{file, status}`, or the `{address}` where that is; null where it means nothing. */
export function meaningOf(path, assets, { isRewritten, standIn }) {
  if (!isWithin(path, assets)) return null;
  const prefix = assets.base_path.slice(0, -1);
  const inner = path.slice(prefix.length) || "/";
  const root = isRewritten ? null : rootOf(assets);
  if (root && inner === "/" && path !== root) return { address: root };
  const found = pageOf(inner, assets) ?? (standIn ? STAND_INS[assets.not_found_handling](inner, assets) : null);
  return found?.address ? { address: prefix + found.address } : found;
}

/** Where the page of a base path is; null where there is none, or no such path. */
function rootOf({ base_path: base, html_handling, files }) {
  const handling = HANDLINGS[html_handling];
  return base !== "/" && handling && files["/index.html"] ? base.slice(0, -1) + handling.folder : null;
}

/** The `{file}` that is served at a path, or the `{address}` where the one that it means is. */
function pageOf(path, assets, redirects = true) {
  const { files } = assets;
  for (const { name, address } of meanings(path, assets)) {
    const file = files[name];
    if (!file) continue;
    if (address === path) return { file };
    if (redirects && !files[address] && pageOf(address, assets, false)?.file.hash === file.hash) return { address };
  }
  return null;
}

/** What a path may mean, in turn: names of files, and the address where each is served. */
function meanings(path, { html_handling }) {
  const itself = { name: path, address: path };
  const handling = HANDLINGS[html_handling];
  if (!handling) return [itself];
  const all = turns(handling);
  return [all.find(([end]) => path.endsWith(end)), all.at(-1)].flatMap(([end, kinds]) => {
    const base = path.slice(0, path.length - end.length);
    return kinds.map((kind) => (kind === "itself" ? itself : { name: base + NAMES[kind], address: base + handling[kind] || "/" }));
  });
}
