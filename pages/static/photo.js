// A photograph: its path can be copied.
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
