// Time left. An element with `data-ends` (ISO, UTC) and an id counts down in the words of `data-live`, where {at} is
// the local time of the end and {left} what remains in those of `data-hours`, `data-minutes` and `data-seconds`, with
// {number} in each; afterwards it says `data-over`. What must go or come at that moment names the clock:
// `data-before="id"`, `data-after="id"`.
//
// `data-now` on <html>, if there, is the server's time when it made the page: a wrong clock here does no harm then.

const SOON_MS = 5 * 60_000;
const page = document.documentElement;
const loaded = Date.now();
const skew = page.dataset.now ? Date.parse(page.dataset.now) - loaded : 0;
const language = navigator.languages.find((tag) => tag.startsWith(page.lang.slice(0, 2))) ?? page.lang;

// In the words of the page, as the server writes durations: those of the browser are others in each.
function words(milliseconds, units) {
  const part = (amount, unit) => units[unit].replace("{number}", amount);
  const seconds = Math.ceil(milliseconds / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours) {
    return minutes ? `${part(hours, "hours")} ${part(minutes, "minutes")}` : part(hours, "hours");
  }
  if (milliseconds > SOON_MS) {
    return part(minutes, "minutes");
  }
  return minutes ? `${part(minutes, "minutes")} ${part(seconds % 60, "seconds")}` : part(seconds, "seconds");
}

function moment(end) {
  const today = end.toDateString() === new Date(Date.now() + skew).toDateString();
  return new Intl.DateTimeFormat(language, {
    hour: "numeric",
    minute: "2-digit",
    ...(today ? {} : { weekday: "short" }),
  }).format(end);
}

function strike(clock) {
  const gone = [...document.querySelectorAll(`[data-before="${clock.id}"]`)];
  const come = [...document.querySelectorAll(`[data-after="${clock.id}"]`)];
  const lostFocus = gone.some((element) => element.contains(document.activeElement));
  come.forEach((element) => (element.hidden = false));
  if (lostFocus && come.length) {
    come[0].focus();
  }
  gone.forEach((element) => (element.hidden = true));
}

function start(clock) {
  const end = new Date(clock.dataset.ends);
  const face = clock.closest(".clock");
  let struck = false;

  function tick() {
    const left = end - (Date.now() + skew);
    const text = left > 0 ? clock.dataset.live : clock.dataset.over;
    const shown = text.replace("{at}", moment(end)).replace("{left}", words(Math.max(left, 0), clock.dataset));
    if (clock.textContent !== shown) {
      clock.textContent = shown;
    }
    face?.classList.toggle("soon", left > 0 && left <= SOON_MS);
    face?.classList.toggle("over", left <= 0);
    if (left > 0) {
      setTimeout(tick, left % 1000 || 1000);
    } else if (!struck) {
      struck = true;
      strike(clock);
    }
  }

  tick();
}

document.querySelectorAll("[data-ends][id]").forEach(start);
