// Stars without leaving the page. If the service does not take it, the form is sent as it is without this.

async function toggle(form) {
  const button = form.querySelector("button");
  const marked = button.getAttribute("aria-pressed") === "true";
  const body = new URLSearchParams(new FormData(form));
  body.set(button.name, button.value);
  try {
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (answer.type !== "opaqueredirect") {
      throw new Error(String(answer.status));
    }
    button.setAttribute("aria-pressed", String(!marked));
    button.value = marked ? "yes" : "no";
  } catch {
    form.dataset.sent = "";
    HTMLFormElement.prototype.requestSubmit.call(form, button);
  }
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if ("favourite" in form.dataset && !("sent" in form.dataset)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      toggle(form);
    }
  },
  { capture: true },
);
