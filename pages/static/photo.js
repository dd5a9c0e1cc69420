// A photograph: its path can be copied, and a face drawn where none was found.
import { send } from "./dom.js";

const button = document.getElementById("copy");
if (button && navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const word = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(button.dataset.path);
      word.textContent = "Copied";
    } catch {
      word.textContent = "The browser does not allow it";
    }
  });
}

const view = document.getElementById("view");
const draw = document.getElementById("draw");
if (draw) {
  draw.hidden = false;
  draw.addEventListener("click", () => {
    const on = draw.getAttribute("aria-pressed") !== "true";
    draw.setAttribute("aria-pressed", on);
    view.classList.toggle("drawing", on);
  });
  let box = null;
  /** Give the place of a pointer in pixels of the photograph, within it. */
  const at = (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(view.getScreenCTM().inverse());
    const { width, height } = view.viewBox.baseVal;
    return { x: Math.min(Math.max(place.x, 0), width), y: Math.min(Math.max(place.y, 0), height) };
  };
  const sides = (from, to) => [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.max(from.x, to.x), Math.max(from.y, to.y)];
  view.addEventListener("pointerdown", (event) => {
    if (!view.classList.contains("drawing")) return;
    event.preventDefault();
    view.setPointerCapture(event.pointerId);
    box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    box.setAttribute("class", "box chosen");
    box.setAttribute("vector-effect", "non-scaling-stroke");
    box.from = box.to = at(event);
    view.append(box);
  });
  view.addEventListener("pointermove", (event) => {
    if (!box) return;
    box.to = at(event);
    const [left, top, right, bottom] = sides(box.from, box.to);
    for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) box.setAttribute(name, value);
  });
  view.addEventListener("pointerup", async () => {
    if (!box) return;
    const drawn = box;
    box = null;
    try {
      const told = await send(`/api/photos/${view.dataset.photo}/faces`, { box: sides(drawn.from, drawn.to) });
      location.assign(`/people/${told.id}`);
    } catch (error) {
      drawn.remove();
      document.getElementById("problem").textContent = error.message;
    }
  });
}
