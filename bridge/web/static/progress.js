// How far a preview is: asked twice a second; when it is over, the page is loaded again and shows what was found.

const place = document.querySelector("[data-progress]");
const WAIT = 500;
const language = document.documentElement.lang;

async function look() {
  try {
    const answer = await fetch(place.dataset.progress, { cache: "no-store" });
    if (!answer.ok) {
      location.reload();
      return;
    }
    const { state, done, total } = await answer.json();
    if (state !== "running") {
      location.reload();
      return;
    }
    place.querySelector("progress").value = done;
    const words = place.querySelector("[data-format]");
    words.textContent = words.dataset.format
      .replace("{done}", done.toLocaleString(language))
      .replace("{total}", total.toLocaleString(language));
  } catch {
    // The network was away for a moment: ask again.
  }
  setTimeout(look, WAIT);
}

if (place) {
  setTimeout(look, WAIT);
}
