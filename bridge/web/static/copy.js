// Copying and showing. `data-copy="id"` copies the text of that element, hidden secrets included;
// `data-reveal="id"` shows the secrets in it, and covers them again: at the next click, after a minute, or when one leaves.

const SAID_FOR_MS = 2_000;
const SHOWN_FOR_MS = 60_000;
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

function cover(button) {
  document.getElementById(button.dataset.reveal).classList.remove("shown");
  button.querySelector("[data-label]").textContent = button.dataset.show;
}

const reveals = [...document.querySelectorAll("[data-reveal]")];
for (const button of reveals) {
  let timer;
  button.addEventListener("click", () => {
    clearTimeout(timer);
    const shown = document.getElementById(button.dataset.reveal).classList.toggle("shown");
    button.querySelector("[data-label]").textContent = shown ? button.dataset.hide : button.dataset.show;
    if (shown) {
      timer = setTimeout(cover, SHOWN_FOR_MS, button);
    }
  });
}

// The browser may show this page again as it was left.
window.addEventListener("pagehide", () => reveals.forEach(cover));
