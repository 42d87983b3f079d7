// The portal by keyboard. Letters go to the search box, from wherever one is; arrows move between cards, Enter opens,
// Escape empties the box, "?" shows the keys. Whoever steers by voice can turn off what a single key does (WCAG 2.1.4).

// By the address that the page names, with its version: that may be kept for ever, and no old copy is used.
const { measure, read } = await import(document.querySelector("link[rel=modulepreload]").href);

const KEPT = "rambridge-single-keys";
const box = document.querySelector("[data-search]");
const help = document.querySelector("[data-keys]");
const list = document.querySelector("[data-groups]");
const groups = [...document.querySelectorAll("[data-group]")].map((element) => ({
  element,
  list: element.querySelector(".cards"),
  cards: [...element.querySelectorAll("[data-account]")].map((card) => ({
    card,
    ...read(card.dataset.account, card.querySelector("h3").textContent, card.dataset.more),
  })),
}));
const total = groups.reduce((sum, group) => sum + group.cards.length, 0);
let first = null;

function mainAction(card) {
  return card.querySelector(".actions :is(button, a)");
}

function visible() {
  return [...document.querySelectorAll("[data-account]:not([hidden])")];
}

// Puts elements first, in this order. One that is where it belongs is not moved: that would cost a layout.
function arrange(parent, elements) {
  let place = parent.firstElementChild;
  for (const element of elements) {
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(element, place);
    }
  }
}

function apply() {
  const typed = box.value.trim();
  let left = 0;
  const ranked = groups.map((group) => {
    const cards = group.cards.map((entry) => ({ card: entry.card, cost: measure(typed, entry) }));
    for (const { card, cost } of cards) {
      card.hidden = cost === Infinity;
      left += card.hidden ? 0 : 1;
    }
    cards.sort((one, other) => (one.cost === other.cost ? 0 : one.cost - other.cost));
    group.element.hidden = cards[0].cost === Infinity;
    arrange(group.list, cards.filter(({ cost }) => cost < Infinity).map(({ card }) => card));
    return { element: group.element, cost: cards[0].cost };
  });
  ranked.sort((one, other) => (one.cost === other.cost ? 0 : one.cost - other.cost));
  arrange(list, ranked.filter(({ cost }) => cost < Infinity).map(({ element }) => element));

  first?.classList.remove("first");
  first = typed && left ? visible()[0] : null;
  first?.classList.add("first");
  document.querySelector("[data-nothing]").hidden = left > 0;
  const status = document.querySelector("[data-search-status]");
  const format = first ? status.dataset.first : status.dataset.format;
  status.textContent = typed
    ? format
        .replace("{left}", left)
        .replace("{total}", total)
        .replace("{role}", () => first.querySelector("h3").textContent)
        .replace("{account}", () => first.dataset.account)
    : "";
}

function clear() {
  box.value = "";
  apply();
  box.focus();
}

// The card in the next or previous row that is nearest to this one's column; rows differ in their top edge.
function findInRow(cards, here, down) {
  const from = here.getBoundingClientRect();
  const before = (edge) => (down ? edge > from.top + 1 : edge < from.top - 1);
  const others = cards.map((card) => ({ card, edges: card.getBoundingClientRect() }));
  const beyond = others.filter(({ edges }) => before(edges.top));
  const row = beyond.at(down ? 0 : -1)?.edges.top;
  const away = ({ edges }) => Math.abs(edges.left - from.left);
  return beyond.filter(({ edges }) => Math.abs(edges.top - row) <= 1).sort((a, b) => away(a) - away(b))[0]?.card;
}

function move(key, here) {
  const cards = visible();
  const at = cards.indexOf(here);
  const target = {
    ArrowRight: () => cards[at + 1],
    ArrowLeft: () => cards[at - 1],
    ArrowDown: () => findInRow(cards, here, true),
    ArrowUp: () => findInRow(cards, here, false),
  }[key]();
  if (target) {
    mainAction(target).focus();
  } else if (key === "ArrowUp") {
    box?.focus();
  }
}

function keysAreOn() {
  return localStorage.getItem(KEPT) !== "off";
}

function keyInBox(event) {
  if (event.key === "Escape") {
    event.preventDefault();
    clear();
  } else if (event.key === "ArrowDown" && visible().length) {
    event.preventDefault();
    mainAction(visible()[0]).focus();
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (first) {
      mainAction(first).click();
    }
  } else if (event.key === "?" && !box.value) {
    event.preventDefault();
    help.showModal();
  }
}

function keyElsewhere(event) {
  const card = event.target.closest?.("[data-account]");
  if (card && event.key.startsWith("Arrow")) {
    event.preventDefault();
    move(event.key, card);
  } else if (box && card && event.key === "Escape") {
    clear();
  } else if (event.key.length !== 1 || event.key === " " || !keysAreOn()) {
    return;
  } else if (event.key === "?") {
    event.preventDefault();
    help.showModal();
  } else if (box) {
    if (event.key === "/") {
      event.preventDefault();
    }
    box.focus();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || help.open) {
    return;
  }
  if (event.target === box) {
    keyInBox(event);
  } else if (!event.target.closest?.("input, textarea, select, [contenteditable]")) {
    keyElsewhere(event);
  }
});

if (box) {
  box.addEventListener("input", apply);
  document.querySelector("[data-search-clear]").addEventListener("click", clear);
  box.closest(".filter").classList.add("ready");
  apply();
}

const button = document.querySelector("[data-show-keys]");
button.addEventListener("click", () => help.showModal());
button.hidden = false;
const choice = help.querySelector("[data-single-keys]");
choice.checked = keysAreOn();
choice.addEventListener("change", () => localStorage.setItem(KEPT, choice.checked ? "on" : "off"));
