// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Keeps the page as the edge would serve it now. What did not change is not touched, and what a reader holds waits. */
const PERIOD = 1000;
const PATIENCE = 5000;

const status = document.getElementById("live");
let served = partsOf(document);
let lostAt = null;

/** What the server sent, by the id of each part: browsers write into the page too (`open` of a <details>). */
function partsOf(root) {
  return new Map(Array.from(root.querySelectorAll("[data-part]"), (part) => [part.id, part.outerHTML]));
}

function say(state, text) {
  status.dataset.state = state;
  if (status.textContent !== text) status.textContent = text;
}

/** Whether somebody selects text here or is about to enter some. */
function isHeld(element) {
  const selection = getSelection();
  return (!selection.isCollapsed && selection.containsNode(element, true))
    || (element.contains(document.activeElement) && document.activeElement.matches("input, select"));
}

/** The nearest thing with a name around an element, and which link or button of it the element is. */
function addressOf(element) {
  const named = element.closest("[id]");
  return { id: named.id, index: focusable(named).indexOf(element) };
}

function focusable(element) {
  return Array.from(element.querySelectorAll("a, button, summary, input, select"));
}

/** Put `fresh` in the place of `old`, with what was open, entered and focused there. */
function replace(old, fresh) {
  for (const { id } of old.querySelectorAll("details[open]")) fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  for (const field of old.querySelectorAll("input[name]")) {
    const same = fresh.querySelector(`input[name="${field.name}"]`);
    if (same && field.value !== field.defaultValue) same.value = field.value;
  }
  const focused = old.contains(document.activeElement) && old !== document.activeElement ? addressOf(document.activeElement) : null;
  old.replaceWith(fresh);
  const named = focused && document.getElementById(focused.id);
  if (named) focusable(named)[focused.index]?.focus({ preventScroll: true });
}

/** The first thing with a name that is in view, so that it can stay where it is. */
function landmark() {
  if (!scrollY) return null;
  const found = Array.from(document.querySelectorAll("main [id]")).find((element) => element.getBoundingClientRect().top >= 0);
  return found && { id: found.id, top: found.getBoundingClientRect().top };
}

function update(fresh) {
  const parts = partsOf(fresh);
  const alike = [...parts.keys()].join("\n") === [...served.keys()].join("\n");
  const changed = alike ? [...parts.keys()].filter((id) => parts.get(id) !== served.get(id)) : ["main"];
  const mark = changed.length ? landmark() : null;
  for (const id of changed) {
    const old = document.getElementById(id);
    if (isHeld(old)) continue;
    if (id === "main") {
      replace(old, fresh);
      served = parts;
    } else {
      replace(old, fresh.querySelector(`#${CSS.escape(id)}`));
      served.set(id, parts.get(id));
    }
  }
  const marked = mark && document.getElementById(mark.id);
  if (marked) scrollBy({ top: marked.getBoundingClientRect().top - mark.top, behavior: "instant" });
}

async function refresh() {
  try {
    const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    update(page.getElementById("main"));
    lostAt = null;
    say("live", "Live");
  } catch {
    lostAt ??= new Date().toLocaleTimeString([], { hour12: false });
    say("lost", `Not answering since ${lostAt}`);
  }
}

const pause = () => new Promise((go) => {
  if (document.hidden) document.addEventListener("visibilitychange", go, { once: true });
  else setTimeout(go, PERIOD);
});

say("live", "Live");
for (;;) {
  await pause();
  await refresh();
}
