// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Bundle a Worker with the API of esbuild, and fill in the modules of Node.js that the Workers runtime lacks.
//
// The polyfills are the packages unenv and @cloudflare/unenv-preset, found from the entrypoint. wrangler bundles with
// the same packages. The request is a JSON object on stdin:
//   entrypoint     absolute path; packages are found from there
//   esbuild        path of the program that must be used, or null for that of the esbuild package
//   options        of esbuild's API, with absWorkingDir
//   metafile       file for esbuild's metafile, without the files of the polyfills
//   compatibility  {date, flags}
// Exit status 3 means that a package was not found, and that nothing was bundled.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGE_MISSING = 3;
const PRESET = "@cloudflare/unenv-preset";
const DEPENDENTS = ["wrangler", "@cloudflare/vite-plugin", "@astrojs/cloudflare"]; // packages that depend on the preset
const REQUIRED = "nodejs-require"; // namespace of modules that code calls require() for
const GLOBALS = "nodejs-globals"; // namespace of modules that define globals

/** Return the folder of a package as Node.js finds it from a file or folder, or undefined. */
function findPackage(from, name) {
  const folders = createRequire(path.join(from, "_")).resolve.paths(name) ?? [];
  const found = folders.map((folder) => path.join(folder, name)).find((folder) => existsSync(`${folder}/package.json`));
  return found && realpathSync(found);
}

/** Yield the folders from which the preset can be found: installed tools that depend on it, then the project. */
function* searchFolders(from, depth = 1) {
  for (const name of DEPENDENTS) {
    const found = findPackage(from, name);
    if (!found) continue;
    yield found;
    if (depth) yield* searchFolders(found, depth - 1);
  }
  yield from;
}

function readManifest(folder) {
  return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
}

/** Import a package that may contain only ES modules. */
function importPackage(folder) {
  const manifest = readManifest(folder);
  let file = manifest.exports?.["."] ?? manifest.exports ?? manifest.module ?? manifest.main;
  while (typeof file === "object") file = file.import ?? file.node ?? file.default;
  return import(pathToFileURL(path.join(folder, file)).href);
}

/** Return {preset, unenv, esbuild}, the folders of the packages, or undefined if one is missing. */
function findPackages({ entrypoint, esbuild: program }) {
  const project = path.dirname(entrypoint);
  for (const folder of searchFolders(project)) {
    const preset = findPackage(folder, PRESET);
    const unenv = preset && findPackage(preset, "unenv");
    if (!unenv) continue;
    const esbuild = [project, folder].map((from) => findPackage(from, "esbuild")).find((found) => found && fits(found, program));
    if (esbuild) return { preset, unenv, esbuild };
  }
}

/** Whether the API of an esbuild package can control the program, which must have the same version. */
function fits(folder, program) {
  return !program || execFileSync(program, ["--version"], { encoding: "utf8" }).trim() === readManifest(folder).version;
}

/** Return the environment that the preset defines: {alias, inject, external, polyfill}, and the names of the modules. */
async function environment(packages, { date, flags }) {
  const [unenv, preset] = [await importPackage(packages.unenv), await importPackage(packages.preset)];
  const cloudflare = preset.getCloudflarePreset?.({ compatibilityDate: date, compatibilityFlags: flags }) ?? preset.cloudflare;
  const { env } = unenv.defineEnv({ presets: [cloudflare], npmShims: true });
  delete env.alias.debug; // a no-op: bundle the package itself
  return { ...env, modules: preset.nonPrefixedNodeModules ?? builtinModules };
}

function oneOf(names) {
  return new RegExp(`^(?:${names.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})$`);
}

/** Return a function that resolves an import of a polyfill to its file, or undefined. */
function polyfillResolver({ preset }) {
  const { resolve } = createRequire(path.join(preset, "_"));
  return (specifier) => {
    try {
      return resolve(specifier);
    } catch {
      return undefined; // the polyfill of a package that is not installed
    }
  };
}

