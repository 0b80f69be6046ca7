// The evidence of a cell: its second of the recording is played, with half a second before, and its words are lit.
// Both happen in the browser, without asking the server.

import * as page from './page.js';

const LEAD_S = 0.5;
const TAIL_S = 0.3;

let player = null;
let playUntil = null;

export function mountPlayer(element, props) {
  page.addPanel('player', element, props);
  element.addEventListener('timeupdate', stopAtEnd, true);
}

// The audio element itself, whatever the panel has rendered since.
function audio() {
  player = page.panel('player')?.querySelector('audio') ?? null;
  return player;
}

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
export function hear({ start, end, startS, endS }) {
  light(start === '' ? -1 : Number(start), start === '' ? -1 : Number(end));
  if (startS) play(Number(startS), Number(endS));
}

function light(start, end) {
  let first = null;
  for (const word of document.querySelectorAll('#transcript [data-start]')) {
    const lit = Number(word.dataset.start) < end && Number(word.dataset.end) > start;
    word.classList.toggle('lit', lit);
    if (lit) first ??= word;
  }
  const box = first?.closest('.words');
  if (box) box.scrollTop = first.offsetTop - box.offsetTop - box.clientHeight / 3;
}

// One tab stop for all words: the arrow keys go from word to word, Enter plays from there.
export function mountTranscript(element) {
  const from = (word) => play(Number(word.dataset.startS) + LEAD_S, NaN);
  element.addEventListener('click', (event) => {
    const word = event.target.closest('[data-start-s]');
    if (word) from(word);
  });
  element.addEventListener('keydown', (event) => {
    const words = [...element.querySelectorAll('[data-start-s]')];
    const at = words.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (event.key === 'Enter' && at >= 0) from(words[at]);
    else if (step && words.length) {
      event.preventDefault();
      words[Math.min(words.length - 1, Math.max(0, at + step))].focus();
    }
  });
}
