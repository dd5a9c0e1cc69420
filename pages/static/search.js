// The search page: a picture dropped, chosen or pasted; the head that turns; hits that follow the wishes.
import { ask, later, part } from "./dom.js";

const LIKELY = 0.5; // from this probability on a hit stands above the line

const drop = document.getElementById("drop");
if (drop) takePictures(drop);
const search = document.getElementById("search");
if (search) follow(search);

/** Take a picture however it comes, and open the search for its face. */
function takePictures(drop) {
  const problem = document.getElementById("problem");
  const input = drop.querySelector("input[type=file]");
  const upload = async (file) => {
    if (!file) return;
    problem.textContent = "";
    drop.classList.add("busy");
    drop.setAttribute("aria-busy", "true");
    try {
      const told = await ask("/api/pictures", { method: "POST", body: file });
      location.assign(`/?picture=${encodeURIComponent(told.picture)}`);
    } catch (error) {
      problem.textContent = error.message;
      drop.classList.remove("busy");
      drop.removeAttribute("aria-busy");
      input.value = "";
    }
  };
  input.addEventListener("change", () => upload(input.files[0]));
  // Anywhere on the page, so that nobody must aim.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    upload(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => upload([...event.clipboardData.files][0]));
}

/** Follow the wishes: the drawing at once, the hits as soon as they are there. */
function follow(search) {
  const form = document.getElementById("wishes");
  const drawing = document.getElementById("drawing");
  const turn = form.querySelector(".turn");
  const dial = turn && makeDial(turn, changed);
  const pictured = [...form.querySelectorAll(".worn")];
  document.getElementById("find").hidden = true;
  const below = document.getElementById("below");
  below.addEventListener("focus", () => listFolders(document.getElementById("folders")), { once: true });
  form.addEventListener("change", (event) => event.target.closest(".dial") || changed());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  redraw();

  function asked() {
    const values = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) values.append(name, value);
    return values;
  }

  function changed() {
    redraw();
    find();
  }

  /** Draw the head at every angle with all else as wished, and each thing worn at the wished angle. */
  function redraw() {
    const values = asked();
    drawing.src = `/api/drawing?${values}`;
    if (dial) {
      const others = new URLSearchParams(values);
      others.delete(dial.name);
      others.set("vary", dial.name.replace("wish-", ""));
      others.set("values", dial.values.join(","));
      dial.show(`/api/drawing?${others}`);
    }
    for (const field of pictured) drawChoices(field, values);
  }

  const find = later(120, async () => {
    const values = asked();
    const answer = document.querySelector(".answer");
    find.before?.abort();
    find.before = new AbortController();
    answer.classList.add("waiting");
    try {
      const told = await ask(`/api/search?${values}`, { signal: find.before.signal });
      history.replaceState(null, "", `/?${values}`);
      document.getElementById("filter").textContent = told.filtered;
      showHits(told);
    } catch (error) {
      if (error.name === "AbortError") return;
      document.getElementById("remarks").textContent = error.message;
    }
    answer.classList.remove("waiting");
  });
}

/** Offer the folders that there are. */
async function listFolders(list) {
  for (const folder of await ask("/api/folders")) list.appendChild(new Option(folder.path, folder.path));
}

