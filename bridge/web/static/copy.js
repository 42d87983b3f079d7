// Copying and showing. `data-copy="id"` copies the text of that element, hidden secrets included;
// `data-reveal="id"` shows and hides the secrets in it.

const SAID_FOR_MS = 2_000;
const status = document.querySelector("[data-copy-status]");

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("[data-label]");
  const usual = label.textContent;
  let said = button.dataset.done;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without permission or a secure context the text can still be selected for the person's own hand.
    source.classList.add("shown");
    document.getSelection().selectAllChildren(source);
    said = button.dataset.failed;
  }
  label.textContent = said;
  if (status) {
    status.textContent = said;
  }
  setTimeout(() => {
    label.textContent = usual;
    if (status) {
      status.textContent = "";
    }
  }, SAID_FOR_MS);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  let busy = false;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (busy) {
      return;
    }
    busy = true;
    await copy(button);
    setTimeout(() => (busy = false), SAID_FOR_MS);
  });
}

for (const button of document.querySelectorAll("[data-reveal]")) {
  button.addEventListener("click", () => {
    const shown = document.getElementById(button.dataset.reveal).classList.toggle("shown");
    button.querySelector("[data-label]").textContent = shown ? button.dataset.hide : button.dataset.show;
  });
}
