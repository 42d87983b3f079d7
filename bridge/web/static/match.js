// Which card is meant by a few letters. Typed words may come in any order. Each is the beginning of a word of the card,
// or several beginnings in a row: "papde" is Payments Production, Developer.

const PIECE = 0.5;
const SKIPPED = 1;
const UNEVEN = 0.01;
const ANOTHER_ORDER = 0.25;
const BESIDE = 6; // in the owner, the purpose or a number, not in the name
const WITHIN = 4; // not at the beginning of a word

function fold(text) {
  return text.normalize("NFKC").toLocaleLowerCase();
}

// Each Han character is a word, and so is each part of a name like PlatformAdmin.
function split(text) {
  const parted = text.normalize("NFKC").replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2");
  return fold(parted).match(/\p{Script=Han}|[\p{L}\p{N}]+/gu) ?? [];
}

// The least cost of spelling `typed` by beginnings of `words`, in their order. Words that are passed over count, and so
// does it if nothing from number `half` on is begun. Of equal ones the most even is meant: "re-t-da", not "ret-d-a".
function spell(typed, { words, half }, from = 0) {
  if (!typed) {
    return from > half ? 0 : SKIPPED;
  }
  let best = Infinity;
  for (let at = from; at < words.length; at += 1) {
    let same = 0;
    while (same < typed.length && typed[same] === words[at][same]) {
      same += 1;
    }
    for (; same > 0; same -= 1) {
      const here = PIECE + same * same * UNEVEN + (at - from) * SKIPPED;
      best = Math.min(best, here + spell(typed.slice(same), { words, half }, at + 1));
    }
  }
  return best;
}

function weigh(typed, card) {
  const named = Math.min(spell(typed, card.name), ANOTHER_ORDER + spell(typed, card.turned));
  if (named < Infinity) {
    return named;
  }
  if (card.text.includes(typed)) {
    return BESIDE + (card.words.some((word) => word.startsWith(typed)) ? 0 : WITHIN);
  }
  return Infinity;
}

// `account` and `title` are what a card is called, `more` is everything else by which it can be found.
export function read(account, title, more) {
  const [of, is] = [split(account), split(title)];
  const text = [account, title, more].join(" ");
  return {
    name: { words: [...of, ...is], half: of.length },
    turned: { words: [...is, ...of], half: is.length },
    words: split(text),
    text: fold(text),
  };
}

// How far a card that was read is from what was typed: 0 for nothing typed, Infinity if it is not meant.
export function measure(typed, card) {
  return fold(typed)
    .split(/\s+/)
    .filter(Boolean)
    .reduce((sum, word) => sum + weigh(word, card), 0);
}
