// Times that grow old: "12 s ago", "4 min ago", then the clock that the server wrote.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What to show for a time that was `age` ms ago; null where the server's own text says it better. */
export function said(age) {
  if (age < 5 * SECOND) return "just now";
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  return null;
}

/** `m:ss`, for something that still goes on. */
export function counted(age) {
  const seconds = Math.max(0, Math.floor(age / SECOND));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Bring all times below `root` up to `now`. */
export function age(root, now = Date.now()) {
  for (const time of root.querySelectorAll("time[data-ms]")) {
    time.dataset.clock ??= time.textContent;
    const old = now - Number(time.dataset.ms);
    const text = time.dataset.count === "up" ? counted(old) : said(old) ?? time.dataset.clock;
    if (time.textContent !== text) time.textContent = text;
  }
}
