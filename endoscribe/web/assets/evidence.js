// @ts-check

// The evidence of a cell: its second of the recording is played, with half a second before, and its words are lit.
// Both happen in the browser, without asking the server: it has the recording before anybody clicks.

import * as page from './page.js';

const LEAD_S = 0.5;
const TAIL_S = 0.3;
const LONGEST_KEPT_BYTES = 64e6; // half an hour at 16 kHz; of a longer one the browser asks for the part that it plays

/** @type {HTMLAudioElement | null} */
let player = null;
/** @type {number | null} */
let playUntil = null;
/** @type {string | null} */
let kept = null; // the address at which the browser has the recording itself
let lit = { start: -1, end: -1, text: '' }; // the characters whose words are lit, and these words

/** @param {HTMLElement} element @param {PanelProps} props */
export function mountPlayer(element, props) {
  page.addPanel('player', element, props);
  element.addEventListener('timeupdate', stopAtEnd, true);
  new MutationObserver(keep).observe(element, { childList: true, subtree: true });
  keep();
}

// The recording, in the browser's memory for as long as it is on the screen.
async function keep() {
  const element = audio();
  if (kept && !element?.src.startsWith(kept)) {
    URL.revokeObjectURL(kept);
    kept = null;
  }
  if (!element || element.dataset.keeping) return;
  element.dataset.keeping = 'true';
  const recording = await whole(element.src).catch(() => null);
  if (!element.isConnected) return;
  if (!recording) {
    element.preload = 'metadata';
    return;
  }
  const put = () => element.isConnected && playFrom(element, recording);
  if (element.paused) put();
  else element.addEventListener('pause', put, { once: true });
}

// Null for one that is too long; what fails here is played from the server.
/** @param {string} address */
async function whole(address) {
  const giveUp = new AbortController();
  const answer = await fetch(address, { priority: 'low', signal: giveUp.signal });
  if (answer.ok && Number(answer.headers.get('content-length')) <= LONGEST_KEPT_BYTES) return answer.blob();
  giveUp.abort();
  return null;
}

/** @param {HTMLAudioElement} element @param {Blob} recording */
function playFrom(element, recording) {
  const { currentTime } = element;
  kept = URL.createObjectURL(recording);
  element.src = kept;
  element.currentTime = currentTime;
}

// The audio element itself, whatever the panel has rendered since.
function audio() {
  player = page.panel('player')?.querySelector('audio') ?? null;
  return player;
}

/** @param {number} startS @param {number} endS */
export function play(startS, endS) {
  const element = audio();
  if (!element || Number.isNaN(startS)) return;
  element.currentTime = Math.max(0, startS - LEAD_S);
  playUntil = Number.isNaN(endS) ? null : endS + TAIL_S;
  element.play().catch(() => {}); // a second click while the first still loads ends the first
}

function stopAtEnd() {
  if (playUntil !== null && player && player.currentTime >= playUntil) {
    player.pause();
    playUntil = null;
  }
}

// Cells carry data-start, data-end (characters) and data-start-s, data-end-s (seconds); words carry the same.
/** @param {DOMStringMap} cell */
export function hear({ start, end, startS, endS }) {
  light(start === '' ? -1 : Number(start), start === '' ? -1 : Number(end));
  if (startS) play(Number(startS), Number(endS));
}

/** @param {number} start @param {number} end */
function light(start, end) {
  const words = wordsWithin(start, end);
  lit = { start, end, text: textOf(words) };
  for (const word of document.querySelectorAll('#transcript .lit')) word.classList.remove('lit');
  for (const word of words) word.classList.add('lit');
  const box = words[0]?.closest('.words');
  if (box) requestAnimationFrame(() => bring(words[0], box)); // by then the card stands below, and the box may be lower
}

// The transcript was rendered anew, for example with what has since been filed: the same words stay lit.
function lightAgain() {
  const words = wordsWithin(lit.start, lit.end);
  if (textOf(words) !== lit.text) return;
  for (const word of words) if (!word.classList.contains('lit')) word.classList.add('lit');
}

/** @param {number} start @param {number} end @returns {HTMLElement[]} */
function wordsWithin(start, end) {
  const words = [...document.querySelectorAll('#transcript [data-start]')];
  return words.filter((word) => Number(word.dataset.start) < end && Number(word.dataset.end) > start);
}

/** @param {HTMLElement[]} words */
function textOf(words) {
  return words.map((word) => word.textContent).join(' ');
}

/** @param {HTMLElement} word @param {HTMLElement} box */
function bring(word, box) {
  box.scrollTop = word.offsetTop - box.offsetTop - box.clientHeight / 3;
}

// One tab stop for all words: the arrow keys go from word to word, Enter plays from there.
/** @param {HTMLElement} element */
export function mountTranscript(element) {
  /** @param {HTMLElement} word */
  const from = (word) => play(Number(word.dataset.startS) + LEAD_S, NaN);
  // Gradio puts what is new into the words that are there, and takes from them a class that it does not know.
  const renders = { childList: true, subtree: true, attributeFilter: ['class'] };
  new MutationObserver(lightAgain).observe(element, renders);
  element.addEventListener('click', (event) => {
    const word = event.target.closest('[data-start-s]');
    if (word) from(word);
  });
  element.addEventListener('keydown', (event) => {
    const words = [...element.querySelectorAll('[data-start-s]')];
    const at = words.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (event.key === 'Enter' && at >= 0) from(words[at]);
    else if (step && words.length) {
      event.preventDefault();
      words[Math.min(words.length - 1, Math.max(0, at + step))].focus();
    }
  });
}
