// The map: a change of what is shown is shown at once, a node opens beside the map, and what is still being counted
// is looked for again. Without this script the form has a button, and nodes are links to pages.

const AGAIN_MS = [1500, 2500, 4000, 6000, 10000]; // then as the last one
const AGAIN_MAX = 60;

const form = document.querySelector(".choose");
const panel = document.getElementById("panel");
const frame = document.querySelector(".frame");
const print = document.querySelector(".print");
let opener = null;
let asked = 0;

form.querySelector("button").hidden = true;
for (const select of form.querySelectorAll("select")) select.addEventListener("change", () => form.requestSubmit());
print.hidden = false;
print.addEventListener("click", () => window.print());

/** A touchpoint's node, drawn or, on a narrow screen, listed: of the two the one that is shown. */
function nodeOf(name) {
  const found = [...frame.querySelectorAll(`[data-node="${CSS.escape(name)}"]`)];
  return found.find((each) => each.getClientRects().length);
}

function close() {
  asked += 1; // what is still on its way is not wanted
  panel.hidden = true;
  panel.replaceChildren();
  const back = opener && nodeOf(opener);
  opener = null;
  back?.focus();
}

async function open(link) {
  const mine = (asked += 1);
  opener = link.dataset.node;
  panel.hidden = false;
  panel.setAttribute("aria-busy", "true");
  const address = new URL(link.href.baseVal ?? link.href, location.href);
  try {
    await fill(`${address}&fragment=1&words=0`, mine); // words of customers take longest to find
    if (mine !== asked) return;
    panel.removeAttribute("aria-busy");
    panel.focus();
    await fill(`${address}&fragment=1`, mine);
  } catch {
    if (mine === asked) location.assign(address); // its own page says what is the matter
  }
}

/** Put what an address says into the panel, unless another touchpoint was opened, or it was closed, meanwhile. */
async function fill(address, mine) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(answer.status);
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  if (mine !== asked) return;
  const held = panel.querySelector(".shut");
  panel.replaceChildren(held ?? shut(), ...found.childNodes);
}

function shut() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet shut";
  button.textContent = "Close";
  button.addEventListener("click", close);
  return button;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-node]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open(link);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !panel.hidden) close();
});

async function again(times) {
  const state = document.querySelector(".map-state");
  if (state.dataset.coming !== "yes" || times >= AGAIN_MAX) return;
  await new Promise((done) => setTimeout(done, AGAIN_MS[Math.min(times, AGAIN_MS.length - 1)]));
  if (!document.hidden) await fetched(state);
  again(times + 1);
}

async function fetched(state) {
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const drawn = next.querySelector(".frame");
    if (!drawn) return;
    const focused = document.activeElement?.dataset?.node;
    frame.replaceChildren(...drawn.childNodes);
    state.dataset.coming = next.querySelector(".map-state").dataset.coming;
    state.querySelector("p").replaceChildren(...next.querySelector(".map-state p").childNodes);
    if (focused) nodeOf(focused)?.focus();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // not reached: it is tried again
  }
}

again(0);
