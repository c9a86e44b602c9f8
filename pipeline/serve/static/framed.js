// One card in another tool's page, kept current until its token is over.

import { age } from "./ages.js";
import { verifies } from "./keys.js";
import { status } from "./state.js";
import { follow } from "./stream.js";
import { swap } from "./swap.js";

const main = document.getElementById("main");
const card = document.getElementById("card");
const news = document.getElementById("news");
const { beat, lost, over } = status(document.getElementById("state"));

function address(last) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `/desk/card/stream?${new URLSearchParams({ token: main.dataset.token, zone, last: last ?? `${main.dataset.shown}.0` })}`;
}

function showCard({ html }) {
  const fresh = swap(card, html);
  document.getElementById("notice")?.remove();
  const entry = fresh.find((each) => each.classList.contains("entry"));
  if (entry) news.textContent = `New: ${entry.querySelector(".summary").textContent}`;
}

function close() {
  over();
  card.replaceChildren(); // whoever comes to this screen later should not read it
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.textContent = "This card is closed: open it again from your tool.";
  card.append(notice);
}

age(document);
setInterval(() => age(document), 1000);
verifies();
if (main.dataset.token) {
  const alive = `/desk/card?${new URLSearchParams({ token: main.dataset.token })}`;
  const stream = follow(address, alive, { card: showCard, beat, lost, over: () => (stream.end(), close()), signedOut: close });
}
