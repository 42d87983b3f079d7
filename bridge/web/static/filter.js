// The filter box of the portal: every word typed must occur in a card's `data-text`. "/" goes to the box, Escape
// empties it, Enter goes to the first card that is left.

const box = document.querySelector("[data-filter]");

function fold(text) {
  return text.normalize("NFKC").toLocaleLowerCase();
}

if (box) {
  const groups = [...document.querySelectorAll("[data-filter-group]")].map((element) => ({
    element,
    cards: [...element.querySelectorAll("[data-text]")].map((card) => ({ card, text: fold(card.dataset.text) })),
  }));
  const status = document.querySelector("[data-filter-status]");
  const nothing = document.querySelector("[data-filter-nothing]");
  const total = groups.reduce((sum, group) => sum + group.cards.length, 0);

  const apply = () => {
    const typed = fold(box.value).split(/\s+/).filter(Boolean);
    let left = 0;
    for (const { element, cards } of groups) {
      let here = 0;
      for (const { card, text } of cards) {
        card.hidden = !typed.every((word) => text.includes(word));
        here += card.hidden ? 0 : 1;
      }
      element.hidden = here === 0;
      left += here;
    }
    nothing.hidden = left > 0;
    status.textContent = typed.length
      ? status.dataset.format.replace("{left}", left).replace("{total}", total)
      : "";
  };

  const clear = () => {
    box.value = "";
    apply();
    box.focus();
  };

  box.addEventListener("input", apply);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) {
      return;
    }
    if (event.key === "Escape") {
      event.preventDefault();
      clear();
    } else if (event.key === "Enter") {
      event.preventDefault();
      document.querySelector("[data-text]:not([hidden]) :is(button, a)")?.focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      box.focus();
    }
  });
  document.querySelector("[data-filter-clear]").addEventListener("click", clear);

  box.closest(".filter").classList.add("ready");
  apply();
}
