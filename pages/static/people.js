// People: names by keyboard, yes and no, undo; each answer shows the page anew without leaving it.
import { send } from "./dom.js";

const ANSWERS = "[data-key]";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || !form.closest("#people")) return;
  event.preventDefault();
  const content = new FormData(form, event.submitter);
  const faces = content.getAll("face").map(Number);
  const said = { kind: content.get("kind"), name: content.get("name") ?? "", faces };
  for (const name of ["group", "other"]) if (content.has(name)) said[name] = Number(content.get(name));
  // After a name the next one is due.
  const fields = [...document.querySelectorAll("#persons input[name=name]")];
  const at = fields.indexOf(form.elements.name);
  const due = at < 0 ? null : fields[at + 1]?.form.elements.group.value;
  if (at >= 0) fields[at].dataset.was = said.name.trim(); // leaving the field shall not say it again
  if (await tell(said)) await again(content.get("back") ?? location.pathname + location.search, due);
});

// A name counts when its field is left, too.
document.addEventListener("focusout", (event) => {
  const field = event.target;
  if (field.matches?.("#persons input[name=name]") && field.value.trim() && field.value.trim() !== field.dataset.was) field.form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const asked = [...document.querySelectorAll(ANSWERS)].find((one) => one.dataset.key === key);
  (key === "u" ? document.getElementById("undo") : asked)?.click();
});

/** Say something to the server; tells what is wrong with it. */
async function tell(said) {
  const problem = document.getElementById("problem");
  problem.textContent = "";
  try {
    await send("/api/people", said);
    return true;
  } catch (error) {
    problem.textContent = error.message;
    return false;
  }
}

/** Show a page of people as it is now, in place; the name of a group that is due has the focus. */
async function again(address, due) {
  const answer = await fetch(address);
  if (answer.redirected) history.replaceState(null, "", answer.url); // a group that is no more
  const made = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement?.id;
  document.getElementById("people").replaceWith(made.getElementById("people"));
  document.title = made.title;
  const field = due && document.querySelector(`#persons input[name=group][value="${due}"]`)?.form.elements.name;
  (field || (focused && document.getElementById(focused)) || document.getElementById("content")).focus();
}
