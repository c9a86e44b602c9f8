// The agent desk: what the server rendered, kept current.

import { age } from "./ages.js";
import { listen } from "./keys.js";
import { follow } from "./stream.js";
import { extend, swap } from "./swap.js";

const BEHIND_MS = 2000;

const main = document.getElementById("main");
const card = document.getElementById("card");
const calls = document.getElementById("calls");
const state = document.getElementById("state");
const news = document.getElementById("news");
let heardAt = new Date();

function address() {
  const query = new URLSearchParams();
  if (main.dataset.asked) query.set("id", main.dataset.asked);
  if (main.dataset.call) query.set("call", main.dataset.call);
  if (main.dataset.shown) query.set("shown", main.dataset.shown);
  return `/desk/stream?${query}`;
}

function tell(name, text) {
  const said = state.querySelector(".said");
  state.dataset.state = name;
  if (said.textContent !== text) said.textContent = text;
}

function beat({ lag_ms: lag, away }) {
  const clock = heardAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (away) return tell("away", `Data not reachable, as of ${clock}`);
  heardAt = new Date();
  if (lag >= BEHIND_MS) return tell("behind", `${Math.round(lag / 1000)} s behind`);
  return tell("live", "Live");
}

function showCard({ html, shown }) {
  const fresh = swap(card, html);
  main.dataset.shown = shown;
  document.getElementById("notice")?.remove();
  const entry = fresh.find((each) => each.classList.contains("entry"));
  if (entry) news.textContent = `New: ${entry.querySelector(".summary").textContent}`;
}

function showCalls({ html }) {
  swap(calls, html);
  markOpen();
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
age(document);
setInterval(() => age(document), 1000);
markOpen();
listen(document.getElementById("q"), calls, main);
card.addEventListener("click", older);
card.addEventListener("toggle", explain, true); // it does not bubble
follow(address, {
  card: showCard,
  calls: showCalls,
  beat,
  lost: () => tell("lost", "Connection lost, trying again"),
  signedOut: () => location.reload(),
});
