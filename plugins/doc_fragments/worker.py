# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module that uploads Workers says of them."""

from __future__ import annotations

import re
import textwrap


def within(documentation: str) -> str:
    """Return options as those of a Worker in a list: deeper, and where O() would look for them outside."""
    options = documentation.partition("options:\n")[2].replace("    default: remove\n", "")
    return textwrap.indent(re.sub(r"\bO\((\w+)(=\w+)?\)", r"C(\1\2)", options), "    ")


class ModuleDocFragment:
    """Options of a Worker, and of many."""

    DOCUMENTATION = r"""
options:
  content:
    description:
      - The code of the Worker itself, one JavaScript module.
    type: str
  path:
    description:
      - A file that is the Worker, one JavaScript module; or a folder of which every file is a module of the Worker, called by its path in the folder.
      - What kind of module a file is, its ending says. C(.js) and C(.mjs) are ES modules, C(.cjs) is CommonJS, C(.wasm) WebAssembly, C(.json) JSON,
        C(.txt), C(.html) and C(.sql) are text, C(.bin) is data, C(.py) Python, C(.map) a source map.
      - Left out of a folder are files with other endings, hidden ones, C(node_modules), C(__pycache__), C(package.json), C(package-lock.json) and
        C(tsconfig*.json).
      - It is on the controller; a relative path is looked for as M(ansible.builtin.template) looks for its source.
    type: path
  entrypoint:
    description:
      - A TypeScript or JavaScript file that C(esbuild) bundles with everything it imports, packages in C(node_modules) included.
      - Imported files that end in C(.wasm), C(.txt), C(.html), C(.sql) or C(.bin) become modules of their own, of the kinds that O(path) tells.
      - With V(nodejs_compat) in O(compatibility_flags), what packages import of Node.js is left to the Workers runtime.
      - The same files make the same bytes on every machine. The Worker is uploaded anew when one of them has changed, and not because of another
        C(esbuild), unless O(rebundle=true).
      - It is found as O(path) is.
    type: path
  main_module:
    description:
      - What the main module is called in the Worker. Its ending says what kind of module it is.
      - By default the name of the file, C(.ts) becoming C(.js); V(worker.js) with O(content).
      - Where O(path) is a folder, the file in it that is the main module. By default C(index), C(worker) or C(main) with C(.js) or C(.mjs), the
        first of them that is there, else the only code that is there.
    type: str
  esbuild_path:
    description:
      - The C(esbuild) to use for O(entrypoint).
      - By default the nearest C(node_modules/.bin/esbuild) in a folder above the entrypoint, else the one on E(PATH).
    type: path
  define:
    description:
      - What takes the place of names in the code of O(entrypoint), by name. A string becomes a string there, a dictionary an object.
      - C(process.env.NODE_ENV) is C(production) if it is not among them.
    type: dict
  minify:
    description: Whether the code of O(entrypoint) is made as short as can be.
    type: bool
  source_map:
    description:
      - Whether a source map of O(entrypoint) goes along, by which Cloudflare tells where in the sources an error was.
      - It holds the sources.
    type: bool
  assets:
    description:
      - Static assets, files that the Worker serves without code or beside it. Suboptions that are not given are as Cloudflare has them
        by default.
      - Left as they are if not given; null removes them.
      - A hash of files and suboptions in one of the Worker's tags tells whether they differ. If they do, only those files are uploaded that
        Cloudflare does not have. It lists them for nobody, so that a diff shows the hash, the number of the files and their bytes.
    type: dict
    suboptions:
      directory:
        description:
          - The folder with the files, at most 100,000 of at most 25 MiB each. It is found as O(path) is; the module must run on the
            controller.
          - The files C(_headers) and C(_redirects) in it are not served; they say how the others are.
          - The lines of a file C(.assetsignore) leave files out, as those of a C(.gitignore) do. C(.DS_Store), C(.git) and
            C(node_modules) are left out anyway.
        type: path
        required: true
      binding:
        description: The name by which the code finds them in its C(env). Without one there is no such binding.
        type: str
      html_handling:
        description: Which addresses lead to a page. Cloudflare's default is V(auto-trailing-slash).
        type: str
        choices: [auto-trailing-slash, force-trailing-slash, drop-trailing-slash, none]
      not_found_handling:
        description:
          - What answers where there is no file. Cloudflare's default is V(none), which leaves it to the code, or answers with an empty 404.
          - V(404-page) takes the nearest C(404.html), V(single-page-application) takes C(/index.html).
        type: str
        choices: [none, 404-page, single-page-application]
      run_worker_first:
        description:
          - Whether the code answers even where there is a file, V(true) or V(false), or for which paths it does, as a list such as
            V([/api/*, "!/api/docs/*"]).
        type: raw
      base_path:
        description: The path below which the files are, such as V(/docs).
        type: str
  compatibility_date:
    description:
      - The date whose behaviour of the Workers runtime the Worker was written for, in quotes, such as V('2026-11-01').
      - Needed, because without one Cloudflare takes the behaviour of 2021-11-02.
    type: str
  compatibility_flags:
    description:
      - Single changes of the runtime to switch on or off, such as V(nodejs_compat).
      - Left as they are if not given; null removes them.
    type: list
    elements: str
  limits:
    description:
      - How much a request may use. Left as they are if not given; null removes them.
    type: dict
    suboptions:
      cpu_ms:
        description: Milliseconds of CPU time.
        type: int
      subrequests:
        description: Requests that the Worker may send while it answers one.
        type: int
  observability:
    description:
      - What Cloudflare records of the Worker's requests. What is not given in it stays as it is; null switches it off.
    type: dict
    suboptions:
      enabled:
        description: Whether anything is recorded.
        type: bool
        required: true
      head_sampling_rate:
        description: The share of requests that is recorded, from 0 to 1.
        type: float
      logs:
        description: What becomes of logs.
        type: dict
        suboptions:
          enabled:
            description: Whether what the Worker logs is kept.
            type: bool
            required: true
          invocation_logs:
            description: Whether each request is logged.
            type: bool
            required: true
          head_sampling_rate: &rate
            description: The share of requests of which it is kept, from 0 to 1.
            type: float
          persist: &persist
            description: Whether Cloudflare stores it.
            type: bool
          destinations: &destinations
            description: Names of the destinations that it is sent to.
            type: list
            elements: str
      traces:
        description: What becomes of traces.
        type: dict
        suboptions:
          enabled:
            description: Whether requests are traced.
            type: bool
          head_sampling_rate: *rate
          persist: *persist
          destinations: *destinations
  placement:
    description:
      - Where the Worker runs, if not near its visitors. Left as it is if not given; null means near them.
    type: dict
    suboptions:
      mode:
        description: V(smart) lets Cloudflare choose by what the Worker asks; V(targeted) is near what the others name.
        type: str
        choices: [smart, targeted]
      region:
        description: A region of a cloud, such as V(aws:us-east-1).
        type: str
      hostname:
        description: A host that is asked over HTTP.
        type: str
      host:
        description: A host and port.
        type: str
  logpush:
    description: Whether logs are pushed. Left as it is if not given; null means no.
    type: bool
  tail_consumers:
    description:
      - Workers that are told of every request of this one. Left as they are if not given; null removes them.
    type: list
    elements: dict
    suboptions:
      service:
        description: The name of the Worker.
        type: str
        required: true
      namespace:
        description: The dispatch namespace that it is in, if it is in one.
        type: str
      environment:
        description: Its environment, by default C(production).
        type: str
  cache_options:
    description:
      - Whether answers of the Worker are kept in Cloudflare's cache in front of it. What is not given in it stays as it is; null switches it off.
    type: dict
    suboptions:
      enabled:
        description: Whether they are.
        type: bool
        required: true
      cross_version_cache:
        description: Whether what an earlier version of the Worker answered is used too.
        type: bool
  usage_model:
    description:
      - How the Worker is billed, one of V(standard), V(bundled) and V(unbound). Left as it is if not given; null means V(standard).
    type: str
  migrations:
    description:
      - How its Durable Object classes came to be, step by step. Only the steps after the one where the Worker stands are sent.
      - A Worker that stands at a step which is not among them is refused, unless O(allow_replace=true).
    type: list
    elements: dict
    suboptions:
      tag:
        description: The name of the step, unique among them.
        type: str
        required: true
      new_sqlite_classes:
        description: Classes that get storage.
        type: list
        elements: str
      new_classes:
        description: Classes that get storage of the older kind, without SQL.
        type: list
        elements: str
      deleted_classes:
        description: Classes whose storage is deleted, with all that it holds.
        type: list
        elements: str
      renamed_classes:
        description: Classes whose storage another class takes over.
        type: list
        elements: dict
        suboptions:
          from:
            description: The class that had it.
            type: str
            required: true
          to:
            description: The class that gets it.
            type: str
            required: true
      transferred_classes:
        description: Classes that take over the storage of another Worker's class.
        type: list
        elements: dict
        suboptions:
          from:
            description: The class of the other Worker.
            type: str
            required: true
          from_script:
            description: The other Worker.
            type: str
            required: true
          to:
            description: The class that gets it.
            type: str
            required: true
  bindings:
    description:
      - What the Worker finds in its C(env), by name. With this option, or with O(vars), bindings that are not declared are
        removed, unless O(unmanaged_bindings=keep). Without both, bindings stay as they are.
      - Secrets are given as O(secrets).
    type: list
    elements: dict
    suboptions:
      name:
        description: The name in C(env).
        type: str
        required: true
      type:
        description:
          - What it is, in Cloudflare's words. Secrets are given as O(secrets).
          - One of V(plain_text), V(json), V(kv_namespace), V(dispatch_namespace), V(service), V(r2_bucket), V(d1), V(queue),
            V(durable_object_namespace), V(workflow), V(analytics_engine), V(ratelimit), V(version_metadata), V(hyperdrive),
            V(vectorize), V(secrets_store_secret), V(mtls_certificate), V(send_email), V(pipelines), V(vpc_service), V(vpc_network),
            V(ai), V(ai_search), V(ai_search_namespace), V(agent_memory), V(messaging), V(artifacts), V(flagship), V(k2), V(browser),
            V(images), V(media), V(stream), V(worker_loader), V(websearch) and V(inherit); or another one that only Cloudflare
            knows, with C(options) and a warning.
          - V(inherit) keeps a binding of the Worker as it is, without saying what it is.
        type: str
        required: true
      text:
        description: The text of a C(plain_text).
        type: str
      json:
        description: The value of a C(json), of any shape.
        type: raw
      namespace_id:
        description:
          - The id of the KV namespace of a C(kv_namespace), instead of its title.
          - What names the count of a C(ratelimit), a number of your own. Workers that share it count together.
          - The id of the storage of a C(durable_object_namespace), which Cloudflare fills in.
        type: str
      title:
        description: The title of the KV namespace of a C(kv_namespace), instead of its id.
        type: str
      namespace:
        description: The name of what a C(dispatch_namespace), C(ai_search), C(ai_search_namespace), C(agent_memory), C(messaging) or C(artifacts) leads to.
        type: str
      outbound:
        description: Through which Worker all requests go that are sent by the Workers behind a C(dispatch_namespace).
        type: dict
        suboptions:
          worker:
            description: That Worker.
            type: dict
            required: true
            suboptions:
              service:
                description: Its name.
                type: str
                required: true
              environment:
                description: Its environment, by default V(production).
                type: str
              entrypoint:
                description: Which of its classes, if not the default one.
                type: str
          params:
            description: What the router may hand to that Worker with each request, which finds it in its own C(env).
            type: list
            elements: dict
            suboptions:
              name:
                description: The name of the parameter.
                type: str
                required: true
      service:
        description: The name of the Worker of a C(service).
        type: str
      environment:
        description: The environment of the Worker of a C(service) or a C(durable_object_namespace), by default V(production).
        type: str
      entrypoint:
        description: Which class of the Worker of a C(service), if not the default one.
        type: str
      props:
        description: What the Worker of a C(service) finds in its context when it is asked by this one.
        type: dict
      bucket_name:
        description: The name of the bucket of an C(r2_bucket).
        type: str
      jurisdiction:
        description: Where the bucket of an C(r2_bucket) must be, such as V(eu), if it was made so.
        type: str
      database_id:
        description: The id of the database of a C(d1), instead of its name.
        type: str
      database_name:
        description: The name of the database of a C(d1), instead of its id.
        type: str
      queue_name:
        description: The name of the queue of a C(queue).
        type: str
      delivery_delay:
        description: The seconds that messages to a C(queue) wait before they are delivered.
        type: int
      class_name:
        description: The class of a C(durable_object_namespace) or a C(workflow).
        type: str
      script_name:
        description: The Worker that has the class of a C(durable_object_namespace) or a C(workflow), if not this one.
        type: str
      dispatch_namespace:
        description: The dispatch namespace that the Worker with the class of a C(durable_object_namespace) is in, if it is in one.
        type: str
      workflow_name:
        description: The name of a C(workflow).
        type: str
      dataset:
        description: The dataset of an C(analytics_engine).
        type: str
      simple:
        description: What a C(ratelimit) allows.
        type: dict
        suboptions:
          limit:
            description: How many requests of one key.
            type: int
            required: true
          period:
            description: In how many seconds.
            type: int
            required: true
            choices: [10, 60]
          mitigation_timeout:
            description: For how many seconds a key is refused that was over the limit.
            type: int
      id:
        description: The id of the configuration of a C(hyperdrive).
        type: str
      index_name:
        description: The name of the index of a C(vectorize).
        type: str
      store_id:
        description: The id of the store of a C(secrets_store_secret).
        type: str
      secret_name:
        description: The name of the secret in the store of a C(secrets_store_secret).
        type: str
      certificate_id:
        description: The id of the certificate of an C(mtls_certificate).
        type: str
      destination_address:
        description: The only address that a C(send_email) sends to.
        type: str
      allowed_destination_addresses:
        description: The addresses that a C(send_email) may send to.
        type: list
        elements: str
      allowed_sender_addresses:
        description: The addresses that a C(send_email) may send from.
        type: list
        elements: str
      pipeline:
        description: The name of the pipeline of a C(pipelines), instead of a stream.
        type: str
      stream:
        description: The stream of a C(pipelines), instead of a pipeline, or of a C(k2).
        type: str
      service_id:
        description: The id of a C(vpc_service).
        type: str
      tunnel_id:
        description: The id of the tunnel of a C(vpc_network), instead of a network.
        type: str
      network_id:
        description: The id of the network of a C(vpc_network), instead of a tunnel.
        type: str
      instance_name:
        description: The name of the instance of an C(ai_search).
        type: str
      app_id:
        description: The id of the app of a C(flagship).
        type: str
      old_name:
        description: The name that the binding of an C(inherit) has so far, if it is to have a new one.
        type: str
      options:
        description: What else the binding says, as Cloudflare's API spells it, for types and options that are not listed here.
        type: dict
  vars:
    description:
      - Variables by name, the short form of bindings. A string becomes C(plain_text), everything else C(json); null removes one.
      - Without O(bindings), only C(plain_text) and C(json) bindings that are not declared are removed.
    type: dict
  secrets:
    description:
      - Secrets by name. Secrets that are not named stay as they are; null removes one, and null for the whole option all.
      - A secret is a text, or a key of the Web Crypto API, which is a dictionary of C(algorithm), C(format), C(usages), and
        C(key_base64) or C(key_jwk).
      - Cloudflare never gives a secret back. O(update_secrets) says when a value is sent.
    type: dict
  tags:
    description:
      - Tags of the Worker, 6 at most. Cloudflare allows 8, and 2 are this collection's own.
      - Left as they are if not given; null removes them.
    type: list
    elements: str
  unmanaged_bindings:
    description:
      - What becomes of bindings that are not declared, see O(bindings). Secrets are never among them. By default they are removed.
    type: str
    choices: [remove, keep]
    default: remove
"""

    # Annotated, or ansible-test would want it literal: it is the same text again, deeper.
    FLEET: str = rf"""
options:
  defaults:
    description:
      - What applies to every Worker that does not say otherwise.
      - C(vars) and C(secrets) are merged by key; everything else that a Worker gives replaces the default.
    type: dict
    suboptions: &worker
{within(DOCUMENTATION)}
  workers:
    description:
      - The Workers, each with its name and what it does not share with the others.
      - This or O(workers_file) is needed with O(state=present). With O(state=absent) and without both, all Workers of O(owner) are meant,
        which must then be given.
      - More than about a thousand belong into O(workers_file), since Ansible itself takes seconds for a long variable.
    type: list
    elements: dict
    suboptions:
      <<: *worker
      name:
        description: The name of the Worker, unique in its dispatch namespace.
        type: str
        required: true
      hostnames:
        description: The host names that lead to the Worker, by records in O(routing_kv).
        type: list
        elements: str
  workers_file:
    description:
      - A file that declares Workers as O(workers) does, besides those of O(workers), as a list in JSON (C(.json)) or YAML (C(.yml), C(.yaml)) or with a
        Worker in JSON on each line (C(.jsonl), C(.ndjson)). JSON is read many times faster.
      - What it holds is data, and never a template. A vaulted file is decrypted, and so are vaulted values in YAML. Dates need no quotes.
      - It is on the controller, and found as C(path) is.
    type: path
"""

    INFO = r"""
options:
  name:
    description: The name of the Worker that is meant. Without it, all are.
    type: str
  owner:
    description: Only the Workers that this collection keeps for this owner.
    type: str
  tags:
    description:
      - Only the Workers that have or have not certain tags, as Cloudflare filters by them, V(plan-pro:yes) or V(beta:no). A Worker must fit
        all of these.
    type: list
    elements: str
  detail:
    description:
      - How much of each Worker is read, once they are chosen.
      - V(listing) is what a listing tells, and costs no request for a Worker.
      - V(settings) is that, and the settings, bindings and names of secrets of each Worker, for one request each.
      - V(content) is all of it, and the modules of each Worker, for two requests each.
    type: str
    choices: [listing, settings, content]
    default: listing
"""

    SECRETS = r"""
options:
  fingerprint_key:
    description:
      - A secret by which secrets are hashed, so that changed values are noticed without being kept anywhere. The hash is kept in one of the
        Worker's tags.
      - If it is not given, the environment variable E(CLOUDFLARE_FINGERPRINT_KEY) is used. Use the same everywhere.
    type: str
  update_secrets:
    description:
      - When the values of secrets are sent that exist already.
      - V(on_change) sends all named secrets if any of them changed, by one keyed hash of them in a tag of the Worker.
        Needs O(fingerprint_key), and is the default
        with it.
      - V(on_create) never. This is the default without a key, with a warning.
      - V(always) in every run, which is then never without a change.
    type: str
    choices: [on_change, on_create, always]
"""

    OWNERSHIP = r"""
options:
  owner:
    description:
      - Whose Worker this is, 1 to 40 lower-case letters, digits and C(-). Kept in one of the Worker's tags.
      - A Worker of another owner is refused, unless O(take_over=true). One without an owner is adopted.
    type: str
    default: default
  take_over:
    description: Whether a Worker of another owner may be changed or removed. It then becomes this owner's.
    type: bool
    default: false
  allow_replace:
    description:
      - Whether a Worker may be deleted and made anew where no C(migrations) lead from what it is. What its Durable Objects hold is lost then.
      - Where it has secrets or assets, they must be given, or null, as nobody can read them. Its cron triggers, routes and domains are not made anew.
    type: bool
    default: false
  drift_detection:
    description:
      - How deep to look for what others have changed.
      - With V(fingerprint) the tag of the last upload is believed, unless the Worker was changed since.
      - With V(settings) bindings, settings and the names of secrets are compared in every run, with V(content) the code too. That is one more
        request for each Worker, or two.
    type: str
    choices: [fingerprint, settings, content]
    default: fingerprint
  rebundle:
    description:
      - Whether a Worker is uploaded anew that another version of C(esbuild) has made of the same sources.
      - Without it, a warning counts those Workers.
    type: bool
    default: false
  source_root:
    description:
      - The folder of the controller that relative paths in C(path), C(entrypoint) and the C(directory) of C(assets) start from.
      - By default they are looked for as M(ansible.builtin.template) looks for its source.
    type: path
"""
