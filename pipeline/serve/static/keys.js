// The keyboard: `/` searches, arrows walk the ringing calls, Escape leaves the search.

/** Listen on the page. */
export function listen(search, calls, main) {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "/" && (!typing || (typing === search && !search.value))) {
      search.focus();
      search.select();
    } else if (event.key === "Escape" && typing === search) {
      main.focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && walks(event, typing)) {
      step(event.key === "ArrowDown" ? 1 : -1);
    } else {
      return;
    }
    event.preventDefault();
  });

  function walks(event, typing) {
    if (!calls.querySelector("a")) return false;
    if (calls.contains(event.target)) return true;
    return typing === search ? !search.value : event.target === document.body;
  }

  function step(by) {
    const links = [...calls.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    links[at < 0 ? (by > 0 ? 0 : links.length - 1) : (at + by + links.length) % links.length].focus();
  }
}
