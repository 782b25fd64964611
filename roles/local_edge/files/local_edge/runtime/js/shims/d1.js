// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** D1 databases: the runtime's own class with a stub. An instance provides the class, as modules cannot import it. */
import { internalEnv } from "./worker.js";

export const database = (stub) => (internalEnv.d1 ? new internalEnv.d1.constructor(stub) : stub);
