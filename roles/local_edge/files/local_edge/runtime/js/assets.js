// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Serve static assets, and decide when the Worker's code runs instead. */
import { bodyOf } from "./bodies.js";
import { isWithin, resolvePath } from "./files.js";
import { compileRules, globs, redirectOf, withRules } from "./rules.js";

const METHODS = ["GET", "HEAD"];
const CACHING = "public, max-age=0, must-revalidate";
/** The status of a rewrite: another file is served under the same URL. */
const REWRITE = 200;
/** The date and the flags that make navigation requests prefer the fallback file to the Worker. */
const NAVIGATION = {
  since: "2025-04-01",
  on: "assets_navigation_prefers_asset_serving",
  off: "assets_navigation_has_no_effect",
};

/** Compile the rules of assets, as read from the control plane. */
export function prepareAssets(assets) {
  const { _redirects, _headers, run_worker_first: first } = assets;
  return {
    ...assets,
    _redirects: { ..._redirects, dynamic: compileRules(_redirects.dynamic) },
    _headers: compileRules(_headers),
    run_worker_first: typeof first === "boolean" ? first : { worker: globs(first.worker), assets: globs(first.assets) },
  };
}

/** Answer a visitor from the assets of a Worker. Return null if its code must run. */
export async function answerFirst(worker, request, env) {
  const {
    main,
    assets: { run_worker_first: first },
  } = worker;
  const { pathname } = new URL(request.url);
  if (!main || first.assets?.(pathname)) return answer(worker, request, env);
  if (first === true || first.worker?.(pathname)) return null;
  return answer(worker, request, env, { isLast: false });
}

/** Answer a request from assets. Return null for missing files, unless `isLast`. */
export async function answer(worker, request, env, { isLast = true } = {}) {
  const url = new URL(request.url);
  if (!isWithin(fileNameOf(url.pathname), worker.assets)) return isLast ? new Response(null, { status: 404 }) : null;
  const { status, headers, body = null } = (await reply(url, worker, request, env, isLast)) ?? {};
  return status
    ? new Response(body, { status, headers: withRules(worker.assets._headers, url, new Headers(headers)) })
    : null;
}

/** Return `{status, headers, body}` before the rules for headers are applied. */
async function reply(url, worker, request, env, isLast) {
  const rule = redirectOf(worker.assets._redirects, url);
  if (rule && rule.status !== REWRITE) return { status: rule.status, headers: { location: locationOf(rule.to, url) } };
  const isRewritten = Boolean(rule);
  const { pathname } = isRewritten ? new URL(rule.to, url) : url;
  const path = fileNameOf(pathname);
  const isServed = isLast || isRewritten;
  const found = resolvePath(path, worker.assets, {
    isRewritten,
    useFallback: isServed || prefersFallback(worker, request),
  });
  if (!found) return isServed ? { status: 404 } : null;
  if (!METHODS.includes(request.method)) return { status: 405 };
  const address = (found.address ?? path).split("/").map(encodeURIComponent).join("/");
  if (found.address || address !== pathname) return { status: 307, headers: { location: address + url.search } };
  return fileReply(found, worker, request, env);
}

async function fileReply({ file: { hash, type }, status = 200 }, worker, request, env) {
  const etag = `"${hash}"`;
  const isCacheable = !request.headers.has("authorization") && !request.headers.has("range");
  const headers = {
    etag,
    ...(type && { "content-type": type }),
    ...(isCacheable && { "cache-control": CACHING }),
    "cf-cache-status": "HIT",
  };
  if ([etag, `W/${etag}`].includes(request.headers.get("if-none-match"))) return { status: 304, headers };
  if (request.method === "HEAD") return { status, headers };
  const { body, cacheStatus } = await bodyOf(worker, hash, env);
  return { status, headers: { ...headers, "cf-cache-status": cacheStatus }, body };
}

function prefersFallback({ date, flags, assets }, request) {
  if (assets.run_worker_first) return true;
  if (request.headers.get("sec-fetch-mode") !== "navigate" || flags.includes(NAVIGATION.off)) return false;
  return date >= NAVIGATION.since || flags.includes(NAVIGATION.on);
}

/** Return the location of a redirect. It keeps the query of the request, unless it has its own. */
function locationOf(to, url) {
  const target = new URL(to, url);
  target.search ||= url.search;
  return target.origin === url.origin ? target.pathname + target.search + target.hash : target.href;
}

/** Decode the path of a URL into a file name. */
function fileNameOf(pathname) {
  return pathname.split("/").map(decodeSegment).join("/").replace(/\/+/g, "/");
}

function decodeSegment(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
