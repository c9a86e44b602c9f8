// Finding a touchpoint by typing: what does not match is hidden, Enter opens the first that does, arrows walk them.

const search = document.getElementById("q");
const links = [...document.querySelectorAll("#touchpoints a")];
const none = document.getElementById("none");

const shown = () => links.filter((each) => !each.parentElement.hidden);

function narrow() {
  const wanted = search.value.trim().toLocaleLowerCase();
  for (const link of links) link.parentElement.hidden = !link.textContent.toLocaleLowerCase().includes(wanted);
  for (const group of document.querySelectorAll("#touchpoints section")) group.hidden = !group.querySelector("li:not([hidden])");
  none.textContent = shown().length ? "" : "No touchpoint is called so.";
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
  const found = shown();
  const at = found.indexOf(document.activeElement);
  if (event.key === "/" && document.activeElement !== search) search.select();
  else if (event.key === "Enter" && document.activeElement === search && found.length) found[0].click();
  else if (event.key === "ArrowDown" && found.length) found[Math.min(at + 1, found.length - 1)].focus();
  else if (event.key === "ArrowUp" && at >= 0) (found[at - 1] ?? search).focus();
  else return;
  event.preventDefault();
});

search.addEventListener("input", narrow);
search.closest(".find").hidden = false;
if (matchMedia("(hover: hover)").matches) search.focus(); // a phone would open its keyboard over the list
narrow();
