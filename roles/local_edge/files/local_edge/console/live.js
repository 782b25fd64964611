// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Keeps the page up to date. Parts that are unchanged or in use by the reader are not replaced. */
const INTERVAL_MS = 1000;
const TIMEOUT_MS = 5000;

const status = document.getElementById("live");
let served = partsOf(document);
let lostAt = null;

/** Returns the HTML of each part by its id, as served: browsers change the page later (`open` of a <details>). */
function partsOf(root) {
  return new Map(Array.from(root.querySelectorAll("[data-part]"), (part) => [part.id, part.outerHTML]));
}

function showStatus(state, text) {
  status.dataset.state = state;
  if (status.textContent !== text) status.textContent = text;
}

/** Returns whether the reader has selected text in an element or edits a field in it. */
function isInUse(element) {
  const selection = getSelection();
  return (!selection.isCollapsed && selection.containsNode(element, true))
    || (element.contains(document.activeElement) && document.activeElement.matches("input, select"));
}

/** Returns the closest ancestor with an id, and the index of the element among its focusable elements. */
function addressOf(element) {
  const named = element.closest("[id]");
  return { id: named.id, index: focusable(named).indexOf(element) };
}

function focusable(element) {
  return Array.from(element.querySelectorAll("a, button, summary, input, select"));
}

/** Replaces `old` with `fresh` and keeps open details, entered text and the focus. */
function replace(old, fresh) {
  for (const { id } of old.querySelectorAll("details[open]")) {
    fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  }
  for (const field of old.querySelectorAll("input[name]")) {
    const same = fresh.querySelector(`input[name="${field.name}"]`);
    if (same && field.value !== field.defaultValue) same.value = field.value;
  }
  const { activeElement } = document;
  const focused = old.contains(activeElement) && old !== activeElement ? addressOf(activeElement) : null;
  old.replaceWith(fresh);
  const named = focused && document.getElementById(focused.id);
  if (named) focusable(named)[focused.index]?.focus({ preventScroll: true });
}

/** Returns the first visible element with an id and its position, to keep the scroll position. */
function scrollAnchor() {
  if (!scrollY) return null;
  const topOf = (element) => element.getBoundingClientRect().top;
  const found = Array.from(document.querySelectorAll("main [id]")).find((element) => topOf(element) >= 0);
  return found && { id: found.id, top: topOf(found) };
}

function update(fresh) {
  const parts = partsOf(fresh);
  const sameParts = [...parts.keys()].join("\n") === [...served.keys()].join("\n");
  const changed = sameParts ? [...parts.keys()].filter((id) => parts.get(id) !== served.get(id)) : ["main"];
  const anchor = changed.length ? scrollAnchor() : null;
  for (const id of changed) {
    const old = document.getElementById(id);
    if (isInUse(old)) continue;
    if (id === "main") {
      replace(old, fresh);
      served = parts;
    } else {
      replace(old, fresh.querySelector(`#${CSS.escape(id)}`));
      served.set(id, parts.get(id));
    }
  }
  const anchored = anchor && document.getElementById(anchor.id);
  if (anchored) scrollBy({ top: anchored.getBoundingClientRect().top - anchor.top, behavior: "instant" });
}

async function refresh() {
  try {
    const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    update(page.getElementById("main"));
    lostAt = null;
    showStatus("live", "Live");
  } catch {
    lostAt ??= new Date().toLocaleTimeString([], { hour12: false });
    showStatus("lost", `Not answering since ${lostAt}`);
  }
}

const pause = () => new Promise((go) => {
  if (document.hidden) document.addEventListener("visibilitychange", go, { once: true });
  else setTimeout(go, INTERVAL_MS);
});

showStatus("live", "Live");
for (;;) {
  await pause();
  await refresh();
}
