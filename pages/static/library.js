// The library's grid: all photographs as long as they are, of which only what is near is there.
import { ask } from "./dom.js";

const NEAR = "150% 0px"; // of the window, above and below it
const grid = document.getElementById("grid");
const month = document.getElementById("month");
const below = grid.dataset.below;
const filter = below ? `below=${encodeURIComponent(below)}` : "";

if (Number(grid.dataset.pieces) > 1) fill();

/** Put a place for every piece, as high as it will be; each is filled when it comes near, and emptied after. */
async function fill() {
  const pieces = await ask(`/api/pieces?${filter}`);
  document.getElementById("more")?.remove();
  const first = grid.querySelector(".piece");
  const sections = pieces.map((piece, at) => {
    const section = at ? document.createElement("section") : first;
    section.className = "piece";
    Object.assign(section, { piece, wanted: at === 0 });
    return section;
  });
  const resize = () => {
    const side = first.querySelector(".tile").getBoundingClientRect().width;
    const columns = getComputedStyle(first.querySelector(".tiles")).gridTemplateColumns.split(" ").length;
    for (const section of sections) {
      const rows = Math.ceil(section.piece.count / columns);
      section.style.height = `${rows * side + (rows - 1) * 4}px`;
    }
  };
  resize();
  grid.append(...sections.slice(1));
  new ResizeObserver(resize).observe(grid);
  const near = new IntersectionObserver(
    (changes) => {
      for (const { target, isIntersecting } of changes) {
        target.wanted = isIntersecting;
        if (isIntersecting) show(target);
        // The first stays: it tells how wide a photograph is.
        else if (target !== first && !target.contains(document.activeElement)) target.replaceChildren();
      }
    },
    { rootMargin: NEAR },
  );
  for (const section of sections) near.observe(section);
  addEventListener("scroll", tellMonth, { passive: true });

  let quiet;
  function tellMonth() {
    const at = sections.find((section) => section.getBoundingClientRect().bottom > innerHeight / 3);
    month.textContent = at?.piece.month ?? "";
    month.hidden = !at;
    clearTimeout(quiet);
    quiet = setTimeout(() => (month.hidden = true), 1200);
  }
}

/** Fill a piece with its photographs. */
async function show(section) {
  if (section.childElementCount || section.reading) return;
  section.reading = true;
  try {
    // Whoever scrolls past does not want what is passed.
    await new Promise((go) => setTimeout(go, 60));
    if (!section.wanted) return;
    const { start, count } = section.piece;
    const told = await ask(`/api/photos?start=${start}&count=${count}&${filter}`);
    if (!section.wanted) return;
    const tiles = document.createElement("div");
    tiles.className = "tiles";
    for (const photo of told.photographs) {
      const link = tiles.appendChild(document.createElement("a"));
      link.className = "tile";
      link.href = `/photo/${photo.id}`;
      const image = link.appendChild(new Image());
      Object.assign(image, { loading: "lazy", decoding: "async", alt: photo.name, src: photo.image });
    }
    section.replaceChildren(tiles);
  } catch {
    // It is asked for again when it comes near the next time.
  } finally {
    section.reading = false;
  }
}
