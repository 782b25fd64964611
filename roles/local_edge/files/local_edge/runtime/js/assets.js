// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Static assets: which file answers a path, and how. `files` is `{path: hash}`, as the manifest of the upload had it. */
import { redirected, withHeaders } from "./rules.js";

/** By `html_handling`: the path under which a page without its `.html` is visited, if it is an index or not. */
const PAGES = {
  "auto-trailing-slash": (base, isIndex) => (isIndex ? `${base}/` : base),
  "force-trailing-slash": (base) => `${base}/`,
  "drop-trailing-slash": (base) => base || "/",
};

/** The tables of each manifest: made once for a definition, and gone with it. */
const tables = new WeakMap();

/** `{path: file}` of all paths that answer, for these files under this configuration. */
function tableOf(assets) {
  let table = tables.get(assets);
  if (!table) {
    const page = PAGES[assets.config.html_handling ?? "auto-trailing-slash"];
    table = new Map(Object.keys(assets.files).map((file) => [page && file.endsWith(".html") ? page(baseOf(file), file.endsWith("/index.html")) : file, file]));
    tables.set(assets, table);
  }
  return table;
}

/** A path without what may be left out of it: `/a.html`, `/a/index.html`, `/a/` and `/a` are one. */
function baseOf(path) {
  return path.replace(/(\/index)?(\.html)?$/, "").replace(/\/$/, "");
}

/** Whether the Worker is asked before the files. */
export function workerFirst({ config }, pathname) {
  const rules = config.run_worker_first ?? false;
  if (!Array.isArray(rules)) return rules;
  const fits = (rule) => new RegExp(`^${rule.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`).test(pathname);
  return rules.some((rule) => !rule.startsWith("!") && fits(rule)) && !rules.some((rule) => rule.startsWith("!") && fits(rule.slice(1)));
}

/** The answer of the files, or null where none of them is meant. */
export async function answer(definition, request, env) {
  const { assets } = definition;
  const url = new URL(request.url);
  const rule = redirected(assets.config._redirects, url.pathname);
  if (rule && !rule.rewrite) {
    const search = rule.to.includes("?") ? "" : url.search;
    return new Response(null, { status: rule.status, headers: { location: rule.to + search } });
  }
  const path = decoded(rule?.to ?? url.pathname);
  const table = tableOf(assets);
  if (table.has(path)) return respond(definition, table.get(path), request, env);
  const base = baseOf(path);
  const elsewhere = [base || "/", `${base}/`].find((each) => each !== path && table.has(each));
  if (!elsewhere || assets.config.html_handling === "none") return null;
  return new Response(null, { status: 307, headers: { location: encodeURI(elsewhere) + url.search } });
}

/** What is answered where neither a file nor a Worker did. */
export async function notFound(definition, request, env) {
  const { files, config } = definition.assets;
  if (config.not_found_handling === "single-page-application" && files["/index.html"]) return respond(definition, "/index.html", request, env);
  if (config.not_found_handling === "404-page") {
    const parts = decoded(new URL(request.url).pathname).split("/").slice(0, -1);
    for (; parts.length; parts.pop()) {
      const page = `${parts.join("/")}/404.html`;
      if (files[page]) return respond(definition, page, request, env, 404);
    }
  }
  return new Response(null, { status: 404 });
}

function decoded(pathname) {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

async function respond({ account, namespace, assets }, file, request, env, status = 200) {
  if (!["GET", "HEAD"].includes(request.method)) return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  const hash = assets.files[file];
  const etag = `"${hash}"`;
  const plain = new Headers({ etag, "cache-control": "public, max-age=0, must-revalidate" });
  const headers = withHeaders(assets.config._headers, new URL(request.url).pathname, plain);
  if (status === 200 && request.headers.get("if-none-match")?.includes(etag)) return new Response(null, { status: 304, headers });
  const found = await env.CONTROL.fetch(`http://control/asset/${account}/${encodeURIComponent(namespace)}/${hash}`);
  if (!found.ok) throw new Error(`the control plane answered ${found.status} about the asset ${file}`);
  const type = found.headers.get("content-type");
  if (type && !headers.has("content-type")) headers.set("content-type", type);
  return new Response(request.method === "HEAD" ? null : found.body, { status, headers });
}
