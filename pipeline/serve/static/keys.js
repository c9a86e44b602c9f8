// The keyboard: `/` searches, arrows walk the ringing calls, V says that the caller is verified, N notes the call,
// O opens the card of a call that rings meanwhile, Escape leaves a field.

const FIELDS = "input:not([type=radio]), textarea, select"; // where letters are letters

/** Listen on the page. */
export function listen(search, calls, main) {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const typing = event.target.closest?.(FIELDS);
    if (event.key === "/" && (!typing || (typing === search && !search.value))) {
      search.focus();
      search.select();
    } else if (event.key === "Escape" && typing) {
      main.focus();
    } else if (event.key === "n" && !typing && document.getElementById("note")) {
      document.getElementById("note").open = true;
      document.getElementById("issue").focus();
    } else if (event.key === "o" && !typing && !document.getElementById("incoming").hidden) {
      document.getElementById("open-incoming").click();
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

/** V presses the button that says so, where there is one. */
export function verifies() {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat || event.key !== "v") return;
    if (event.target.closest?.(FIELDS)) return;
    document.getElementById("verify")?.click();
  });
}
