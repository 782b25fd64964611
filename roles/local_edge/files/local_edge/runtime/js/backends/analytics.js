// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The data points written by Workers. The latest of each dataset are stored in memory. */
import { WorkerEntrypoint } from "cloudflare:workers";

/** Datasets `{points, size}` by account and name, the least recently written first. */
const datasets = new Map();
/** The limits: points per dataset, and bytes of all points. */
const MAX_POINTS = 1000;
const CAPACITY = 32 * 1024 * 1024;
let used = 0;

const nameOf = (account, dataset) => `${account}/${dataset}`;

/** Return the points `{time, worker, indexes, blobs, doubles}` of a dataset, the oldest first. */
export function pointsOf(account, dataset) {
  return (datasets.get(nameOf(account, dataset)) ?? []).map(({ point }) => point);
}

export class Analytics extends WorkerEntrypoint {
  write(point) {
    const { account, dataset, key } = this.ctx.props;
    const [, namespace, name] = key.split("/");
    append(nameOf(account, dataset), {
      time: new Date().toISOString(),
      worker: namespace ? `${namespace}/${name}` : name,
      ...point,
    });
  }
}

function append(name, point) {
  const points = datasets.get(name) ?? [];
  datasets.delete(name);
  datasets.set(name, points);
  const size = JSON.stringify(point).length;
  points.push({ point, size });
  used += size;
  if (points.length > MAX_POINTS) used -= points.shift().size;
  while (used > CAPACITY) drop(datasets.keys().next().value);
}

function drop(name) {
  for (const { size } of datasets.get(name)) used -= size;
  datasets.delete(name);
}
