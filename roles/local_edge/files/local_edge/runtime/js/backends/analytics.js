// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The data points that Workers write. They are kept here, the latest of each dataset, until this process ends. */
import { WorkerEntrypoint } from "cloudflare:workers";

/** Datasets by account and name: `{points, size}`; the one that was written the longest ago first. */
const datasets = new Map();
/** How many points of a dataset are kept, and how many bytes of all. */
const MAX_POINTS = 1000;
const ROOM = 32 * 1024 * 1024;
let used = 0;

const nameOf = (account, dataset) => `${account}/${dataset}`;

/** The points `{time, worker, indexes, blobs, doubles}` of a dataset, the oldest first. */
export function pointsOf(account, dataset) {
  return (datasets.get(nameOf(account, dataset)) ?? []).map(({ point }) => point);
}

export class Analytics extends WorkerEntrypoint {
  write(point) {
    const { account, dataset, key } = this.ctx.props;
    const [, namespace, name] = key.split("/");
    keep(nameOf(account, dataset), { time: new Date().toISOString(), worker: namespace ? `${namespace}/${name}` : name, ...point });
  }
}

function keep(name, point) {
  const points = datasets.get(name) ?? [];
  datasets.delete(name);
  datasets.set(name, points);
  const size = JSON.stringify(point).length;
  points.push({ point, size });
  used += size;
  if (points.length > MAX_POINTS) used -= points.shift().size;
  while (used > ROOM) drop(datasets.keys().next().value);
}

function drop(name) {
  for (const { size } of datasets.get(name)) used -= size;
  datasets.delete(name);
}
