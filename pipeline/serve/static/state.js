// What a live page says about itself: live, behind, away, lost. Never current when it is not.

const BEHIND_MS = 2000;

/** Says in `element` how things are; returns handlers for the stream's `beat` and `lost`. */
export function status(element) {
  let heardAt = new Date();

  function tell(name, text) {
    const said = element.querySelector(".said");
    element.dataset.state = name;
    if (said.textContent !== text) said.textContent = text;
  }

  function beat({ lag_ms: lag, away }) {
    const clock = heardAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    if (away) return tell("away", `Data not reachable, as of ${clock}`);
    heardAt = new Date();
    if (lag >= BEHIND_MS) return tell("behind", `${Math.round(lag / 1000)} s behind`);
    return tell("live", "Live");
  }

  return { beat, lost: () => tell("lost", "Connection lost, trying again"), over: () => tell("lost", "Closed") };
}
