# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of modules that upload or read Workers."""

from __future__ import annotations

import re
import textwrap


def within(documentation: str) -> str:
    """Indent options as suboptions. O() becomes C(): inside a list it would refer to options of the module."""
    options = documentation.partition("options:\n")[2].replace("    default: remove\n", "")
    return textwrap.indent(re.sub(r"\bO\((\w+)(=\w+)?\)", r"C(\1\2)", options), "    ")


class ModuleDocFragment:
    """Options of one Worker, of many Workers and of the modules that read them."""

    DOCUMENTATION = r"""
options:
  content:
    description:
      - The code of the Worker as text, one JavaScript module.
      - Without O(content), O(path), O(entrypoint) and O(assets), the task changes only other options of an existing
        Worker. Its code stays. A new Worker needs code.
    type: str
  path:
    description:
      - The code of the Worker as a file or folder. A file is one JavaScript module. In a folder, every file is a module
        that is named by its path in the folder.
      - The extension of a file determines its module type. C(.js) and C(.mjs) are ES modules, C(.cjs) is CommonJS,
        C(.wasm) is WebAssembly, C(.txt), C(.html) and C(.sql) are text, C(.bin) is data, C(.py) is Python, and C(.map)
        is a source map.
      - Cloudflare refuses JSON modules. A C(.json) file becomes an ES module that exports its value as the default,
        and text in a Python Worker.
      - Files with other extensions, hidden files such as C(.env), C(wrangler.json), C(node_modules), C(__pycache__),
        C(package.json), C(package-lock.json), C(tsconfig*.json) and links to folders are left out of a folder. A
        warning counts them and lists the first.
      - Links to files inside the folder are followed. Links to files outside it, FIFOs, sockets, devices, and names
        that are not UTF-8 or contain control characters are refused.
      - The folder C(python_modules) of a Python Worker contains vendored packages. All its files except C(*.pyc) are
        uploaded as data, as wrangler does, and C(.js) and C(.mjs) in C(python_modules/workers) as ES modules.
      - The path refers to the controller. A relative path is resolved as M(ansible.builtin.template) resolves its
        source.
    type: path
  entrypoint:
    description:
      - A TypeScript or JavaScript file that O(bundler) bundles with all its imports, including packages in
        C(node_modules).
      - Imported files with the extensions C(.wasm), C(.txt), C(.html), C(.sql) and C(.bin) become separate modules,
        with the types listed at O(path).
      - With V(nodejs_compat) in O(compatibility_flags), or a O(compatibility_date) of 2026-08-04 or later, the code can
        import modules of Node.js. Those that the Workers runtime lacks at O(compatibility_date) are filled in as
        C(wrangler) does it, with the packages C(unenv) and C(@cloudflare/unenv-preset). They are found in an installed
        C(wrangler) or C(@cloudflare/vite-plugin) of the project, or in its C(node_modules), and need C(node) on
        E(PATH). If one of them is missing, all modules of Node.js are left to the runtime.
      - The same files result in the same bytes on every machine. The Worker is uploaded again if one of these files has
        changed. A different version of C(esbuild) or of the Node.js preset causes an upload only with
        O(rebundle=true).
      - The path is resolved in the same way as O(path).
    type: path
  main_module:
    description:
      - The name of the main module. Its extension determines the module type.
      - By default, the name of the file, with C(.ts) replaced by C(.js). With O(content), the default is V(worker.js).
      - If O(path) is a folder, the file in it that is the main module. By default, the first existing file of C(index),
        C(worker) and C(main) with the extension C(.js) or C(.mjs), otherwise the only code file in the folder.
    type: str
  esbuild_path:
    description:
      - The C(esbuild) program that bundles O(entrypoint).
      - By default, the nearest C(node_modules/.bin/esbuild) in a folder above the entrypoint, otherwise the one on
        E(PATH), otherwise the one of a local edge that is installed in its default folder.
      - Modules of Node.js are filled in by the package C(esbuild) of the project. If it has another version than this
        program, they are left to the runtime.
    type: path
  bundler:
    description:
      - The program that bundles O(entrypoint).
      - V(esbuild) is the default.
      - V(wrangler) runs C(wrangler deploy --dry-run) with the C(wrangler) that is installed in the project, also in
        check mode. It reads the nearest C(wrangler.json), C(wrangler.jsonc) or C(wrangler.toml) above the entrypoint,
        and runs the C(build.command) in it. O(compatibility_date) and O(compatibility_flags) replace those in the file.
      - C(wrangler) runs without credentials. Variables of the environment other than E(PATH) and a few more are not
        passed on. E(HOME) is an empty temporary folder, so a stored login is not found.
      - With V(wrangler), the Worker is uploaded again if the output has changed.
    type: str
    choices: [esbuild, wrangler]
  define:
    description:
      - Compile-time constants. Each identifier in the code of O(entrypoint) is replaced with the given value, encoded
        as JSON.
      - C(process.env.NODE_ENV) is C(production) unless it is set here.
    type: dict
  alias:
    description:
      - Modules that replace others in the code of O(entrypoint), by the name in the import.
      - The path of a file begins with C(./) or C(../) and is relative to the folder of O(entrypoint). Any other value
        is the name of a module.
      - An alias wins over the modules that the runtime provides, such as C(node:fs).
    type: dict
  loader:
    description:
      - The ways to import files, by file extension, such as V(text) for C(.graphql). The values are
        L(the loaders of esbuild,https://esbuild.github.io/content-types/).
    type: dict
  conditions:
    description:
      - The conditions that select among the C(exports) of a package. By default, C(workerd), C(worker) and C(browser).
    type: list
    elements: str
  minify:
    description: Minify the code of O(entrypoint).
    type: bool
  keep_names:
    description: Keep the C(name) of functions and classes of O(entrypoint), also with O(minify).
    type: bool
  source_map:
    description:
      - Upload a source map of O(entrypoint) with the code. Cloudflare uses it to show errors at their positions in the
        sources.
      - The source map contains the sources.
    type: bool
  assets:
    description:
      - Static assets, which are files that Cloudflare serves with or without code of the Worker. Omitted suboptions
        have Cloudflare's defaults.
      - If omitted, assets are unchanged. Null removes them with the next upload, so it needs code.
      - A tag of the Worker stores a hash of the files and suboptions, which shows if they have changed. Only files that
        Cloudflare does not have yet are uploaded.
      - The extension of a file determines its content type. The types are the same on every machine and the same as
        those of wrangler. A file with an unknown extension is served without a type.
      - The API does not list the files of a Worker, so a diff shows only their hash, number and total size.
      - In RV(ignore:operations), the upload of files is part of C(POST .../assets-upload-session), because only the
        response to this request lists the files to upload.
    type: dict
    suboptions:
      directory:
        description:
          - The folder with the files, at most 100,000 files of at most 25 MiB each. It is resolved in the same way as
            O(path). The module must run on the controller.
          - The files C(_headers) and C(_redirects) in it are not served. They configure how the other files are served.
          - A file C(.assetsignore) excludes files, with the syntax of C(.gitignore). C(.DS_Store), C(.git) and
            C(node_modules) are always excluded.
          - A percent sign in a name must begin an encoded character such as C(%20). Other names are refused, and so is
            C(_worker.js), which contains code.
        type: path
        required: true
      binding:
        description:
          - The name of a binding in C(env) that gives the code access to the assets. If omitted, no such binding is
            created.
        type: str
      html_handling:
        description: The mapping of URLs to HTML files. Cloudflare's default is V(auto-trailing-slash).
        type: str
        choices: [auto-trailing-slash, force-trailing-slash, drop-trailing-slash, none]
      not_found_handling:
        description:
          - The response to a request that matches no file. Cloudflare's default is V(none), which runs the code of the
            Worker, or returns an empty 404 response if the Worker has no code.
          - V(404-page) returns the nearest C(404.html), V(single-page-application) returns C(/index.html).
        type: str
        choices: [none, 404-page, single-page-application]
      run_worker_first:
        description:
          - Run the code of the Worker even if a file matches the request. Either V(true), V(false) or a list of paths
            such as V([/api/*, "!/api/docs/*"]).
        type: raw
      base_path:
        description: The URL path under which the files are served, such as V(/docs).
        type: str
  compatibility_date:
    description:
      - The date that selects the behavior of the Workers runtime. Quote it, for example V('2026-11-01').
      - A date is required with code, because without one Cloudflare applies the behavior of 2021-11-02.
    type: str
  compatibility_flags:
    description:
      - Flags that enable or disable single features of the Workers runtime, such as V(nodejs_compat).
      - If omitted, the flags are unchanged. Null removes them.
    type: list
    elements: str
  limits:
    description:
      - Limits for each request. If omitted, they are unchanged. Null removes them.
    type: dict
    suboptions:
      cpu_ms:
        description: The maximum CPU time in milliseconds.
        type: int
      subrequests:
        description: The maximum number of requests that the Worker may send while it handles one request.
        type: int
  observability:
    description:
      - Configures the logs and traces that Cloudflare records for this Worker. Omitted suboptions are unchanged. Null
        disables observability.
    type: dict
    suboptions:
      enabled:
        description: Record logs and traces.
        type: bool
        required: true
      head_sampling_rate:
        description: The share of requests that is recorded, from 0 to 1.
        type: float
      logs:
        description: Settings for logs.
        type: dict
        suboptions:
          enabled:
            description: Record the log messages of the Worker.
            type: bool
            required: true
          invocation_logs:
            description: Record a log entry for each request.
            type: bool
            required: true
          head_sampling_rate: &rate
            description: The share of requests that is recorded, from 0 to 1.
            type: float
          persist: &persist
            description: Store the records at Cloudflare.
            type: bool
          destinations: &destinations
            description: The names of the destinations to which Cloudflare exports the records.
            type: list
            elements: str
      traces:
        description: Settings for traces.
        type: dict
        suboptions:
          enabled:
            description: Record traces of requests.
            type: bool
          head_sampling_rate: *rate
          persist: *persist
          destinations: *destinations
          propagation_policy:
            description:
              - The handling of trace context in requests to the Worker, one of V(authenticated) and V(accept).
            type: str
      issues:
        description: Settings for issues, which Cloudflare derives from errors in the logs.
        type: dict
        suboptions:
          enabled:
            description: Detect issues.
            type: bool
            required: true
      redact_query_string:
        description: Leave query strings out of the recorded URLs.
        type: bool
  placement:
    description:
      - The location in which the Worker runs. If omitted, it is unchanged. Null runs the Worker near its visitors.
    type: dict
    suboptions:
      mode:
        description:
          - V(smart) lets Cloudflare choose a location near the backends that the Worker calls. V(targeted) runs the
            Worker near the given region or host.
        type: str
        choices: [smart, targeted]
      region:
        description: A cloud region, such as V(aws:us-east-1).
        type: str
      hostname:
        description: A host name that Cloudflare probes over HTTP.
        type: str
      host:
        description: A host and TCP port, such as V(db.example.com:5432).
        type: str
  logpush:
    description: Push the logs of the Worker with Logpush. If omitted, the setting is unchanged. Null disables it.
    type: bool
  tail_consumers:
    description:
      - The Tail Workers that receive the events of this Worker. If omitted, they are unchanged. Null removes them.
    type: list
    elements: dict
    suboptions:
      service:
        description: The name of the Tail Worker.
        type: str
        required: true
      namespace:
        description: The dispatch namespace of the Tail Worker, if it belongs to one.
        type: str
      environment:
        description: The environment of the Tail Worker, by default C(production).
        type: str
  cache_options:
    description:
      - Settings of the cache in front of the Worker. Omitted suboptions are unchanged. Null disables the cache.
    type: dict
    suboptions:
      enabled:
        description: Cache the responses of the Worker.
        type: bool
        required: true
      cross_version_cache:
        description: Also serve cached responses of earlier versions of the Worker.
        type: bool
  usage_model:
    description:
      - The usage model by which Cloudflare bills the Worker, one of V(standard), V(bundled) and V(unbound). If omitted,
        it is unchanged. Null selects V(standard).
    type: str
  containers:
    description:
      - The containers that Durable Objects of the Worker run. Each element needs a name, a class or both.
      - Cloudflare's API does not return them. A tag of the Worker stores a hash, which shows if they have changed. Each
        task that uploads the code must declare them. Null removes them.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the container application.
        type: str
      class_name:
        description: The Durable Object class that runs the container.
        type: str
      images:
        description: The images of the container, as named by Cloudflare's API.
        type: dict
  streaming_tail_consumers:
    description:
      - The Workers that receive the events of this Worker while it handles a request.
      - As with O(containers), each task that uploads the code must declare them, and null removes them.
    type: list
    elements: dict
    suboptions:
      service:
        description: The name of the Worker that receives the events.
        type: str
        required: true
      namespace:
        description: The dispatch namespace of that Worker, if it belongs to one.
        type: str
      environment:
        description: The environment of that Worker, by default C(production).
        type: str
  upload_metadata:
    description:
      - Further metadata of the upload, as named by Cloudflare's API, for features that this collection has no option
        for. It is added to every upload and to every change of settings. The module refuses keys that another option
        sets.
      - A tag of the Worker stores a hash of it. If it differs, the Worker is uploaded again. Keys that Cloudflare's API
        returns are also compared with the current values. Each task that uploads the code must declare it.
    type: dict
  migrations:
    description:
      - The history of the Worker's Durable Object classes as a list of steps. Only the steps after the Worker's current
        step are sent.
      - If the Worker's current step is not in the list, the module fails unless O(allow_replace=true).
    type: list
    elements: dict
    suboptions:
      tag:
        description: The name of the step, unique in the list.
        type: str
        required: true
      new_sqlite_classes:
        description: Classes to create with SQLite storage.
        type: list
        elements: str
      new_classes:
        description: Classes to create with the older key-value storage.
        type: list
        elements: str
      deleted_classes:
        description: Classes to delete, with all their stored data.
        type: list
        elements: str
      renamed_classes:
        description: Classes to rename. The new class takes over the storage of the old one.
        type: list
        elements: dict
        suboptions:
          from:
            description: The old name of the class.
            type: str
            required: true
          to:
            description: The new name of the class.
            type: str
            required: true
      transferred_classes:
        description: Classes that take over the storage of a class of another Worker.
        type: list
        elements: dict
        suboptions:
          from:
            description: The class of the other Worker.
            type: str
            required: true
          from_script:
            description: The name of the other Worker.
            type: str
            required: true
          to:
            description: The class of this Worker.
            type: str
            required: true
  bindings:
    description:
      - The bindings of the Worker, which its code accesses in C(env). If this option or O(vars) is set, undeclared
        bindings are removed, unless O(unmanaged_bindings=keep). If both are omitted, bindings are unchanged.
      - Declare secrets in O(secrets) instead.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the binding in C(env).
        type: str
        required: true
      type:
        description:
          - The type of the binding, as named by Cloudflare's API. Declare secrets in O(secrets) instead.
          - One of V(plain_text), V(json), V(kv_namespace), V(dispatch_namespace), V(service), V(r2_bucket), V(d1),
            V(queue), V(durable_object_namespace), V(workflow), V(analytics_engine), V(ratelimit), V(version_metadata),
            V(hyperdrive), V(vectorize), V(secrets_store_secret), V(mtls_certificate), V(send_email), V(pipelines),
            V(vpc_service), V(vpc_network), V(ai), V(ai_search), V(ai_search_namespace), V(agent_memory), V(messaging),
            V(artifacts), V(flagship), V(k2), V(browser), V(images), V(media), V(stream), V(worker_loader), V(websearch)
            and V(inherit). Other types are sent to Cloudflare as declared in C(options), with a warning.
          - V(inherit) keeps an existing binding of the Worker without declaring it.
        type: str
        required: true
      text:
        description: The text of a C(plain_text) binding.
        type: str
      json:
        description: The value of a C(json) binding, of any type.
        type: raw
      namespace_id:
        description:
          - The ID of the KV namespace of a C(kv_namespace) binding, instead of its title.
          - The counter of a C(ratelimit) binding, a number of your choice. Workers with the same number share one
            counter.
          - The ID of the storage of a C(durable_object_namespace) binding, which Cloudflare assigns.
        type: str
      title:
        description: The title of the KV namespace of a C(kv_namespace) binding, instead of its ID.
        type: str
      namespace:
        description:
          - The namespace of a C(dispatch_namespace), C(ai_search), C(ai_search_namespace), C(agent_memory),
            C(messaging) or C(artifacts) binding.
        type: str
      outbound:
        description:
          - The outbound Worker of a C(dispatch_namespace) binding. It receives all requests that the user Workers send.
        type: dict
        suboptions:
          worker:
            description: The outbound Worker.
            type: dict
            required: true
            suboptions:
              service:
                description: The name of the Worker.
                type: str
                required: true
              environment:
                description: The environment of the Worker, by default V(production).
                type: str
              entrypoint:
                description: The exported class of the Worker, if not the default export.
                type: str
          params:
            description:
              - Parameters that the router may pass with each request. The outbound Worker reads them from C(env).
            type: list
            elements: dict
            suboptions:
              name:
                description: The name of the parameter.
                type: str
                required: true
      service:
        description: The name of the Worker of a C(service) binding.
        type: str
      environment:
        description:
          - The environment of the Worker of a C(service) or C(durable_object_namespace) binding, by default
            V(production).
        type: str
      entrypoint:
        description: The exported class of the Worker of a C(service) binding, if not the default export.
        type: str
      props:
        description:
          - Properties that the Worker of a C(service) binding receives in C(ctx.props) when this Worker calls it.
            A property with the only key C($binding) passes a binding with the attributes under that key.
        type: dict
      binding_interface:
        description:
          - The interface under which this Worker sees the Worker of a C(service) binding, such as V(d1).
        type: str
      cross_account_grant:
        description: The grant with which a C(service) binding may call a Worker of another account.
        type: str
      bucket_name:
        description: The name of the bucket of an C(r2_bucket) binding.
        type: str
      jurisdiction:
        description: The jurisdiction with which the bucket of an C(r2_bucket) binding was created, such as V(eu).
        type: str
      database_id:
        description: The ID of the database of a C(d1) binding, instead of its name.
        type: str
      database_name:
        description: The name of the database of a C(d1) binding, instead of its ID.
        type: str
      queue_name:
        description: The name of the queue of a C(queue) binding.
        type: str
      delivery_delay:
        description: The delay in seconds before messages of a C(queue) binding are delivered.
        type: int
      class_name:
        description: The class of a C(durable_object_namespace) or C(workflow) binding.
        type: str
      script_name:
        description:
          - The Worker that exports the class of a C(durable_object_namespace) or C(workflow) binding, if not this one.
        type: str
      dispatch_namespace:
        description:
          - The dispatch namespace of the Worker that exports the class of a C(durable_object_namespace) binding, if it
            belongs to one.
        type: str
      workflow_name:
        description: The name of the workflow of a C(workflow) binding.
        type: str
      dataset:
        description: The dataset of an C(analytics_engine) binding.
        type: str
      simple:
        description: The limit of a C(ratelimit) binding.
        type: dict
        suboptions:
          limit:
            description: The maximum number of requests for one key in a period.
            type: int
            required: true
          period:
            description: The length of the period in seconds.
            type: int
            required: true
            choices: [10, 60]
          mitigation_timeout:
            description: The number of seconds for which a key that exceeded the limit is refused.
            type: int
      id:
        description: The ID of the configuration of a C(hyperdrive) binding.
        type: str
      index_name:
        description: The name of the index of a C(vectorize) binding.
        type: str
      store_id:
        description: The ID of the store of a C(secrets_store_secret) binding.
        type: str
      secret_name:
        description: The name of the secret of a C(secrets_store_secret) binding in its store.
        type: str
      certificate_id:
        description: The ID of the certificate of an C(mtls_certificate) binding.
        type: str
      destination_address:
        description: The only address to which a C(send_email) binding sends email.
        type: str
      allowed_destination_addresses:
        description: The addresses to which a C(send_email) binding may send email.
        type: list
        elements: str
      allowed_sender_addresses:
        description: The addresses from which a C(send_email) binding may send email.
        type: list
        elements: str
      pipeline:
        description: The name of the pipeline of a C(pipelines) binding, instead of a stream.
        type: str
      stream:
        description: The stream of a C(pipelines) binding, instead of a pipeline, or the stream of a C(k2) binding.
        type: str
      service_id:
        description: The ID of the service of a C(vpc_service) binding.
        type: str
      tunnel_id:
        description: The ID of the tunnel of a C(vpc_network) binding, instead of a network.
        type: str
      network_id:
        description: The ID of the network of a C(vpc_network) binding, instead of a tunnel.
        type: str
      identity:
        description:
          - The identity that a C(vpc_network) binding with a network shows to Gateway, such as V(runtime-email-alpha).
        type: str
      instance_name:
        description: The name of the instance of an C(ai_search) binding.
        type: str
      app_id:
        description: The ID of the app of a C(flagship) binding.
        type: str
      old_name:
        description: The current name of the binding that an C(inherit) binding renames.
        type: str
      options:
        description:
          - Further attributes of the binding, as named by Cloudflare's API, for types and options that are not listed
            here.
        type: dict
  vars:
    description:
      - Variables by name, a short form of O(bindings). Strings become C(plain_text) bindings and all other values
        C(json) bindings. Null removes a variable.
      - If O(bindings) is omitted, only undeclared C(plain_text) and C(json) bindings are removed.
    type: dict
  secrets:
    description:
      - Secrets by name. Undeclared secrets are unchanged. Null as a value removes that secret. Null for the whole
        option removes all secrets.
      - A secret is either a text or a key of the Web Crypto API. Such a key is a dictionary with C(algorithm),
        C(format), C(usages), and C(key_base64) or C(key_jwk).
      - Cloudflare never returns the value of a secret. O(update_secrets) controls when values are sent.
      - One hash covers all declared secrets. If any of them changed, all of them are sent.
    type: dict
  tags:
    description:
      - Tags of the Worker, each up to 1024 bytes without commas and C(&). A Worker in a dispatch namespace may have 6,
        a Worker of the account 8. Cloudflare allows 8 and 10 tags, and this collection uses 2 of them.
      - If omitted, the tags are unchanged. Null removes them.
    type: list
    elements: str
  unmanaged_bindings:
    description:
      - The handling of undeclared bindings, see O(bindings). V(remove) removes them, V(keep) keeps them. Secrets are
        not affected.
    type: str
    choices: [remove, keep]
    default: remove
"""

    # Without the annotation, ansible-test would require a literal.
    FLEET: str = rf"""
options:
  defaults:
    description:
      - Default options for every Worker in O(workers) and O(workers_file).
      - C(vars) and C(secrets) are merged by key. Any other option of a Worker replaces the default.
    type: dict
    suboptions: &worker
{within(DOCUMENTATION)}
  workers:
    description:
      - The Workers, each with its name and the options that differ from O(defaults).
      - With O(state=present), this option or O(workers_file) is required. With O(state=absent) and neither of them, all
        Workers of O(owner) are removed, and O(owner) is required.
      - Use O(workers_file) for more than about 1000 Workers, because Ansible takes seconds to process a long variable.
    type: list
    elements: dict
    suboptions:
      <<: *worker
      name:
        description: The name of the Worker, unique in its dispatch namespace.
        type: str
        required: true
      hostnames:
        description:
          - The host names of the Worker. For each of them, O(routing_kv) gets a record.
          - International names are accepted in Unicode and in Punycode. The key of a record is in Punycode, as in the
            URL that a router receives.
        type: list
        elements: str
  workers_file:
    description:
      - A file that declares Workers in the format of O(workers), in addition to O(workers). It contains a list in JSON
        (C(.json)) or YAML (C(.yml), C(.yaml)), or one Worker in JSON per line (C(.jsonl), C(.ndjson)). JSON is read
        many times faster than YAML.
      - The contents are data and never templates. Encrypted files and encrypted values in YAML are decrypted with
        Ansible Vault. Dates do not need quotes.
      - A secret that contains a template, such as C({{{{ name }}}}), is refused. For other strings with a template, the
        module warns. See O(allow_braces).
      - The path refers to the controller and is resolved in the same way as C(path).
    type: path
  allow_braces:
    description:
      - Deploy strings of O(workers_file) that contain C({{{{ }}}}) or C({{% %}}) as they are, without a warning.
    type: bool
    default: false
  secrets_by_worker:
    description:
      - Secrets of Workers in O(workers) and O(workers_file), as a dictionary of secrets for each name of a Worker. They
        are added to the C(secrets) of the Worker, and override those of the same name.
      - A Worker whose C(secrets) are null must have no secrets here.
      - Use it to declare Workers in a file and their secrets in Ansible Vault.
    type: dict
  route_patterns:
    description:
      - Patterns of the routes to the router. If none of them covers a host name in C(hostnames), the module warns,
        because no request to this host name reaches the Worker.
    type: list
    elements: str
"""

    INFO = r"""
options:
  name:
    description: Return only the Worker with this name. If omitted, all Workers are returned.
    type: str
  owner:
    description: Return only the Workers of this owner.
    type: str
  tags:
    description:
      - Return only the Workers that have, or do not have, these tags. The syntax is that of Cloudflare's filter, such
        as V(plan-pro:yes) or V(beta:no). All conditions must match.
    type: list
    elements: str
  detail:
    description:
      - The amount of information about each returned Worker.
      - V(listing) returns the attributes in the list of Workers, without further requests.
      - V(settings) adds settings, bindings and the names of secrets, with one request per Worker.
      - V(content) also adds the modules, with two requests per Worker.
    type: str
    choices: [listing, settings, content]
    default: listing
"""

    SECRETS = r"""
options:
  fingerprint_key:
    description:
      - A key with which secrets are hashed, so that changed values are detected without storing them. A tag of the
        Worker stores the hash.
      - If omitted, the environment variable E(CLOUDFLARE_FINGERPRINT_KEY) is used. Use the same key in all runs.
    type: str
  update_secrets:
    description:
      - The condition for sending the values of existing secrets.
      - V(on_change) sends all declared secrets if any of them changed, according to one keyed hash in a tag of the
        Worker, or if another client changed the Worker. An upload of code always sends them. It requires
        O(fingerprint_key) and is the default with it.
      - V(on_create) never sends them. It is the default without a key, and a warning counts the secrets that were not
        compared.
      - V(always) sends them in every run, so every run reports a change.
    type: str
    choices: [on_change, on_create, always]
"""

    OWNERSHIP = r"""
options:
  owner:
    description:
      - The owner of the Worker, 1 to 40 lower-case letters, digits and C(-). A tag of the Worker stores it.
      - The module refuses to manage a Worker of another owner, unless O(take_over=true). It adopts a Worker without an
        owner, unless the task has neither code nor this option.
    type: str
    default: default
  take_over:
    description:
      - Change or remove the Worker even if it belongs to another owner. A changed Worker then belongs to O(owner).
    type: bool
    default: false
  allow_replace:
    description:
      - Delete and recreate the Worker if no step of C(migrations) leads from its current state to the declared one. The
        data of its Durable Objects is lost.
      - If the Worker has secrets or assets, they must be declared or null, because the API does not return them. Its
        cron triggers, routes and custom domains are not recreated.
    type: bool
    default: false
  drift_detection:
    description:
      - The depth at which the module detects drift, which is changes made outside this collection.
      - V(fingerprint) trusts the tag of the last upload, unless the Worker was modified since then.
      - V(settings) compares bindings, settings and the names of secrets in every run, with one more request per Worker.
      - V(content) also compares the code, with two more requests per Worker.
      - With V(settings) and V(content), M(tenantry.cloudflare_workers.namespaced_workers) also compares the values of
        routing records, with one more request per 100 host names.
    type: str
    choices: [fingerprint, settings, content]
    default: fingerprint
  rebundle:
    description:
      - Upload a Worker again if it was bundled from the same sources by another version of C(esbuild) or of the Node.js
        preset.
      - Otherwise, a warning counts these Workers.
    type: bool
    default: false
  source_root:
    description:
      - The folder on the controller to which relative paths in C(path), C(entrypoint) and the C(directory) of C(assets)
        refer.
      - By default, they are resolved as M(ansible.builtin.template) resolves its source.
    type: path
"""