/** esbuild plugin: modules of Node.js become polyfills, or stay imports of the runtime. */
function modulesPlugin({ alias, external, modules }, resolve) {
  const isNative = new Set(external.map((name) => name.replace(/^node:/, "")));
  const targets = new Map();
  for (const [name, target] of Object.entries(alias)) {
    const bare = target.replace(/^node:/, "");
    const file = isNative.has(bare) ? undefined : resolve(target);
    if (isNative.has(bare)) targets.set(name, { path: `node:${bare}`, external: true });
    else if (file && path.isAbsolute(file)) targets.set(name, { path: file });
  }
  const shims = Object.keys(alias).filter((name) => targets.has(name) && /^unenv\/(npm|mock)\//.test(alias[name]));
  const required = oneOf([...modules, ...modules.map((name) => `node:${name}`), ...shims]);
  return {
    name: "nodejs-modules",
    setup(build) {
      // Workers have no require(): wrap the module in one that imports it.
      build.onResolve({ filter: required }, ({ path: name, kind }) =>
        kind === "require-call" ? { path: name, namespace: REQUIRED } : undefined,
      );
      build.onResolve({ filter: oneOf([...targets.keys()]) }, ({ path: name }) => targets.get(name));
      build.onResolve({ filter: /^(unenv|@cloudflare\/unenv-preset)\// }, ({ path: name }) => ({ path: resolve(name) }));
      build.onLoad({ filter: /.*/, namespace: REQUIRED }, ({ path: name }) => ({
        contents: shims.includes(name) ? requiredNamespace(name) : requiredDefault(name),
        loader: "js",
      }));
    },
  };
}

function requiredDefault(name) {
  return `import value from ${JSON.stringify(name)};\nmodule.exports = value;\n`;
}

function requiredNamespace(name) {
  return `import * as names from ${JSON.stringify(name)};
const value = names.default ?? {};
for (const name of Object.keys(names)) {
  if (name !== "default") Object.defineProperty(value, name, { value: names[name], enumerable: true });
}
module.exports = value;
`;
}

/** Return {module: [[global, name of the export], ...]} for globals that modules of the preset provide. */
function globalsByModule(inject) {
  const found = {};
  for (const [name, origin] of Object.entries(inject)) {
    if (!origin) continue; // the runtime provides it
    const [module, exported] = Array.isArray(origin) ? origin : [origin, "default"];
    (found[module] ??= []).push([name, exported]);
  }
  return found;
}

/** esbuild plugin: define the globals of Node.js before the code of the Worker runs. */
function globalsPlugin(globals) {
  return {
    name: GLOBALS,
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${GLOBALS}:`) }, ({ path: name }) => ({
        path: name.slice(GLOBALS.length + 1),
        namespace: GLOBALS,
      }));
      build.onLoad({ filter: /.*/, namespace: GLOBALS }, ({ path: module }) => {
        const imports = globals[module].map(([, exported], index) => `${exported} as value${index}`);
        const assignments = globals[module].map(([name], index) => `globalThis.${name} = value${index};`);
        return {
          contents: `import { ${imports.join(", ")} } from ${JSON.stringify(module)};\n${assignments.join("\n")}\n`,
          loader: "js",
        };
      });
    },
  };
}

/** esbuild plugin: the aliases of the user, which come before all others. Targets are resolved from the working folder. */
function aliasPlugin(alias) {
  return {
    name: "alias",
    setup(build) {
      build.onResolve({ filter: oneOf(Object.keys(alias)) }, ({ path: name, kind, pluginData }) =>
        pluginData === aliasPlugin || alias[name] === name
          ? undefined
          : build.resolve(alias[name], { kind, resolveDir: build.initialOptions.absWorkingDir, pluginData: aliasPlugin }),
      );
    },
  };
}

/** Drop the files of the polyfills from the inputs, since they belong to the bundler. */
function withoutPolyfills(metafile, packages, folder) {
  const roots = [packages.preset, packages.unenv].map((root) => path.relative(folder, root) + path.sep);
  const prefixes = [...roots, `${REQUIRED}:`, `${GLOBALS}:`];
  const inputs = Object.entries(metafile.inputs).filter(([name]) => !prefixes.some((prefix) => name.startsWith(prefix)));
  return { ...metafile, inputs: Object.fromEntries(inputs) };
}

async function main() {
  const request = JSON.parse(readFileSync(0, "utf8"));
  const packages = findPackages(request);
  if (!packages) return PACKAGE_MISSING;
  if (request.esbuild) process.env.ESBUILD_BINARY_PATH = request.esbuild;
  const esbuild = createRequire(path.join(packages.esbuild, "_"))(packages.esbuild);
  const nodejs = await environment(packages, request.compatibility);
  const resolve = polyfillResolver(packages);
  const globals = globalsByModule(nodejs.inject);
  const { alias = {}, ...options } = request.options;
  try {
    const { metafile } = await esbuild.build({
      ...options,
      metafile: true,
      inject: [...Object.keys(globals).map((module) => `${GLOBALS}:${module}`), ...(nodejs.polyfill ?? []).map(resolve)],
      plugins: [...(Object.keys(alias).length ? [aliasPlugin(alias)] : []), modulesPlugin(nodejs, resolve), globalsPlugin(globals)],
    });
    writeFileSync(request.metafile, JSON.stringify(withoutPolyfills(metafile, packages, options.absWorkingDir)));
    return 0;
  } catch (error) {
    if (!error.errors) console.error(error.message); // else esbuild has printed them
    return 1;
  }
}

process.exitCode = await main();
