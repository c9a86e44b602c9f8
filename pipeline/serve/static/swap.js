// Puts a newer fragment in place of an older one, and touches only what differs: focus, selection and scrolling stay.
// Elements are the same when their key is (data-part, data-day, data-key), or else their tag and position.

import { age } from "./ages.js";

const FRESH_MS = 2500;

/** Make `target` hold what `html` says. Returns the elements with a data-key that are new. */
export function swap(target, html) {
  const next = new DOMParser().parseFromString(`<div>${html}</div>`, "text/html").body.firstElementChild;
  const now = Date.now();
  age(target, now);
  age(next, now);
  keepOlder(target, next);
  const fresh = [];
  children(target, next, fresh);
  for (const each of fresh) shine(each);
  return fresh;
}

/** Add what a further page of the timeline holds to the list of days. */
export function extend(days, more) {
  const known = new Set([...days.querySelectorAll(".entry")].map((each) => each.dataset.key));
  for (const entry of more.querySelectorAll(".entry")) {
    if (!known.has(entry.dataset.key)) place(days, entry);
  }
  age(days);
}

function keyOf(element) {
  return element.dataset.part ?? element.dataset.day ?? element.dataset.key ?? null;
}

function same(a, b) {
  return a.tagName === b.tagName && keyOf(a) === keyOf(b);
}

function children(target, next, fresh) {
  const keyed = new Map();
  for (const each of target.children) {
    const key = keyOf(each);
    if (key !== null) keyed.set(key, each);
  }
  let at = target.firstElementChild;
  if (!next.firstElementChild || !target.firstElementChild) {
    fresh.push(...next.querySelectorAll("[data-key]"));
    target.replaceChildren(...next.childNodes);
    return;
  }
  for (const wanted of [...next.children]) {
    const key = keyOf(wanted);
    const found = key === null ? (at && same(at, wanted) ? at : null) : keyed.get(key);
    if (!found || found.tagName !== wanted.tagName) {
      fresh.push(...(wanted.dataset.key !== undefined ? [wanted] : wanted.querySelectorAll("[data-key]")));
      target.insertBefore(wanted, at);
      continue;
    }
    if (found === at) at = at.nextElementSibling;
    else target.insertBefore(found, at);
    element(found, wanted, fresh);
  }
  while (at) {
    const gone = at;
    at = at.nextElementSibling;
    gone.remove();
  }
}

function element(found, wanted, fresh) {
  if (found.isEqualNode(wanted)) return;
  if (wanted.dataset.keep !== undefined && found.dataset.keep === wanted.dataset.keep) return; // the page fills it
  for (const { name } of [...found.attributes]) if (!wanted.hasAttribute(name)) found.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (found.getAttribute(name) !== value) found.setAttribute(name, value);
  // Text beside elements has no key: such an element is taken whole.
  const mixed = [...wanted.childNodes].some((each) => each.nodeType === Node.TEXT_NODE && each.data.trim());
  if (mixed || !wanted.firstElementChild) found.replaceChildren(...wanted.childNodes);
  else children(found, wanted, fresh);
}

/** The server sends the newest entries; older ones that the page holds stay, as long as nothing between has gone. */
function keepOlder(target, next) {
  const days = next.querySelector("[data-list='days']");
  const shown = target.querySelector("[data-list='days']");
  if (!days || !shown || days.dataset.person !== shown.dataset.person) return;
  const wanted = [...days.querySelectorAll(".entry")];
  const keys = new Set(wanted.map((each) => each.dataset.key));
  const floor = Number(wanted.at(-1)?.dataset.at ?? Infinity);
  const held = [...shown.querySelectorAll(".entry")];
  const dropped = held.filter((each) => !keys.has(each.dataset.key));
  if (dropped.length === held.length) return; // more has happened than is sent: what is between is not here
  if (dropped.some((each) => Number(each.dataset.at) >= floor)) return;
  for (const each of dropped) place(days, each);
  const further = target.querySelector("[data-more]");
  const offered = next.querySelector("[data-more]");
  if (dropped.length && offered) {
    if (further) offered.replaceWith(further.cloneNode(true));
    else offered.remove();
  }
}

/** Put a copy of an entry at the end of its day, and the day at the end of the list where it is new. */
function place(days, entry) {
  const day = entry.closest("[data-day]");
  let there = days.querySelector(`[data-day="${day.dataset.day}"]`);
  if (!there) {
    there = day.cloneNode(false);
    there.append(day.querySelector("h3").cloneNode(true));
    const list = document.createElement("ol");
    list.className = "entries";
    there.append(list);
    days.append(there);
  }
  there.querySelector(".entries").append(entry.cloneNode(true));
}

function shine(element) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent-soft");
  element.animate([{ backgroundColor: accent }, { backgroundColor: accent, offset: 0.4 }, {}], FRESH_MS);
}
