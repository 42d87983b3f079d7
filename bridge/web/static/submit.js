// Two habits of forms: `data-auto-submit` sends itself, and no form is sent twice by an impatient hand.

const HANDS_OFF_MS = 15_000;
const submitted = new Set();

function release(form) {
  submitted.delete(form);
  for (const button of form.querySelectorAll("[data-busy]")) {
    delete button.dataset.busy;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (submitted.has(form)) {
    event.preventDefault();
    return;
  }
  submitted.add(form);
  if (event.submitter) {
    event.submitter.dataset.busy = "";
  }
  setTimeout(release, HANDS_OFF_MS, form);
});

// The browser may show this page again as it was left.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    submitted.forEach(release);
  }
});

// Somebody who goes back to a hand-over wants to leave it, not to be sent on again.
const [navigation] = performance.getEntriesByType("navigation");
const waiting = document.querySelector("form[data-auto-submit]");
if (waiting && navigation?.type !== "back_forward") {
  // A field called "requestSubmit" must not stand in for the method.
  HTMLFormElement.prototype.requestSubmit.call(waiting);
}
