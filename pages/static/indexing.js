// Indexing as it goes on: how far it is, the first faces, and how to pause, go on and stop.
import { ask, faceItem, part, send } from "./dom.js";

const FEW = 18; // faces shown while they come in
const ENDED = ["done", "failed", "idle"];

const panel = document.getElementById("indexing");
const form = document.getElementById("folder-form");
const problem = document.getElementById("folder-problem");
const faces = document.getElementById("new-faces");
let began = panel.dataset.status;
let looking = false;

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    show(await send("/api/indexing", { folders: [form.elements.folder.value] }));
    follow();
  } catch (error) {
    problem.textContent = error.message;
  }
});
for (const button of panel.querySelectorAll("[data-change]")) {
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      show(await send(`/api/indexing/${button.dataset.change}`));
    } catch (error) {
      part(panel, "figures").textContent = error.message;
    }
  });
}
let events = null;
if (!ENDED.includes(began)) follow();

/** Listen while there is something to hear: a browser has few connections to one server. */
function follow() {
  events ??= new EventSource("/api/indexing/events");
  events.onmessage = (event) => show(JSON.parse(event.data));
}

/** Show how far the indexing is. */
function show(state) {
  const running = state.status === "running";
  panel.hidden = state.status === "idle";
  panel.dataset.status = state.status;
  const words = { running: state.what, paused: "Paused", pausing: "Pausing", stopping: "Stopping", done: "Done", failed: "Not done" };
  part(panel, "what").textContent = words[state.status] ?? "";
  const of = state.total === null ? "" : ` of ${state.total.toLocaleString("en")}`;
  const count = running && state.total !== null ? `${state.done.toLocaleString("en")}${of} photographs, ${state.note}` : "";
  part(panel, "figures").textContent = (running ? count : state.message).replace(/, $/, "");
  const bar = part(panel, "bar");
  bar.hidden = ENDED.includes(state.status);
  if (state.total) Object.assign(bar, { max: state.total, value: state.done });
  else bar.removeAttribute("value");
  const shown = { pause: running, stop: running || state.status === "paused", resume: state.status === "paused" };
  for (const button of panel.querySelectorAll("[data-change]")) button.hidden = !shown[button.dataset.change];
  if (ENDED.includes(state.status)) {
    events?.close();
    events = null;
  }
  if (faces) showFaces();
  // What the library shows has changed.
  else if (state.status === "done" && began === "running") location.reload();
  began = state.status;
}

/** Show the newest faces; before the first there is nothing to ask. */
async function showFaces() {
  if (looking || began === "idle") return;
  looking = true;
  try {
    const found = await ask(`/api/faces/newest?count=${FEW}`);
    const known = new Set([...faces.querySelectorAll("a")].map((link) => link.getAttribute("href")));
    const made = found.map(faceItem).filter((item) => !known.has(item.firstChild.getAttribute("href")));
    faces.prepend(...made);
    while (faces.children.length > FEW) faces.lastChild.remove();
    document.getElementById("faces-title").hidden = document.getElementById("go").hidden = !found.length;
  } catch {
    // There is no collection before the first photographs are read.
  }
  looking = false;
}
