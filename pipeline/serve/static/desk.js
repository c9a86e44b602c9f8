// The agent desk: what the server rendered, kept current.

import { age } from "./ages.js";
import { listen, verifies } from "./keys.js";
import { status } from "./state.js";
import { follow, painted } from "./stream.js";
import { extend, swap } from "./swap.js";

const OPENED = "throughline_opened"; // when the newest call rang whose card was opened here

const main = document.getElementById("main");
const card = document.getElementById("card");
const calls = document.getElementById("calls");
const news = document.getElementById("news");
const note = document.querySelector("#note form");
const { beat, lost } = status(document.getElementById("state"));

function address(last) {
  const query = new URLSearchParams();
  if (main.dataset.asked) query.set("id", main.dataset.asked);
  if (main.dataset.call) query.set("call", main.dataset.call);
  query.set("last", last ?? `${main.dataset.shown}.${sessionStorage.getItem(OPENED) ?? 0}`);
  return `/desk/stream?${query}`;
}

function showCard({ html }) {
  const fresh = swap(card, html);
  awaitOlder();
  document.getElementById("notice")?.remove();
  const entry = fresh.find((each) => each.classList.contains("entry"));
  if (entry) news.textContent = `New: ${entry.querySelector(".summary").textContent}`;
}

function showCalls({ html }) {
  swap(calls, html);
  markOpen();
}

/** A call rings at this desk's extension: its card opens by itself, but not under the hands of somebody who writes. */
function openCall({ path, caller, rang }) {
  opened(rang);
  if (!unsent()) return location.assign(path);
  const incoming = document.getElementById("incoming");
  incoming.querySelector(".caller").textContent = caller;
  incoming.querySelector("a").href = path;
  incoming.hidden = false;
}

function opened(rang) {
  const before = Number(sessionStorage.getItem(OPENED) ?? 0);
  sessionStorage.setItem(OPENED, String(Math.max(before, rang)));
}

function unsent() {
  return ["text", "issue", "outcome"].some((name) => note?.elements[name].value.trim());
}

function markOpen() {
  for (const link of calls.querySelectorAll("a")) {
    const call = new URLSearchParams(link.search).get("call");
    const same = main.dataset.call
      ? call === main.dataset.call
      : decodeURIComponent(link.pathname) === decodeURIComponent(location.pathname);
    if (same) link.setAttribute("aria-current", "page");
  }
}

/** Whoever scrolls to the end of the timeline is shown how it goes on, a page each time they get there. */
const ends = new IntersectionObserver((seen) => {
  for (const each of seen) if (each.isIntersecting) each.target.click();
});
let end = null;
let scrolled = false;

function awaitOlder() {
  if (!scrolled) return;
  const link = card.querySelector("[data-more]");
  if (link === end) return;
  if (end) ends.unobserve(end);
  if (link) ends.observe(link);
  end = link;
}

async function older(event) {
  const link = event.target.closest?.("[data-more]");
  if (!link) return;
  event.preventDefault();
  if (link.getAttribute("aria-busy") === "true") return;
  link.setAttribute("aria-busy", "true");
  const answer = await fetch(link.href);
  if (!answer.ok) {
    link.removeAttribute("aria-busy");
    link.textContent = "Older interactions cannot be read at the moment. Try again";
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  extend(card.querySelector("[data-list='days']"), page);
  const further = page.querySelector("[data-more]");
  if (further) {
    link.setAttribute("href", further.getAttribute("href"));
    link.removeAttribute("aria-busy");
  } else {
    link.parentElement.remove();
  }
}

async function explain(event) {
  const section = event.target;
  if (!section.open || !section.matches?.("details.identity")) return;
  const body = section.querySelector(".identity-body");
  if (!body.childElementCount || body.querySelector("a:only-child")) body.textContent = "…";
  try {
    const answer = await fetch(section.dataset.path);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const said = page.querySelector("[data-why]");
    if (!answer.ok || !said) throw new Error(answer.statusText);
    body.replaceChildren(...said.childNodes);
    age(body);
  } catch {
    body.textContent = "This cannot be read at the moment. Close and open it to try again.";
  }
}

document.cookie = `throughline_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/desk; max-age=31536000; samesite=strict`;
opened(Number(main.dataset.rang));
if (!matchMedia("(min-width: 721px)").matches) document.getElementById("note")?.removeAttribute("open");
age(document);
setInterval(() => age(document), 1000);
markOpen();
listen(document.getElementById("q"), calls, main);
verifies();
card.addEventListener("click", older);
card.addEventListener("toggle", explain, true); // it does not bubble
addEventListener("scroll", () => {
  scrolled = true;
  awaitOlder();
}, { once: true, passive: true });
painted(() => follow(address, "/desk", {
  card: showCard,
  calls: showCalls,
  rings: openCall,
  beat,
  lost,
  signedOut: () => location.reload(),
}, !main.dataset.extension)); // a call is to open its card also behind another window