/** Make a dial of a list of angles: a head that turns when it is dragged, and a slider for keys. */
function makeDial(turn, changed) {
  const select = turn.querySelector("select");
  const box = turn.querySelector(".dial");
  const slider = box.querySelector("input");
  const output = box.querySelector("output");
  const head = document.getElementById("head");
  const values = turn.dataset.values.split(",");
  const angles = values.map(Number);
  const strip = new Image();
  strip.className = "strip";
  strip.alt = "";
  strip.draggable = false;
  let wished = select.value !== "" || slider.value !== "0";
  // An angle between the listed ones was asked for: the slider has it.
  if (select.value) slider.value = select.value;
  select.disabled = true;
  select.hidden = true;
  box.hidden = false;
  head.classList.add("turns");
  slider.name = select.name;

  const tell = () => {
    const angle = Number(slider.value);
    const side = angle < 0 ? "left" : "right";
    const words = angle ? `${Math.abs(angle)}° ${side}` : "frontal";
    output.textContent = wished ? words : "any way";
    slider.setAttribute("aria-valuetext", wished ? words : "any way");
    slider.disabled = false;
    box.querySelector(".clear").hidden = !wished;
    if (wished) slider.name = select.name;
    else slider.removeAttribute("name"); // then the form does not send it
    place();
  };
  const place = () => {
    const angle = Number(slider.value);
    const near = angles.reduce((best, one, at) => (Math.abs(one - angle) < Math.abs(angles[best] - angle) ? at : best), 0);
    strip.style.width = `${100 * values.length}%`;
    strip.style.transform = `translateX(${(-100 * near) / values.length}%)`;
    strip.hidden = !wished;
  };
  const turned = (angle) => {
    slider.value = angle;
    wished = true;
    tell();
    changed();
  };
  slider.addEventListener("input", () => turned(slider.value));
  box.querySelector(".clear").addEventListener("click", () => {
    wished = false;
    slider.value = 0;
    tell();
    changed();
    slider.focus();
  });
  let from = null;
  head.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, angle: Number(slider.value) };
    head.setPointerCapture(event.pointerId);
  });
  head.addEventListener("pointermove", (event) => {
    if (!from) return;
    // Half the picture's width turns the head by 60 degrees, towards where it is dragged.
    const turnedBy = ((event.clientX - from.x) / head.clientWidth) * 120;
    const angle = Math.round((from.angle + turnedBy) / 5) * 5;
    const kept = Math.max(Number(slider.min), Math.min(Number(slider.max), angle));
    if (kept !== Number(slider.value)) turned(kept);
  });
  const dropped = () => (from = null);
  head.addEventListener("pointerup", dropped);
  head.addEventListener("pointercancel", dropped);
  tell();
  return {
    name: select.name,
    values,
    /** Show the drawings of all angles from this address; the old ones stay until the new are there. */
    show(address) {
      if (strip.dataset.address === address) return;
      strip.dataset.address = address;
      const next = new Image();
      next.onload = () => {
        if (strip.dataset.address !== address) return;
        strip.src = address;
        if (!strip.isConnected) head.append(strip);
        place();
      };
      next.src = address;
    },
  };
}

/** Put a small drawing of the face beside each thing that it can wear. */
function drawChoices(field, values) {
  const labels = [...field.querySelectorAll("[data-drawn]")];
  const others = new URLSearchParams(values);
  others.delete(`wish-${field.dataset.name}`);
  others.set("vary", field.dataset.name);
  others.set("values", labels.map((label) => label.dataset.drawn).join(","));
  others.set("side", "128");
  const address = `/api/drawing?${others}`;
  if (field.dataset.address === address) return;
  field.dataset.address = address;
  const next = new Image();
  next.onload = () => {
    if (field.dataset.address !== address) return;
    field.classList.add("pictured");
    for (const label of labels) {
      let mini = label.querySelector(".mini");
      if (!mini) {
        mini = document.createElement("span");
        mini.className = "mini";
        mini.setAttribute("aria-hidden", "true");
        label.querySelector("input").after(mini);
      }
      const at = labels.indexOf(label);
      const image = mini.querySelector("img") ?? mini.appendChild(new Image());
      image.alt = "";
      image.src = address;
      image.style.width = `${100 * labels.length}%`;
      image.style.transform = `translateX(${(-100 * at) / labels.length}%)`;
    }
  };
  next.src = address;
}

/** Show an answer in place of the one before. */
function showHits(told) {
  const template = document.getElementById("hit");
  const made = told.hits.map((hit) => {
    const item = template.content.firstElementChild.cloneNode(true);
    item.classList.toggle("doubtful", hit.probability < LIKELY);
    part(item, "link").href = `/photo/${hit.photo}?face=${hit.face}`;
    Object.assign(part(item, "image"), { src: hit.image, alt: hit.name });
    for (const name of ["rank", "percent", "seems", "name"]) part(item, name).textContent = hit[name];
    return item;
  });
  document.getElementById("hits").replaceChildren(...made.slice(0, told.probable));
  document.getElementById("doubtful").replaceChildren(...made.slice(told.probable));
  document.getElementById("doubtful").start = told.probable + 1;
  document.getElementById("line").hidden = told.probable === told.hits.length;
  document.getElementById("words").textContent = told.words && `, ${told.words}`;
  document.getElementById("drawn-words").textContent = told.words || "as it is";
  document.getElementById("remarks").textContent = [told.doubt, ...told.remarks].filter(Boolean).join("; ");
  document.title = `${told.words || "Search"} – anotheryou`;
}
