// The connection that keeps the page current, and comes back by itself.

const SILENCE_MS = 25_000; // the server says something every 10 s
const PAUSES_MS = [500, 1000, 2000, 5000, 10_000];
const HIDDEN_MS = 60_000; // a page that nobody sees gives its connection back

/** Open the desk's stream. `address()` is asked at every connection; handlers: card, calls, beat, lost, signedOut. */
export function follow(address, handlers) {
  let source = null;
  let failures = 0;
  let silence = 0;
  let hidden = 0;

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(lost, SILENCE_MS);
  }

  function open() {
    close();
    source = new EventSource(address());
    for (const name of ["card", "calls", "beat"]) {
      source.addEventListener(name, (event) => {
        failures = 0;
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
    handlers.lost();
    const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)];
    failures += 1;
    silence = setTimeout(async () => {
      try {
        const answer = await fetch("/desk", { method: "GET", redirect: "manual", cache: "no-store" });
        if (answer.status === 401) return handlers.signedOut();
      } catch {
        return lost(); // the server is not there yet
      }
      return open();
    }, pause);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.visibilityState === "hidden") hidden = setTimeout(close, HIDDEN_MS);
    else if (!source) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  open();
}
