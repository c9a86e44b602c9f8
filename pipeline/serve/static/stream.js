// The connection that keeps the page current, and comes back by itself.

const SILENCE_MS = 25_000; // the server says something every 10 s
const PAUSES_MS = [500, 1000, 2000, 5000, 10_000];
const HIDDEN_MS = 60_000; // a page that nobody sees gives its connection back
const PAINT_MS = 500; // a page that nobody sees is not painted

/**
 * Open a live stream. `address(last)` is asked at every connection, with the id of the last event, so that it goes on
 * where it stopped; `alive` is a page that answers 401 once nobody is signed in any more. Handlers: lost, signedOut,
 * and one for each event by its name. `rests`: a page that nobody sees may give its connection back. Returns `end()`.
 */
export function follow(address, alive, handlers, rests = true) {
  let source = null;
  let last = null;
  let ended = false;
  let failures = 0;
  let silence = 0;
  let hidden = 0;

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(lost, SILENCE_MS);
  }

  function open() {
    close();
    if (ended) return;
    source = new EventSource(address(last));
    for (const name of Object.keys(handlers)) {
      if (name === "lost" || name === "signedOut") continue;
      source.addEventListener(name, (event) => {
        failures = 0;
        last = event.lastEventId;
        heard();
        handlers[name](JSON.parse(event.data));
      });
    }
    source.addEventListener("error", lost);
    heard();
  }

  function close() {
    clearTimeout(silence);
    source?.close();
    source = null;
  }

  async function lost() {
    close();
    if (ended) return;
    handlers.lost();
    const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)];
    failures += 1;
    silence = setTimeout(async () => {
      try {
        const answer = await fetch(alive, { method: "GET", redirect: "manual", cache: "no-store" });
        if (answer.status === 401) return handlers.signedOut();
      } catch {
        return lost(); // the server is not there yet
      }
      return open();
    }, pause);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (rests && document.visibilityState === "hidden") hidden = setTimeout(close, HIDDEN_MS);
    else if (!source && document.visibilityState !== "hidden") open();
  });

  function end() {
    ended = true;
    close();
  }

  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  open();
  return { end };
}

/** Do something once the page has been painted: what it shows already comes before what it will show. */
export function painted(then) {
  let done = false;
  function once() {
    if (done) return;
    done = true;
    then();
  }
  requestAnimationFrame(() => setTimeout(once));
  setTimeout(once, PAINT_MS);
}
