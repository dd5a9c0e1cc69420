// What the scripts of several pages share: asking the server, filling in, telling what went wrong.

/** Ask the server for JSON; throws an Error with the sentence that it tells. */
export async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer; is `anotheryou serve` still running?");
  }
  const told = await answer.json().catch(() => ({ detail: `The server answers ${answer.status}.` }));
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

/** Send JSON and give the answer. */
export const send = (address, content = {}) =>
  ask(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });

/** Find the place of an element that a template calls by name. */
export const part = (element, name) => element.querySelector(`[data-f=${name}]`);

/** Run something once nobody has asked for it again for a while. */
export function later(milliseconds, work) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
}

/** A face as an item of a list, which leads to the search for it. */
export function faceItem(face) {
  const item = document.createElement("li");
  const link = item.appendChild(document.createElement("a"));
  link.href = `/?face=${face.id}`;
  const image = link.appendChild(new Image(400, 400));
  Object.assign(image, { src: face.image, alt: `Face ${face.id}`, decoding: "async" });
  return item;
}
